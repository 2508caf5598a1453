// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/tasks.h"

#include <errno.h>
#include <stdlib.h>

static const struct {
	const char *system, *name, *pid, *comm;
} tellers[] = {
	{"sched", "sched_switch", "next_pid", "next_comm"},
	{"sched", "sched_wakeup", "pid", "comm"},
	{"sched", "sched_wakeup_new", "pid", "comm"},
	{"sched", "sched_waking", "pid", "comm"},
	{"sched", "sched_process_fork", "child_pid", "child_comm"},
	{"sched", "sched_process_exit", "pid", "comm"},
	{"task", "task_newtask", "pid", "comm"},
};

int tasks_init(struct tasks *t, const struct source *s)
{
	t->kinds = calloc(source_facts(s)->n_kinds + 1, sizeof(*t->kinds));
	if (!t->kinds)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(tellers); i++) {
		const struct source_kind *k =
			source_kind_find(s, tellers[i].system, tellers[i].name);
		const struct source_field *pid, *comm;

		if (!k)
			continue;
		pid = source_field_find(k, tellers[i].pid);
		comm = source_field_find(k, tellers[i].comm);
		if (pid && comm && pid->size == 4 && comm->type >= FIELD_STRING)
			t->kinds[k->index] = (struct task_fields){pid, comm};
	}
	return 0;
}

void tasks_free(struct tasks *t)
{
	free(t->kinds);
	t->kinds = NULL;
}
