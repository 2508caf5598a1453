// SPDX-License-Identifier: GPL-2.0-or-later
/* The states and exits of vCPUs against what they did. */
#include <inttypes.h>
#include <string.h>

#include "verify.h"

static const struct truth_vcpu *vcpu_of(const struct world *w, int tid)
{
	for (unsigned i = 0; i < w->n_vms; i++)
		for (unsigned k = 0; k < w->vms[i].n; k++)
			if (w->vms[i].vcpus[k].tid == tid)
				return &w->vms[i].vcpus[k];
	return NULL;
}

/* The last turn that begins at or before the tick. */
static size_t turn_at(const struct truth_vcpu *v, uint64_t ticks)
{
	size_t lo = 0, hi = v->turns.n;

	while (hi - lo > 1) {
		size_t mid = (lo + hi) / 2;

		if (v->turns.v[mid].from <= ticks)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Where the exit was not recorded, why it sleeps cannot be known. */
static bool fits(enum truth_doing doing, enum vcpu_state state, bool exit_known)
{
	static const enum vcpu_state states[] = {
		[DOES_GUEST] = VCPU_GUEST,     [DOES_KVM] = VCPU_KVM,
		[DOES_VMM] = VCPU_VMM,	       [DOES_PREEMPTED] = VCPU_PREEMPTED,
		[DOES_WAITING] = VCPU_WAITING, [DOES_HALTED] = VCPU_HALTED,
		[DOES_BLOCKED] = VCPU_BLOCKED,
	};

	if (states[doing] == state)
		return true;
	return !exit_known && doing == DOES_HALTED && state == VCPU_BLOCKED;
}

/* Nothing in the file tells of a loss in a lane that has no events at all. */
static bool is_silent(const struct world *w)
{
	const struct truth_lane *lanes[] = {w->host, w->instance};

	for (unsigned i = 0; i < 2 * w->host_cpus; i++) {
		const struct truth_lane *l = &lanes[i % 2][i / 2];
		size_t lost = 0;

		array_for_each(e, &l->events)
			lost += e->flags & T_LOST;
		if (lost && lost == l->events.n)
			return true;
	}
	return false;
}

static int on_slice(void *state, const struct vcpu_slice *s)
{
	struct verify *v = state;
	const struct truth_vcpu *t = vcpu_of(v->w, s->vcpu->tid);

	if (!t) {
		fault(v, "a slice of no vCPU");
		return 0;
	}
	if (s->state == VCPU_UNKNOWN || v->silent) {
		v->unknown += s->to_ticks - s->from_ticks;
		return 0;
	}
	v->states += s->to_ticks - s->from_ticks;
	for (size_t i = turn_at(t, s->from_ticks);
	     i < t->turns.n && t->turns.v[i].from < s->to_ticks; i++)
		if (!fits(t->turns.v[i].doing, s->state, s->isa))
			fault(v,
			      "thread %d does %d from %" PRIu64 " on, not %s in %" PRIu64
			      " .. %" PRIu64,
			      t->tid, (int)t->turns.v[i].doing, t->turns.v[i].from,
			      exits_state_name(s->state), s->from_ticks, s->to_ticks);
	return 0;
}

static uint64_t ticks_doing(const struct truth_vcpu *t, enum truth_doing doing, uint64_t from,
			    uint64_t to)
{
	uint64_t sum = 0;

	for (size_t i = turn_at(t, from); i < t->turns.n && t->turns.v[i].from < to; i++) {
		uint64_t a = t->turns.v[i].from < from ? from : t->turns.v[i].from;
		uint64_t b = i + 1 < t->turns.n && t->turns.v[i + 1].from < to
				     ? t->turns.v[i + 1].from
				     : to;

		if (t->turns.v[i].doing == doing)
			sum += b - a;
	}
	return sum;
}

static int on_vm_exit(void *state, const struct vcpu_exit *e)
{
	static const enum truth_doing doing[VCPU_STATES] = {
		[VCPU_GUEST] = DOES_GUEST,     [VCPU_KVM] = DOES_KVM,
		[VCPU_VMM] = DOES_VMM,	       [VCPU_PREEMPTED] = DOES_PREEMPTED,
		[VCPU_WAITING] = DOES_WAITING, [VCPU_HALTED] = DOES_HALTED,
		[VCPU_BLOCKED] = DOES_BLOCKED,
	};
	struct verify *v = state;
	const struct truth_vcpu *t = vcpu_of(v->w, e->vcpu->tid);
	uint64_t sum = 0;

	for (int i = 0; i < VCPU_STATES; i++)
		sum += e->state_ticks[i];
	if (!t || sum != e->entry_ticks - e->exit_ticks) {
		fault(v, "the parts of the exit at %" PRIu64 " are not the whole", e->exit_ticks);
		return 0;
	}
	for (int i = VCPU_GUEST; i < VCPU_STATES && !e->state_ticks[VCPU_UNKNOWN] && !v->silent;
	     i++) {
		uint64_t want = ticks_doing(t, doing[i], e->exit_ticks, e->entry_ticks);

		if (e->state_ticks[i] != want)
			fault(v, "exit at %" PRIu64 ": %" PRIu64 " ticks %s, not %" PRIu64,
			      e->exit_ticks, e->state_ticks[i], exits_state_name(i), want);
	}
	v->vm_exits += e->complete;
	return 0;
}

const struct exits_ops states_ops = {on_slice, on_vm_exit};

void states_begin(struct verify *v)
{
	v->silent = is_silent(v->w);
}

/* Events of the thread in the host's file. */
static uint64_t count(const struct world *w, const struct truth_vcpu *t, enum truth_kind kind,
		      uint64_t *ret_first)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < w->host_cpus; i++)
		array_for_each(e, &w->host[i].events) {
			int pid;

			memcpy(&pid, e->data + 4, 4);
			if (pid != t->tid || e->kind != kind || e->flags & T_LOST)
				continue;
			n++;
			if (e->ticks < *ret_first)
				*ret_first = e->ticks;
		}
	return n;
}

