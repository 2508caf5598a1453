/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a made-up world to its files. */
#pragma once

#include <stdio.h>

#include "truth.h"

/* A growing piece of a file. */
struct bytes {
	uint8_t *v;
	size_t n, size;
};
must_check int bytes_add(struct bytes *b, const void *p, size_t n);

struct ring_how {
	bool loss;	   /* some events get lost */
	bool keep_offsets; /* but never kvm_write_tsc_offset */
	bool narrow;	   /* a kernel whose long has 4 bytes */
};
/* ring.c: a lane's events as ring-buffer pages, the way the kernel writes them. Marks lost events and
 * those with clamped stamps. */
must_check int ring_pack(struct world *w, struct truth_lane *l, const struct ring_how *how,
			 struct bytes *ret);

/* One trace.dat. */
struct dat_file {
	const struct world *w;
	struct truth_form form;
	const struct truth_vm *vm; /* a guest's; NULL: the host's */
	uint64_t trace_id;
	unsigned cpus;
	struct dat_buffer {
		const char *name;
		const struct truth_lane *lanes;
		struct bytes *pages;
	} buffers[2];
	unsigned n_buffers;
};

/* dat.c: the pieces that both versions have, and version 6 */
must_check int dat_add_int(struct bytes *b, uint64_t v, size_t n);
must_check int dat_add_option(struct bytes *b, unsigned id, const void *p, size_t n);
must_check int dat_add_options(struct bytes *b, const struct dat_file *f);
must_check int dat_add_begin(struct bytes *b, const struct dat_file *f);
must_check int dat_add_headers(struct bytes *b, const struct dat_file *f);
must_check int dat_add_ftrace(struct bytes *b);
must_check int dat_add_formats(struct bytes *b);
must_check int dat_add_symbols(struct bytes *b);
must_check int dat_add_printk(struct bytes *b);
must_check int dat_add_comms(struct bytes *b, const struct dat_file *f);
must_check int dat_pad(struct bytes *b, uint32_t page);
must_check int dat_write(const struct dat_file *f, const char *path);
/* repeat.c: a lane's pages, as often as the world wants it. 0 or -errno. */
must_check int repeat_write(const struct world *w, const struct bytes *pages, FILE *f);
/* dat_v7.c */
must_check int dat_make_v7(struct bytes *b, const struct dat_file *f);

/* out.c: all files of the world, and truth.txt, into the new directory dir. Marks lost, clamped and
 * ambiguous events on the way. */
must_check int world_write(struct world *w, const char *dir);
