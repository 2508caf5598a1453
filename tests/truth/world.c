// SPDX-License-Identifier: GPL-2.0-or-later
/* The simulation: in order of time, one action of one vCPU or of the rest of the host. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "truth.h"

typedef unsigned __int128 u128;

enum { OUT, ON_CPU, IN_GUEST };

#define MSR_TSC_DEADLINE 0x6e0
#define EXIT_HLT	 0x78
#define USER_HLT	 5

uint64_t map_forward(const struct truth_map *m, uint64_t host_ticks)
{
	return (uint64_t)(((u128)host_ticks * m->ratio) >> m->frac) + m->offset;
}

const struct truth_epoch *epoch_of(const struct truth_vcpu *v, uint64_t host_ticks)
{
	const struct truth_epoch *e = v->epochs.v;

	for (size_t i = 1; i < v->epochs.n && v->epochs.v[i].from <= host_ticks; i++)
		e = &v->epochs.v[i];
	return e;
}

static const struct truth_map *map_now(const struct truth_vcpu *v)
{
	return &v->epochs.v[v->epochs.n - 1].map;
}

int epoch_add(struct truth_vcpu *v, uint64_t from, struct truth_map m)
{
	struct truth_epoch *e = array_add(&v->epochs);

	if (!e)
		return -ENOMEM;
	*e = (struct truth_epoch){from, m};
	return 0;
}

uint64_t step_ticks(struct world *w, uint64_t mean)
{
	uint64_t d = rnd_below(w, 2 * mean * w->pace + 1);
	uint64_t span = w->end - w->begin,
		 most = 5000 * 1200 * w->pace; /* large worlds are dense too */

	if (rnd_one_in(w, 100))
		d += rnd_below(w, (span < most ? span : most) / 20);
	return d / w->grain * w->grain;
}

/* --- events --- */

static struct truth_event *emit(struct world *w, struct truth_lane *l, struct truth_event e)
{
	struct truth_event *p = array_add(&l->events);

	if (p)
		*p = e;
	return p;
}

static struct truth_lane *host_lane(struct world *w, int cpu, enum truth_kind kind)
{
	return w->form.instance && kind == T_WAKING ? &w->instance[cpu] : &w->host[cpu];
}

static int host_event(struct world *w, uint64_t at, int cpu, int vm, int vcpu, struct truth_event e,
		      int pid, uint64_t a, uint64_t b)
{
	e.ticks = e.lo = e.hi = e.stamp = at;
	e.cpu = (uint16_t)cpu;
	e.vm = (int8_t)vm;
	e.vcpu = (int8_t)(vm < 0 ? -1 : vcpu);
	if (at < w->host_from || at > w->host_to)
		return 0;
	payload_fill(&e, pid, a, b);
	return emit(w, host_lane(w, cpu, e.kind), e) ? 0 : -ENOMEM;
}

#define EVENT(k, ...) ((struct truth_event){.kind = (k), ##__VA_ARGS__})

/* state: of the thread that leaves, as the kernel traces it; window: of the guest that it leaves
 * before kvm_exit, or 0 */
static int switch_to(struct world *w, uint64_t at, int cpu, int tid, uint64_t state,
		     uint64_t window)
{
	int prev = w->running[cpu];

	w->running[cpu] = tid;
	return host_event(w, at, cpu, -1, 0, EVENT(T_SWITCH, .window = window), prev,
			  (uint64_t)prev, (uint64_t)tid | state << 32);
}

static int turn(struct truth_vcpu *v, uint64_t at, enum truth_doing doing)
{
	struct truth_turn *t;

	if (v->turns.n && v->turns.v[v->turns.n - 1].doing == doing)
		return 0;
	t = array_add(&v->turns);
	if (!t)
		return -ENOMEM;
	*t = (struct truth_turn){at, doing};
	return 0;
}

