// SPDX-License-Identifier: GPL-2.0-or-later
/* The merged timeline against the truth. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "verify.h"

#define UNKNOWN UINT64_MAX /* before the first entry or exit, and since a loss on the host */

static void note_windows(struct verify *v, const struct truth_lane *l)
{
	array_for_each(e, &l->events) {
		if (e->flags & T_LOST)
			continue;
		if (e->kind == T_ENTRY)
			v->has_entry[e->window] = true;
		if (e->kind == T_EXIT)
			v->has_exit[e->window] = true;
	}
}

/* Where the switch that left a window is lost, so may be an exit and an entry. */
static void note_holes(struct verify *v, const struct truth_lane *l)
{
	array_for_each(e, &l->events)
		if (e->flags & T_LOST && e->kind == T_SWITCH)
			v->has_exit[e->window] = false;
}

static const struct truth_lane *find_lane(const struct world *w, const struct input *in,
					  const struct timeline_lane *l)
{
	const char *name = in->machines.v[l->machine].name;

	if (!l->machine)
		return l->cpu >= w->host_cpus ? NULL
		       : *l->buffer	      ? &w->instance[l->cpu]
					      : &w->host[l->cpu];
	for (unsigned i = 0; i < w->n_vms; i++)
		if (!strcmp(w->vms[i].name, name) && l->cpu < w->vms[i].n)
			return &w->vms[i].lanes[l->cpu];
	return NULL;
}

static void windows_unknown(struct verify *v)
{
	for (unsigned i = 0; i < VMS_MAX * VCPUS_MAX; i++)
		if (!v->open[i / VCPUS_MAX][i % VCPUS_MAX])
			v->open[i / VCPUS_MAX][i % VCPUS_MAX] = UNKNOWN;
}

static int begin(void *state, const struct timeline *t)
{
	struct verify *v = state;
	const struct timeline_lane *lanes = timeline_lanes(t, &v->n_lanes);

	v->lanes = calloc(v->n_lanes + 1, sizeof(*v->lanes));
	v->has_entry = calloc(v->w->windows + 1, 1);
	v->has_exit = calloc(v->w->windows + 1, 1);
	if (!v->lanes || !v->has_entry || !v->has_exit)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_lanes; i++) {
		v->lanes[i].lane = find_lane(v->w, timeline_input(t), &lanes[i]);
		if (!v->lanes[i].lane)
			fault(v, "no such lane: machine %u CPU %u", lanes[i].machine, lanes[i].cpu);
	}
	for (unsigned i = 0; i < v->w->host_cpus; i++)
		note_windows(v, &v->w->host[i]);
	for (unsigned i = 0; i < v->w->host_cpus; i++)
		note_holes(v, &v->w->host[i]);
	windows_unknown(v);
	return 0;
}

static void check_content(struct verify *v, const struct event *ev, const struct truth_event *e)
{
	if (strcmp(ev->kind->name, payload_name(e->kind)))
		fault(v, "%s instead of %s at %" PRIu64, ev->kind->name, payload_name(e->kind),
		      e->ticks);
	else if (ev->size != e->size || memcmp(ev->data, e->data, e->size))
		fault(v, "%s at %" PRIu64 " has other bytes", ev->kind->name, e->ticks);
	else if (ev->raw_ticks != e->stamp && !(e->flags & (T_CLAMPED | T_INTERRUPTED)))
		fault(v, "%s at %" PRIu64 " has stamp %" PRIu64 " instead of %" PRIu64,
		      ev->kind->name, e->ticks, ev->raw_ticks, e->stamp);
}

static bool stepped_back(const struct world *w, const struct truth_event *e)
{
	if (!e->machine)
		return false;
	array_for_each(step, &w->vms[e->vm].vcpus[e->vcpu].steps)
		if (step->by < 0)
			return true;
	return false;
}

/* Where the event behind it is, of which the stamp is known. */
static bool is_at_next(const struct event *ev, const struct truth_event *e)
{
	return ev->ticks + ev->width >= e->lo && ev->ticks <= e[1].hi;
}

/* Exact where order and stamp tell; else within bounds, and said to be doubtful. */
static void check_ticks(struct verify *v, const struct event *ev, const struct truth_event *e)
{
	uint64_t high = ev->ticks + ev->width;

	if (e->flags & T_INTERRUPTED) {
		v->interrupted++;
		if (!ev->doubtful || !is_at_next(ev, e))
			fault(v,
			      "machine %u CPU %u: interrupted %s at %" PRIu64 " is put at %" PRIu64,
			      e->machine, e->cpu, ev->kind->name, e->ticks, ev->ticks);
		return;
	}
	v->clamped += (e->flags & T_CLAMPED) != 0;
	v->ambiguous += (e->flags & T_AMBIGUOUS) != 0;
	if (ev->ticks <= e->lo && high >= e->hi && ev->doubtful &&
	    ((e->flags & T_CLAMPED) || stepped_back(v->w, e)))
		v->bounded++;
	else if (ev->ticks == e->lo && high == e->hi && !ev->doubtful)
		v->exact++;
	else
		fault(v,
		      "machine %u CPU %u %s at %" PRIu64 " is put at [%" PRIu64 ",%" PRIu64 "]%s%s",
		      e->machine, e->cpu, ev->kind->name, e->ticks, ev->ticks, high,
		      ev->doubtful ? " doubtful" : "", e->flags & T_CLAMPED ? " clamped" : "");
}

