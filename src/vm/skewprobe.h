/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures how far the TSCs of this machine's CPUs are apart: two threads, each on its CPU, exchange
 * a cache line. Silent. */
#pragma once

#include "clock/skew.h"

#define SKEWPROBE_CLOSE_MAX 512 /* CPUs: with more, bounds are narrowed by way of the first only */

struct skewprobe_spec {
	bool all_pairs; /* else those with the first CPU, which imply the others less narrowly */
	uint64_t budget_ns; /* for all; those with the first CPU come first */
};

struct skewprobe {
	int *cpus;	  /* those that this process may run on: isolated ones are left in peace */
	size_t n, online; /* online: all of the machine */
	struct skew_matrix matrix; /* closed, indexed as cpus; of 0 CPUs when there is one only */
	uint64_t exchanges;
	size_t measured; /* pairs with at least one exchange */
	bool consistent;
	/* The CPUs are QEMU's emulator: it reads the TSC out of order, by some 100 ns, so bounds are
	 * wider than what was measured. */
	bool emulated;
	uint64_t took_ns;
};

/* 0, or -errno. The caller's affinity is as before afterwards. */
must_check int skewprobe_run(const struct skewprobe_spec *spec, struct skewprobe *ret);
void skewprobe_free(struct skewprobe *p);
#define _cleanup_skewprobe_ _cleanup_(skewprobe_free)
