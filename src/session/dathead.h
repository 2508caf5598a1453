/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of a trace.dat v6 up to the CPU data. Silent: errors are returned. */
#pragma once

#include "session/datwriter.h"

/* Where things are in a file whose head has been written. */
struct dathead {
	uint64_t table_at; /* of the per-CPU table: { u64 offset, u64 bytes } */
	uint64_t end;	   /* first byte after the head */
};

/* One CPU's data: bytes is a multiple of the page size, at of the alignment. */
struct dat_place {
	uint64_t at, bytes;
};

/* Writes the whole head at the current position 0 of fd, with an all-zero table. */
must_check int dathead_write(int fd, const struct dat_meta *meta, struct dathead *ret);
/* Fills in at from head and bytes; returns the size of the file. */
uint64_t dathead_place(const struct dathead *head, uint32_t page_bytes, struct dat_place *places,
		       unsigned n);
/* Overwrites the table. */
must_check int dathead_write_table(int fd, const struct dathead *head,
				   const struct dat_place *places, unsigned n);