static bool has_loss(const struct world *w)
{
	for (unsigned i = 0; i < w->host_cpus; i++)
		if (w->host[i].gaps.n || w->instance[i].gaps.n)
			return true;
	return false;
}

/* Without a loss nothing is unknown but what comes before the vCPU's first kvm_entry or kvm_exit. */
static void check_vcpu(struct verify *v, const struct exits_result *r, const struct exits_vcpu *x)
{
	const struct truth_vcpu *t = vcpu_of(v->w, x->vcpu->tid);
	uint64_t first = r->to_ticks, sum = 0, exits, entries;

	if (!t)
		return;
	exits = count(v->w, t, T_EXIT, &first);
	entries = count(v->w, t, T_ENTRY, &first);
	for (int i = 0; i < VCPU_STATES; i++)
		sum += x->ticks[i];
	if (sum != r->to_ticks - r->from_ticks)
		fault(v, "thread %d: states of %" PRIu64 " ticks in %" PRIu64, t->tid, sum,
		      r->to_ticks - r->from_ticks);
	if (x->exits != exits || x->entries != entries)
		fault(v,
		      "thread %d: %" PRIu64 " exits and %" PRIu64 " entries, not %" PRIu64
		      " and %" PRIu64,
		      t->tid, x->exits, x->entries, exits, entries);
	if (has_loss(v->w))
		return;
	if (x->unpaired)
		fault(v, "thread %d: %" PRIu64 " contradictions", t->tid, x->unpaired);
	if (x->ticks[VCPU_UNKNOWN] > first - r->from_ticks)
		fault(v,
		      "thread %d: %" PRIu64 " ticks are unknown, %" PRIu64
		      " before its first event",
		      t->tid, x->ticks[VCPU_UNKNOWN], first - r->from_ticks);
}

void check_states(struct verify *v, const struct exits_result *r)
{
	for (size_t i = 0; i < r->n_vcpus; i++)
		if (r->vcpus[i].vcpu->tid > 0)
			check_vcpu(v, r, &r->vcpus[i]);
}