static void check_order(struct verify *v, const struct event *ev, const struct truth_event *e)
{
	if (ev->ticks < v->last)
		fault(v, "output goes back from %" PRIu64 " to %" PRIu64, v->last, ev->ticks);
	v->last = ev->ticks;
	if (ev->doubtful)
		return;
	if (e->hi < v->latest_lo) {
		v->misordered++;
		fault(v, "%s at %" PRIu64 " comes after an event of %" PRIu64, ev->kind->name,
		      e->ticks, v->latest_lo);
	}
	if (e->lo > v->latest_lo)
		v->latest_lo = e->lo;
}

static void check_window(struct verify *v, const struct event *ev, const struct truth_event *e)
{
	uint64_t *open;

	if (!e->window || e->vm < 0)
		return;
	open = &v->open[e->vm][e->vcpu];
	if (e->kind == T_ENTRY)
		*open = e->window;
	else if (e->kind == T_EXIT)
		*open = 0;
	else if (v->has_entry[e->window] && v->has_exit[e->window] && *open != UNKNOWN &&
		 !ev->doubtful) {
		v->whole++;
		/* of two windows that meet in one tick either may be said */
		if (!*open)
			fault(v, "guest event at %" PRIu64 " lies outside its window", e->ticks);
	}
}

static void check_record(struct verify *v, const struct event *ev)
{
	struct lane_state *l = &v->lanes[ev->lane];
	const struct truth_event *e;

	while (l->next < l->lane->events.n && l->lane->events.v[l->next].flags & T_LOST)
		l->next++;
	v->events++;
	if (l->next == l->lane->events.n) {
		fault(v, "machine %u CPU %u: one event too many", ev->machine, ev->cpu);
		return;
	}
	if (l->gap < l->lane->gaps.n && l->lane->gaps.v[l->gap].before <= l->next) {
		fault(v, "machine %u CPU %u: a gap before event %zu is not shown", ev->machine,
		      ev->cpu, l->next);
		l->gap++;
	}
	e = &l->lane->events.v[l->next++];
	check_content(v, ev, e);
	check_ticks(v, ev, e);
	check_order(v, ev, e);
	check_window(v, ev, e);
}

static void check_lost(struct verify *v, const struct event *ev)
{
	struct lane_state *l = &v->lanes[ev->lane];
	const struct truth_gap *g;
	size_t next = l->next;

	if (!ev->machine)
		windows_unknown(v);
	while (next < l->lane->events.n && l->lane->events.v[next].flags & T_LOST)
		next++;
	/* of gaps without a number one may have been at the end */
	if (l->gap == l->lane->gaps.n && next == l->lane->events.n && ev->lost == UINT64_MAX)
		return;
	if (l->gap == l->lane->gaps.n || l->lane->gaps.v[l->gap].before != next) {
		fault(v, "machine %u CPU %u: a gap at %" PRIu64 " that was none", ev->machine,
		      ev->cpu, ev->ticks);
		return;
	}
	g = &l->lane->gaps.v[l->gap++];
	if (ev->lost != g->lost)
		fault(v, "machine %u CPU %u: %" PRIu64 " events lost instead of %" PRIu64,
		      ev->machine, ev->cpu, ev->lost, g->lost);
}

/* Events of one tick in different lanes: the host's but kvm_exit, guests', kvm_exit; within these by
 * lane. What follows in the lane of the event before was not yet at its turn. */
static void check_tie(struct verify *v, const struct event *ev)
{
	bool is_exit = ev->type == EVENT_RECORD && !strcmp(ev->kind->name, "kvm_exit");
	int rank = ev->machine ? 1 : is_exit ? 2 : 0;

	if (v->prev.any && ev->ticks == v->prev.ticks && ev->lane != v->prev.lane) {
		v->ties++;
		if (rank < v->prev.rank || (rank == v->prev.rank && ev->lane < v->prev.lane))
			fault(v, "tie at %" PRIu64 ": lane %u comes after lane %u", ev->ticks,
			      ev->lane, v->prev.lane);
	}
	v->prev.ticks = ev->ticks;
	v->prev.lane = ev->lane;
	v->prev.rank = rank;
	v->prev.any = true;
}

static int batch(void *state, const struct event *ev, size_t n)
{
	struct verify *v = state;

	for (size_t i = 0; i < n; i++) {
		check_tie(v, &ev[i]);
		if (!v->lanes[ev[i].lane].lane)
			continue;
		if (ev[i].type == EVENT_LOST)
			check_lost(v, &ev[i]);
		else
			check_record(v, &ev[i]);
	}
	return 0;
}

static int end(void *state)
{
	struct verify *v = state;

	for (size_t i = 0; i < v->n_lanes; i++) {
		struct lane_state *l = &v->lanes[i];
		size_t missing = 0;

		for (; l->lane && l->next < l->lane->events.n; l->next++)
			missing += !(l->lane->events.v[l->next].flags & T_LOST);
		if (missing)
			fault(v, "lane %zu: %zu events missing", i, missing);
	}
	return 0;
}

const struct consumer compare_consumer = {"compare", begin, batch, end};
