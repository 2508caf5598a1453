// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/timeline.h"

#include <errno.h>

#include "base/log.h"
#include "timeline/timeline_parts.h"

#define LANES_MAX (1u << 24)

static int lane_cmp(const void *a, const void *b)
{
	const struct lane *x = *(struct lane *const *)a, *y = *(struct lane *const *)b;

	if (x->pub.machine != y->pub.machine)
		return x->pub.machine < y->pub.machine ? -1 : 1;
	if (x->pub.cpu != y->pub.cpu)
		return x->pub.cpu < y->pub.cpu ? -1 : 1;
	return (x->source_lane > y->source_lane) - (x->source_lane < y->source_lane);
}

static int add_lanes(struct timeline *t, size_t machine)
{
	const struct input_machine *m = &t->in->machines.v[machine];
	const struct source_facts *f;

	if (!m->source)
		return 0;
	f = source_facts(m->source);
	for (size_t i = 0; i < f->n_lanes; i++) {
		struct lane *l = calloc(1, sizeof(*l));

		if (!l)
			return -ENOMEM;
		t->lanes[t->n_lanes++] = l;
		l->pub.machine = (uint16_t)machine;
		l->pub.cpu = (uint16_t)f->lanes[i].cpu;
		l->pub.buffer = f->lanes[i].buffer;
		l->pub.vcpu = m->is_guest ? input_vcpu_of_cpu(m, l->pub.cpu) : NULL;
		l->machine = m;
		l->source_lane = i;
		l->filter = &t->filter;
		if (!m->is_guest)
			l->exit_kind = source_kind_find(m->source, "kvm", "kvm_exit");
	}
	return 0;
}

static int make_lanes(struct timeline *t)
{
	size_t n = 0;
	int r = 0;

	array_for_each(m, &t->in->machines)
		n += m->source ? source_facts(m->source)->n_lanes : 0;
	if (n >= LANES_MAX)
		return -E2BIG;
	t->lanes = calloc(n + 1, sizeof(*t->lanes));
	t->pub = calloc(n + 1, sizeof(*t->pub));
	t->totals = calloc(t->in->machines.n + 1, sizeof(*t->totals));
	if (!t->lanes || !t->pub || !t->totals)
		return -ENOMEM;
	for (size_t i = 0; i < t->in->machines.n && !r; i++)
		r = add_lanes(t, i);
	if (r)
		return r;
	qsort(t->lanes, t->n_lanes, sizeof(*t->lanes), lane_cmp);
	for (size_t i = 0; i < t->n_lanes; i++) {
		t->lanes[i]->index = (uint32_t)i;
		t->pub[i] = t->lanes[i]->pub;
	}
	return 0;
}

static int find_first(struct timeline *t)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < t->n_lanes; i++) {
		uint64_t ticks;
		int r = lane_first_ticks(t->lanes[i], &ticks);

		if (r)
			return r;
		if (ticks < first && t->lanes[i]->machine->aligned)
			first = ticks;
	}
	t->first_ticks = first == UINT64_MAX ? 0 : first;
	for (size_t i = 0; i < t->n_lanes; i++)
		t->lanes[i]->begin = t->lanes[i]->machine->aligned ? t->first_ticks : UINT64_MAX;
	return 0;
}

static int init_tasks(struct timeline *t)
{
	int r = 0;

	t->tasks = calloc(t->in->machines.n + 1, sizeof(*t->tasks));
	if (!t->tasks)
		return -ENOMEM;
	for (size_t i = 0; i < t->in->machines.n && !r; i++)
		if (t->in->machines.v[i].source)
			r = tasks_init(&t->tasks[i], t->in->machines.v[i].source);
	return r;
}

int timeline_new(const struct input *in, const struct timeline_filter *filter,
		 struct timeline **ret)
{
	_cleanup_timeline_ struct timeline *t = calloc(1, sizeof(*t));
	int r = t ? 0 : -ENOMEM;

	if (!r) {
		t->in = in;
		r = init_tasks(t);
	}
	if (!r)
		r = filter_init(&t->filter, filter, in, t->tasks);
	if (!r)
		r = make_lanes(t);
	if (!r)
		r = plans_make(in, t->lanes, t->n_lanes);
	if (r == -ENOMEM || r == -E2BIG)
		return log_err_r(r, "cannot merge \"%s\": %m", in->title);
	if (!r)
		r = find_first(t);
	if (r)
		return r;
	*ret = TAKE_PTR(t);
	return 0;
}

void timeline_free(struct timeline *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_lanes; i++) {
		align_plan_free(&t->lanes[i]->plan);
		free(t->lanes[i]);
	}
	filter_free(&t->filter);
	for (size_t i = 0; i < t->in->machines.n && t->tasks; i++)
		tasks_free(&t->tasks[i]);
	free(t->tasks);
	free(t->lanes);
	free(t->pub);
	free(t->totals);
	free(t);
}

const struct input *timeline_input(const struct timeline *t)
{
	return t->in;
}

const struct timeline_lane *timeline_lanes(const struct timeline *t, size_t *ret_n)
{
	*ret_n = t->n_lanes;
	return t->pub;
}

const struct timeline_totals *timeline_totals(const struct timeline *t, unsigned machine)
{
	return &t->totals[machine];
}

uint64_t timeline_first_ticks(const struct timeline *t)
{
	return t->first_ticks;
}
