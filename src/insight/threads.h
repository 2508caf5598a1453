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
void threads_free(struct threads *t);

/* Number of the vCPU; SIZE_MAX for other threads. */
static inline size_t threads_find(const struct threads *t, int tid)
{
	size_t i = ((uint32_t)tid * 2654435761u) & (t->n - 1);

	if (tid <= 0)
		return SIZE_MAX;
	while (t->slots[i].tid && t->slots[i].tid != tid)
		i = (i + 1) & (t->n - 1);
	return t->slots[i].tid ? t->slots[i].index : SIZE_MAX;
}
