// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/filter.h"

#include <fnmatch.h>

#define FILTER_TASKS 1024u

/* "system:name", "name", globs in both. */
static bool kind_matches(const struct source_kind *k, const char *glob)
{
	const char *colon = strchr(glob, ':');
	char system[128];

	if (!colon)
		return !fnmatch(glob, k->name, 0);
	if ((size_t)(colon - glob) >= sizeof(system))
		return false;
	memcpy(system, glob, (size_t)(colon - glob));
	system[colon - glob] = 0;
	return !fnmatch(system, k->system, 0) && !fnmatch(colon + 1, k->name, 0);
}

static int init_kinds(struct filter_machine *fm, const struct timeline_filter *ask,
		      const struct source *s, const struct tasks *tasks)
{
	const struct source_facts *f = source_facts(s);

	if (!ask->n_events)
		return 0;
	fm->wanted = calloc(f->n_kinds + 1, sizeof(*fm->wanted));
	fm->decoded = calloc(f->n_kinds + 1, sizeof(*fm->decoded));
	if (!fm->wanted || !fm->decoded)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_kinds; i++) {
		for (size_t k = 0; k < ask->n_events && !fm->wanted[i]; k++)
			fm->wanted[i] = kind_matches(f->kinds[i], ask->events[k]);
		fm->decoded[i] = fm->wanted[i] || tasks->kinds[i].pid;
	}
	return 0;
}

static int init_vcpu_tids(struct filter_machine *fm, unsigned vcpu, const struct input *in)
{
	struct ARRAY(pid_t) tids = {0};

	array_for_each(m, &in->machines)
		array_for_each(v, &m->vcpus) {
			pid_t *t = v->id == vcpu && v->tid ? array_add(&tids) : NULL;

			if (t)
				*t = v->tid;
		}
	fm->vcpu_tids = tids.v;
	fm->n_vcpu_tids = tids.n;
	return 0;
}

int filter_init(struct filter *f, const struct timeline_filter *ask, const struct input *in,
		const struct tasks *tasks)
{
	int r = 0;

	if (ask)
		f->ask = *ask;
	if (!f->ask.to_ticks)
		f->ask.to_ticks = UINT64_MAX;
	f->n = in->machines.n;
	f->machines = calloc(f->n + 1, sizeof(*f->machines));
	if (!f->machines)
		return -ENOMEM;
	for (size_t i = 0; i < f->n && !r; i++) {
		struct filter_machine *fm = &f->machines[i];

		if (in->machines.v[i].source)
			r = init_kinds(fm, &f->ask, in->machines.v[i].source, &tasks[i]);
		if (!r && f->ask.task) {
			fm->tasks = calloc(FILTER_TASKS, sizeof(*fm->tasks));
			r = fm->tasks ? 0 : -ENOMEM;
		}
		if (!r && f->ask.has_vcpu && !in->machines.v[i].is_guest)
			r = init_vcpu_tids(fm, f->ask.vcpu, in);
	}
	return r;
}

void filter_free(struct filter *f)
{
	for (size_t i = 0; i < f->n && f->machines; i++) {
		free(f->machines[i].wanted);
		free(f->machines[i].decoded);
		free(f->machines[i].tasks);
		free(f->machines[i].vcpu_tids);
	}
	free(f->machines);
}

bool filter_lane(const struct filter *f, const struct input *in, const struct timeline_lane *l)
{
	const struct input_machine *m = &in->machines.v[l->machine];

	if (f->ask.machine && fnmatch(f->ask.machine, m->name, 0))
		return false;
	if (f->ask.vm && m->is_guest && fnmatch(f->ask.vm, m->name, 0))
		return false;
	if (f->ask.has_cpu && f->ask.cpu != l->cpu)
		return false;
	if (!f->ask.has_vcpu)
		return true;
	if (m->is_guest)
		return l->vcpu && l->vcpu->id == f->ask.vcpu;
	return f->machines[l->machine].n_vcpu_tids != 0;
}

static bool task_matches(const struct filter *f, const struct input_machine *m, size_t machine,
			 int pid)
{
	struct filter_task *t = &f->machines[machine].tasks[(unsigned)pid % FILTER_TASKS];
	const char *comm;

	if (!t->known || t->pid != pid) {
		comm = source_comm(m->source, pid);
		t->known = true;
		t->pid = pid;
		t->match = comm && !fnmatch(f->ask.task, comm, 0);
	}
	return t->match;
}

static bool is_vcpu_tid(const struct filter_machine *fm, int pid)
{
	for (size_t i = 0; i < fm->n_vcpu_tids; i++)
		if (fm->vcpu_tids[i] == pid)
			return true;
	return false;
}

bool filter_has_tests(const struct filter *f, size_t machine)
{
	const struct filter_machine *fm = &f->machines[machine];

	return fm->wanted || f->ask.has_pid || f->ask.task || fm->n_vcpu_tids;
}

bool filter_item(const struct filter *f, size_t machine, const struct input_machine *m,
		 const struct source_item *it)
{
	const struct filter_machine *fm = &f->machines[machine];
	int pid;

	if (fm->wanted && !fm->wanted[it->kind->index])
		return false;
	if (!f->ask.has_pid && !f->ask.task && !fm->n_vcpu_tids)
		return true;
	pid = source_record_pid(it->kind, it->data);
	if (f->ask.has_pid && pid != f->ask.pid)
		return false;
	if (fm->n_vcpu_tids && !is_vcpu_tid(fm, pid))
		return false;
	return !f->ask.task || task_matches(f, m, machine, pid);
}
