/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which vCPU a host thread runs, fast: for consumers that look at every host event. */
#pragma once

#include "timeline/input.h"

struct threads {
	struct {
		int tid; /* 0: free */
		uint32_t index;
	} * slots;
	size_t n; /* a power of two */
};

/* Numbers all vCPUs of the input in the order of machines and vCPUs. -ENOMEM. */
must_check int threads_init(struct threads *t, const struct input *in, size_t *ret_n_vcpus);
/* Number of the vCPU; SIZE_MAX for other threads. */
size_t threads_find(const struct threads *t, int tid);
void threads_free(struct threads *t);
