/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Learns task names from the events that carry them. Used inside timeline/ only. */
#pragma once

#include "source/source.h"

struct tasks { /* by kind index; pid NULL: nothing to learn */
	struct task_fields {
		const struct source_field *pid, *comm;
	} * kinds;
};

must_check int tasks_init(struct tasks *t, const struct source *s);
void tasks_free(struct tasks *t);

static inline void tasks_learn(const struct tasks *t, struct source *s,
			       const struct source_item *it)
{
	const struct task_fields *f = &t->kinds[it->kind->index];
	const void *name;
	size_t n;

	if (!f->pid)
		return;
	name = source_field_bytes(f->comm, it->data, it->size, &n);
	if (name && n)
		source_comm_learn(s, (int)source_field_u64(f->pid, it->data), name, n);
}