/* By the tick, not by chance: other choices stay what they are. */
static unsigned pick(const struct truth_vcpu *v, unsigned n)
{
	return (unsigned)((v->at + (unsigned)v->tid) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % n;
}

/* Host ticks with the same stamp in the same epoch. */
static void find_interval(struct truth_event *e, const struct truth_epoch *ep)
{
	e->lo = e->hi = e->ticks;
	while (e->lo > ep->from && map_forward(&ep->map, e->lo - 1) == e->stamp)
		e->lo--;
	while (e->hi < UINT64_MAX && map_forward(&ep->map, e->hi + 1) == e->stamp)
		e->hi++;
}

static int guest_event(struct world *w, struct truth_vm *vm, struct truth_vcpu *v)
{
	static const uint8_t kinds[] = {T_SWITCH, T_WAKING, T_IRQ, T_PRINT, T_SWITCH};
	struct truth_event e = {
		.kind = kinds[rnd_below(w, ARRAY_SIZE(kinds))],
		.ticks = v->at,
		.window = v->window,
		.machine = (uint16_t)(vm - w->vms + 1),
		.vm = (int8_t)(vm - w->vms),
		.cpu = (uint16_t)v->guest_cpu,
		.vcpu = (int8_t)(v - vm->vcpus),
		.stamp = map_forward(map_now(v), v->at),
	};

	uint64_t a = rnd_below(w, 1 << 16), b = rnd_below(w, 50);
	int pid = v->task;

	if (v->vector) { /* an interrupt comes before all else */
		e.kind = T_VECTOR;
		a = v->vector;
		v->vector = 0;
	} else if (v->msr) {
		e.kind = T_WRMSR;
		a = MSR_TSC_DEADLINE;
		b = v->msr_value;
		v->msr = false;
	}
	if (e.kind == T_SWITCH) {
		a = (uint64_t)v->task;
		v->task = rnd_one_in(w, 2) ? 0 : 100 + (int)rnd_below(w, 50);
		b = (uint64_t)v->task | (a % 3) << 32;
	}
	find_interval(&e, &v->epochs.v[v->epochs.n - 1]);
	v->guest_at = v->at;
	if (v->at < vm->from || v->at > vm->to)
		return 0;
	payload_fill(&e, pid, a, b);
	return emit(w, &vm->lanes[v->guest_cpu], e) ? 0 : -ENOMEM;
}

/* The vCPU's thread, or in a session another thread of the VMM, writes the offset. */
static int write_offset(struct world *w, struct truth_vm *vm, struct truth_vcpu *v, int64_t by)
{
	int vmi = (int)(vm - w->vms), pid = v->tid;
	struct truth_map m = *map_now(v);
	struct truth_event e = EVENT(T_OFFSET);
	uint64_t before = m.offset;

	m.offset += (uint64_t)by;
	if (w->session && rnd_one_in(w, 4))
		pid = vm->pid;
	e.ticks = e.lo = e.hi = e.stamp = v->at;
	e.cpu = (uint16_t)v->host_cpu;
	e.vm = (int8_t)vmi;
	e.vcpu = (int8_t)(v - vm->vcpus);
	payload_fill(&e, pid, before, m.offset);
	memcpy(e.data + 8, &v->id, 4);
	/* a session has an instance for these alone, which runs all the time; host.dat may have
	 * them too */
	if (w->session && !emit(w, &w->offsets[v->host_cpu], e))
		return -ENOMEM;
	if ((!w->session || vmi % 2) && v->at >= w->host_from && v->at <= w->host_to &&
	    !emit(w, &w->host[v->host_cpu], e))
		return -ENOMEM;
	return epoch_add(v, v->at, m);
}

/* No guest instruction has the tick of a write: the vCPU is out of the guest, and entries and exits
 * take time. */
static bool step_is_due(const struct world *w, const struct truth_vcpu *v)
{
	/* without a session only the host's file tells of it */
	if (!w->session && (v->at < w->host_from || v->at > w->host_to))
		return false;
	return v->step < v->steps.n && v->steps.v[v->step].at <= v->at && v->at > v->guest_at;
}

static int find_cpu(struct world *w)
{
	unsigned first = (unsigned)rnd_below(w, w->host_cpus);

	for (unsigned i = 0; i < w->host_cpus; i++) {
		int c = (int)((first + i) % w->host_cpus);

		if (w->running[c] < 1000) /* no vCPU thread there */
			return c;
	}
	return -1;
}

/* Whoever is on that CPU wakes it. */
static int wake(struct world *w, struct truth_vcpu *v, int cpu)
{
	int r = turn(v, v->at, DOES_WAITING);

	if (!r)
		r = host_event(w, v->at, cpu, -1, 0, EVENT(T_WAKING), w->running[cpu],
			       (uint64_t)v->tid, (uint64_t)cpu);
	v->woken = true;
	v->at += w->grain * (1 + pick(v, 50));
	return r;
}

static int run_out(struct world *w, struct truth_vm *vm, struct truth_vcpu *v)
{
	int cpu = find_cpu(w), r;

	if (v->left && w->running[v->host_cpu] < 1000) /* check wants entry and exit on one CPU */
		cpu = v->host_cpu;
	else if (v->left)
		cpu = -1;
	if (cpu < 0) {
		v->at += w->grain + step_ticks(w, 5000);
		return 0;
	}
	if (v->sleeps && !v->woken)
		return wake(w, v, cpu);
	v->host_cpu = cpu;
	v->state = ON_CPU;
	if (!v->left)
		v->todo = (int)rnd_below(w, 3);
	r = turn(v, v->at, v->in_vmm ? DOES_VMM : DOES_KVM);
	if (!r)
		r = switch_to(w, v->at, cpu, v->tid, 0, 0);
	v->at += w->grain; /* a switch takes time */
	return r;
}

/* Off the CPU; the thread can still run, or sleeps. */
static int go_out(struct world *w, struct truth_vcpu *v, bool sleeps)
{
	bool halts = v->in_vmm ? v->user_reason == USER_HLT : v->exit_reason == EXIT_HLT;
	int r = turn(v, v->at, !sleeps ? DOES_PREEMPTED : halts ? DOES_HALTED : DOES_BLOCKED);

	v->state = OUT;
	v->sleeps = sleeps;
	v->woken = false;
	if (!r)
		r = switch_to(w, v->at, v->host_cpu, (int)rnd_below(w, 20),
			      sleeps ? 1 + pick(v, 2) : pick(v, 2) * 0x100,
			      v->left ? v->window : 0);
	v->at += w->grain;
	return r;
}

static int enter(struct world *w, struct truth_vm *vm, struct truth_vcpu *v)
{
	int r = turn(v, v->at, DOES_GUEST);

	if (r)
		return r;
	v->in_vmm = false;
	v->window = ++w->windows;
	v->state = IN_GUEST;
	v->todo = (int)rnd_below(w, 8);
	w->in_guest[v->host_cpu] = true;
	return host_event(w, v->at, v->host_cpu, (int)(vm - w->vms), (int)(v - vm->vcpus),
			  EVENT(T_ENTRY, .window = v->window), v->tid, v->id, 0);
}

/* What KVM does between exit and entry. */
static int host_action(struct world *w, struct truth_vm *vm, struct truth_vcpu *v)
{
	static const uint8_t kinds[] = {T_USERSPACE, T_MSR, T_INJ};
	uint8_t kind = kinds[rnd_below(w, ARRAY_SIZE(kinds))];
	uint64_t a = rnd_below(w, 11), b = rnd(w);
	int r;

	v->in_vmm = kind == T_USERSPACE;
	if (v->in_vmm)
		v->user_reason = (unsigned)a;
	r = turn(v, v->at, v->in_vmm ? DOES_VMM : DOES_KVM);
	if (r)
		return r;
	if (kind == T_INJ) {
		a = v->vector = 0xec + (unsigned)rnd_below(w, 4);
	} else if (kind == T_MSR) {
		a = MSR_TSC_DEADLINE;
		v->msr_value = b;
		v->msr = true;
	}
	return host_event(w, v->at, v->host_cpu, (int)(vm - w->vms), (int)(v - vm->vcpus),
			  EVENT(kind), v->tid, a, b);
}

static int leave(struct world *w, struct truth_vm *vm, struct truth_vcpu *v)
{
	static const unsigned reasons[] = {0x60, 0x7b, 0x7c, 0x400};
	unsigned reason = reasons[rnd_below(w, ARRAY_SIZE(reasons))];
	int r = turn(v, v->at, DOES_KVM);

	v->left = false;
	v->state = ON_CPU;
	v->todo = (int)rnd_below(w, 3);
	w->in_guest[v->host_cpu] = false;
	if (!v->task && rnd_one_in(w, 2)) /* only the idle task halts */
		reason = EXIT_HLT;
	v->exit_reason = reason;
	if (!r)
		r = host_event(w, v->at, v->host_cpu, (int)(vm - w->vms), (int)(v - vm->vcpus),
			       EVENT(T_EXIT, .window = v->window), v->tid, v->id, reason);
	v->at += w->grain; /* handling it takes time */
	return r;
}

static int run_on_cpu(struct world *w, struct truth_vm *vm, struct truth_vcpu *v)
{
	int r;

	if (v->left) {
		r = leave(w, vm, v);
	} else if (step_is_due(w, v)) {
		r = write_offset(w, vm, v, v->steps.v[v->step++].by);
		v->at += w->grain;
	} else if (v->todo-- > 0) {
		r = host_action(w, vm, v);
	} else if (rnd_one_in(w, 6)) { /* off the CPU, perhaps to another one */
		r = go_out(w, v, pick(v, 3));
	} else {
		r = enter(w, vm, v);
	}
	return r;
}

static int run_in_guest(struct world *w, struct truth_vm *vm, struct truth_vcpu *v)
{
	if (v->left) {
		w->in_guest[v->host_cpu] = false;
		return go_out(w, v, false);
	}
	if (v->todo-- > 0)
		return guest_event(w, vm, v);
	if (pick(v, 8))
		return leave(w, vm, v);
	/* AMD before Linux 6.3 handles the host's interrupt before it traces kvm_exit; not in the
	 * tick of the last guest event */
	v->left = true;
	v->at += w->grain;
	return 0;
}

static int run_vcpu(struct world *w, struct truth_vm *vm, struct truth_vcpu *v)
{
	int was = v->state;
	int r = was == OUT	? run_out(w, vm, v)
		: was == ON_CPU ? run_on_cpu(w, vm, v)
				: run_in_guest(w, vm, v);

	v->at += step_ticks(w, 3000);
	/* At ratio != 1 a stamp stands for several ticks: no guest runs so shortly after entry that
	 * they overlap (an entry takes hundreds of ticks). */
	if (map_now(v)->ratio != UINT64_C(1) << map_now(v)->frac &&
	    (v->state == IN_GUEST || was == IN_GUEST))
		v->at += w->grain > 8 ? w->grain : 8;
	return r;
}

/* Something else on the host: never on a CPU that runs a guest. */
static int run_rest(struct world *w, uint64_t at)
{
	int cpu = (int)rnd_below(w, w->host_cpus), task = (int)rnd_below(w, 20);

	if (w->in_guest[cpu])
		return 0;
	return host_event(w, at, cpu, -1, 0, EVENT(T_WAKING), w->running[cpu], (uint64_t)task,
			  rnd_below(w, w->host_cpus));
}

int simulate(struct world *w, uint64_t rest_at)
{
	while (rest_at < w->end) {
		struct truth_vm *vm = NULL;
		struct truth_vcpu *v = NULL;
		int r;

		for (unsigned i = 0; i < w->n_vms; i++)
			for (unsigned k = 0; k < w->vms[i].n; k++)
				if (!v || w->vms[i].vcpus[k].at < v->at) {
					vm = &w->vms[i];
					v = &vm->vcpus[k];
				}
		if (v->at < rest_at) {
			r = run_vcpu(w, vm, v);
		} else {
			r = run_rest(w, rest_at);
			rest_at += step_ticks(w, 10000) + w->grain;
		}
		if (r)
			return r;
	}
	return 0;
}
