/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a made-up world to its files. */
#pragma once

#include "truth.h"

/* A growing piece of a file. */
struct bytes {
	uint8_t *v;
	size_t n, size;
};
must_check int bytes_add(struct bytes *b, const void *p, size_t n);

/* ring.c: a lane's events as ring-buffer pages, the way the kernel writes them. Some events get
 * lost when loss says so; marks them and those with clamped stamps. keep_offsets: never loses
 * kvm_write_tsc_offset. */
must_check int ring_pack(struct world *w, struct truth_lane *l, bool loss, bool keep_offsets,
			 struct bytes *ret);

/* dat.c */
/* A trace.dat v6 with the pages of the lanes. vm: a guest's file; NULL: the host's. */
must_check int dat_write(const struct world *w, const struct truth_vm *vm, uint64_t trace_id,
			 const struct truth_lane *lanes, const struct bytes *pages, unsigned cpus,
			 const char *path);

/* out.c: all files of the world, and truth.txt, into the new directory dir. Marks lost, clamped and
 * ambiguous events on the way. */
must_check int world_write(struct world *w, const char *dir);
