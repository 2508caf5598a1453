/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records into pages of the kernel's ring buffer (kernel/trace/ring_buffer.c, include/linux/ring_buffer.h),
 * the other way of source/ringbuf.h. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ringpack { /* set page, page_bytes and zero the rest */
	uint8_t *page;
	uint32_t page_bytes;
	uint32_t n; /* bytes of records in it; valid while open */
	bool open;
	uint64_t ticks; /* of the last record */
	bool missed;	/* events are missing before the page that comes next */
	uint64_t lost;	/* how many; UINT64_MAX: not known */
};

#define RINGPACK_HEAD 16u /* bytes of a page before its records: stamp and commit word */

/* Whether a record of n bytes fits into a page at all. */
bool ringpack_fits(const struct ringpack *p, uint32_t n);
/* Puts a record. False: it does not fit behind what is there; ringpack_close() first. ticks not below those of the
 * last record. */
bool ringpack_add(struct ringpack *p, uint64_t ticks, const void *data, uint32_t n);
/* Events are missing here (lost: UINT64_MAX unknown). The page must be closed. */
void ringpack_lost(struct ringpack *p, uint64_t lost);
/* Finishes the page, which then is whole at page. False: there is none open. */
bool ringpack_close(struct ringpack *p);
