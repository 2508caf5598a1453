// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/threads.h"

#include <stdlib.h>

static size_t slot(const struct threads *t, int tid)
{
	size_t i = ((uint32_t)tid * 2654435761u) & (t->n - 1);

	while (t->slots[i].tid && t->slots[i].tid != tid)
		i = (i + 1) & (t->n - 1);
	return i;
}

int threads_init(struct threads *t, const struct input *in, size_t *ret_n_vcpus)
{
	uint32_t n = 0;

	array_for_each(m, &in->machines)
		n += (uint32_t)m->vcpus.n;
	for (t->n = 16; t->n < n * 4; t->n *= 2)
		;
	t->slots = calloc(t->n, sizeof(*t->slots));
	if (!t->slots)
		return -ENOMEM;
	*ret_n_vcpus = n;
	n = 0;
	array_for_each(m, &in->machines)
		array_for_each(v, &m->vcpus) {
			size_t i = v->tid > 0 ? slot(t, v->tid) : 0;

			if (v->tid > 0 && !t->slots[i].tid) {
				t->slots[i].tid = v->tid;
				t->slots[i].index = n;
			}
			n++;
		}
	return 0;
}

void threads_free(struct threads *t)
{
	free(t->slots);
	t->slots = NULL;
}
