// SPDX-License-Identifier: GPL-2.0-or-later
/* From the timeline to the state machine of each vCPU. */
#include "insight/exits.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "insight/exitkinds.h"
#include "insight/exitnames.h"
#include "insight/threads.h"
#include "insight/vcputrack.h"
#include "timeline/timeline.h"

struct vcpu { /* one vCPU */
	struct vcputrack track;
	struct exits *exits;
	bool wanted;
	bool guest_seen; /* it had an event since kvm_entry */
	int guest_pid;
	int comm_pid; /* whose name guest_comm is */
	char guest_comm[TRACK_COMM];
};

struct guest { /* by machine */
	const struct source_kind *sched_switch;
	const struct source_field *next_pid, *next_comm;
};

struct exits {
	const struct exits_ops *ops;
	void *state;
	const char *vm;
	const struct input *in;
	struct threads threads;
	struct vcpu *vcpus;
	struct exits_vcpu *sums;
	size_t n_vcpus;
	struct vcpu **by_lane; /* guests' lanes */
	struct guest *guests;
	struct exitkinds kinds;
	struct exitnames *names;
	bool begun;
	struct exits_result result;
};

const char *exits_state_name(enum vcpu_state s)
{
	static const char *const names[VCPU_STATES] = {"unknown",   "guest",   "KVM",	 "VMM",
						       "preempted", "waiting", "halted", "blocked"};

	return s < VCPU_STATES ? names[s] : "?";
}

/* --- what the state machines hand out --- */

static int on_slice(void *arg, struct vcpu_slice *s)
{
	struct vcpu *v = arg;
	struct exits *e = v->exits;

	if (!e->ops->slice)
		return 0;
	s->index = (size_t)(v - e->vcpus);
	s->machine = v->track.sum->machine;
	s->vcpu = v->track.sum->vcpu;
	s->reason_text = exitnames_exit(e->names, s->isa, s->reason);
	s->user_text = exitnames_user(e->names, s->user_reason);
	return e->ops->slice(e->state, s);
}

/* The guest's own names of pids come from its file when no switch to them was seen. */
static const char *guest_comm(struct vcpu *v, int pid)
{
	const struct input_machine *m = &v->exits->in->machines.v[v->track.sum->machine];
	const char *name;

	if (pid < 0 || v->comm_pid == pid)
		return pid < 0 ? "" : v->guest_comm;
	name = m->source ? source_comm(m->source, pid) : NULL;
	return name ?: pid ? "" : "swapper";
}

static int on_vm_exit(void *arg, struct vcpu_exit *x)
{
	struct vcpu *v = arg;
	struct exits *e = v->exits;

	if (!e->ops->vm_exit)
		return 0;
	x->index = (size_t)(v - e->vcpus);
	x->machine = v->track.sum->machine;
	x->vcpu = v->track.sum->vcpu;
	x->reason_text = exitnames_exit(e->names, x->isa, x->reason);
	x->user_text = exitnames_user(e->names, x->user_reason);
	x->guest_comm = guest_comm(v, x->guest_pid);
	return e->ops->vm_exit(e->state, x);
}

static const struct track_ops track_ops = {on_slice, on_vm_exit};

/* --- set-up --- */

static int add_vcpus(struct exits *e)
{
	struct vcpu *v;
	int r = threads_init(&e->threads, e->in, &e->n_vcpus);

	if (r)
		return r;
	e->vcpus = calloc(e->n_vcpus + 1, sizeof(*e->vcpus));
	e->sums = calloc(e->n_vcpus + 1, sizeof(*e->sums));
	if (!e->vcpus || !e->sums)
		return -ENOMEM;
	v = e->vcpus;
	array_for_each(m, &e->in->machines)
		array_for_each(x, &m->vcpus) {
			struct exits_vcpu *sum = &e->sums[v - e->vcpus];

			*sum = (struct exits_vcpu){.machine = (uint16_t)(m - e->in->machines.v),
						   .vcpu = x};
			v->exits = e;
			v->guest_pid = v->comm_pid = -1;
			v->wanted = x->tid > 0 && (!e->vm || !fnmatch(e->vm, m->name, 0));
			track_init(&v->track, &track_ops, v, sum);
			v++;
		}
	e->result.vcpus = e->sums;
	e->result.n_vcpus = e->n_vcpus;
	return 0;
}

static int add_lanes(struct exits *e, const struct timeline *t)
{
	size_t n;
	const struct timeline_lane *lanes = timeline_lanes(t, &n);

	e->by_lane = calloc(n + 1, sizeof(*e->by_lane));
	e->guests = calloc(e->in->machines.n + 1, sizeof(*e->guests));
	if (!e->by_lane || !e->guests)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < e->n_vcpus && lanes[i].vcpu; k++)
			if (e->sums[k].vcpu == lanes[i].vcpu &&
			    !e->in->machines.v[lanes[i].machine].is_text)
				e->by_lane[i] = &e->vcpus[k];
	for (size_t i = 0; i < e->in->machines.n; i++) {
		const struct input_machine *m = &e->in->machines.v[i];
		struct guest *g = &e->guests[i];

		if (!m->is_guest || !m->source)
			continue;
		g->sched_switch = source_kind_find(m->source, "sched", "sched_switch");
		if (!g->sched_switch)
			continue;
		g->next_pid = source_field_find(g->sched_switch, "next_pid");
		g->next_comm = source_field_find(g->sched_switch, "next_comm");
		if (!g->next_pid || !g->next_comm)
			g->sched_switch = NULL;
	}
	return 0;
}

static int begin(void *state, const struct timeline *t)
{
	struct exits *e = state;
	int r;

	e->in = timeline_input(t);
	r = exitkinds_find(&e->kinds, e->in);
	if (!r)
		r = exitnames_new(e->kinds.source, e->kinds.exit, e->kinds.user, &e->names);
	e->result.has_exits = e->kinds.entry && e->kinds.exit;
	e->result.has_user = e->kinds.user;
	e->result.has_sched = e->kinds.sched;
	if (!r)
		r = add_vcpus(e);
	for (size_t i = 0; i < e->n_vcpus && !r; i++)
		e->vcpus[i].track.has_sched = e->result.has_sched;
	return r ? r : add_lanes(e, t);
}

/* --- the pass --- */

static struct vcpu *vcpu_of(const struct exits *e, int tid)
{
	size_t i = threads_find(&e->threads, tid);

	return i == SIZE_MAX || !e->vcpus[i].wanted ? NULL : &e->vcpus[i];
}

static uint64_t field(const struct exitkind *u, int i, const struct event *ev)
{
	return source_field_u64(u->f[i], ev->data);
}

static struct track_who who(const struct source_field *comm, uint64_t pid, const struct event *ev)
{
	struct track_who w = {.pid = (int)pid};

	if (comm)
		w.comm = source_field_bytes(comm, ev->data, ev->size, &w.n);
	return w;
}

/* prev_state: bits of TASK_*, and a high one when it was preempted (TASK_REPORT_MAX, or TASK_STATE_MAX
 * before Linux 4.14; include/trace/events/sched.h). */
static enum track_off off_of(uint64_t state)
{
	if (!(state & 0xff) || state >> 8)
		return TRACK_RUNNABLE;
	return state & 0x30 ? TRACK_DEAD : TRACK_SLEEPS; /* EXIT_DEAD, EXIT_ZOMBIE */
}

static void on_switch(struct exits *e, const struct exitkind *u, const struct event *ev)
{
	uint64_t prev = field(u, 0, ev);
	uint64_t next = field(u, 1, ev);
	struct vcpu *from = vcpu_of(e, (int)prev), *to = vcpu_of(e, (int)next);
	struct track_who w;

	if (from == to)
		return;
	if (from) {
		w = who(e->kinds.next_comm, next, ev);
		track_off(&from->track, ev->ticks, ev->cpu, off_of(field(u, 2, ev)), &w);
	}
	if (to) {
		w = who(e->kinds.prev_comm, prev, ev);
		track_on(&to->track, ev->ticks, ev->cpu, &w);
	}
}

static void on_kvm_exit(struct exits *e, const struct exitkind *u, struct vcpu *v,
			const struct event *ev)
{
	struct track_exit x = {
		.isa = e->kinds.isa ? (uint32_t)source_field_u64(e->kinds.isa, ev->data)
				    : EXIT_ISA_VMX,
		.reason = (uint32_t)field(u, 0, ev),
		.rip = field(u, 1, ev),
		.info1 = field(u, 2, ev),
		.info2 = field(u, 3, ev),
		.guest_pid = v->guest_pid,
	};

	/* Linux halts in the idle task: the guest's recording has ended, or lacks events. Waiters for
	 * a paravirtual spinlock halt too (kvm_wait(), arch/x86/kernel/kvm.c); of those without an
	 * event since the entry the task is left unknown. */
	if (v->guest_pid > 0 && !v->guest_seen && track_is_halt(x.isa, x.reason) &&
	    e->guests[v->track.sum->machine].sched_switch)
		v->guest_pid = x.guest_pid = -1;
	track_exit(&v->track, ev->ticks, ev->cpu, &x);
}

/* KVM_RUN that returned an error shows the reason of an exit before: kvm_vcpu_ioctl(),
 * virt/kvm/kvm_main.c. */
static uint32_t user_reason(const struct exitkind *u, const struct event *ev)
{
	int err = (int)field(u, 1, ev);

	if (err < 0)
		return err == -EINTR ? EXIT_USER_INTR : EXIT_USER_ERROR;
	return (uint32_t)field(u, 0, ev);
}

static void on_wakeup(struct exits *e, const struct exitkind *u, struct vcpu *v,
		      const struct event *ev)
{
	uint64_t ns = field(u, 0, ev), ticks = 0;

	if (e->in->conv.mult)
		ticks = conv_from_ns(&e->in->conv, ns).lo;
	if (field(u, 1, ev) && ticks <= ev->ticks)
		track_halted(&v->track, ticks ? ev->ticks - ticks : v->track.since, ev->ticks,
			     ev->cpu);
	else
		track_kvm(&v->track, ev->ticks, ev->cpu);
}

/* What is read is traced when the VMM has it: then a region may be known already. */
static void handler(struct vcputrack *t, const char *text)
{
	if (t->state != VCPU_VMM || !*t->handler)
		track_handler(t, text);
}

static void on_access(const struct exitkind *u, struct vcpu *v, const struct event *ev)
{
	uint64_t a = field(u, 0, ev);
	uint64_t b = u->f[1] ? field(u, 1, ev) : 0;
	char text[48];

	switch (u->action) {
	case KIND_PIO:
		track_address(&v->track, EXIT_ADDRESS_PIO, b, a);
		snprintf(text, sizeof(text), "io %#llx", (unsigned long long)b);
		handler(&v->track, text);
		break;
	case KIND_MMIO: /* KVM_TRACE_MMIO_WRITE is 2 */
		track_address(&v->track, EXIT_ADDRESS_MMIO, b, a == 2);
		snprintf(text, sizeof(text), "mmio %#llx", (unsigned long long)b);
		handler(&v->track, text);
		break;
	case KIND_FAST_MMIO:
		track_address(&v->track, EXIT_ADDRESS_MMIO, a, true);
		break;
	case KIND_MSR:
		track_address(&v->track, EXIT_ADDRESS_MSR, b, a);
		break;
	default:
		track_address(&v->track, EXIT_ADDRESS_GPA, a, false);
		break;
	}
	track_kvm(&v->track, ev->ticks, ev->cpu);
}

/* The VMM reached a region by name, "virtio-pci-notify": more than an address tells. The first one of
 * a turn: devices copy memory by the same function. Spaces have names too, and regions in them. */
static void on_call(const struct exitkind *u, struct vcpu *v, const struct event *ev)
{
	struct vcputrack *t = &v->track;
	char text[64];
	const char *name;
	size_t n;

	if (t->state != VCPU_VMM ||
	    (*t->handler && strncmp(t->handler, "io ", 3) && strncmp(t->handler, "mmio ", 5)))
		return;
	name = source_field_bytes(u->text, ev->data, ev->size, &n);
	if (!name || !n)
		return;
	if (!strncmp(ev->kind->name, "vmm_region_", 11))
		snprintf(text, sizeof(text), "%.*s", (int)(n < 63 ? n : 63), name);
	else if (*t->handler)
		return; /* the port or the address is there already */
	else
		snprintf(text, sizeof(text), "%s %#llx",
			 n == 3 && !memcmp(name, "I/O", 3) ? "io" : "mmio",
			 (unsigned long long)field(u, 0, ev));
	track_handler(t, text);
}

static void on_record(struct exits *e, const struct event *ev)
{
	const struct exitkind *u = &e->kinds.v[ev->kind->index];
	struct vcpu *v;

	if (u->action == KIND_SWITCH) {
		on_switch(e, u, ev);
		return;
	}
	v = vcpu_of(e, u->action == KIND_WAKING ? (int)field(u, 0, ev)
						: source_record_pid(ev->kind, ev->data));
	if (!v)
		return;
	switch (u->action) {
	case KIND_ENTRY:
		v->guest_seen = false;
		track_entry(&v->track, ev->ticks, ev->cpu);
		break;
	case KIND_EXIT:
		on_kvm_exit(e, u, v, ev);
		break;
	case KIND_USER:
		track_user(&v->track, ev->ticks, ev->cpu, user_reason(u, ev));
		break;
	case KIND_WAKING:
		track_woken(&v->track, ev->ticks);
		break;
	case KIND_WAKEUP:
		on_wakeup(e, u, v, ev);
		break;
	case KIND_FPU:
		if (!field(u, 0, ev))
			break;
		__attribute__((fallthrough));
	case KIND_IN_KVM:
		track_kvm(&v->track, ev->ticks, ev->cpu);
		break;
	case KIND_CALL:
		on_call(u, v, ev);
		break;
	default:
		on_access(u, v, ev);
		break;
	}
}

static void host_event(struct exits *e, const struct event *ev)
{
	if (!e->begun) {
		e->begun = true;
		e->result.from_ticks = ev->ticks;
		for (size_t i = 0; i < e->n_vcpus; i++)
			if (e->vcpus[i].wanted)
				track_begin(&e->vcpus[i].track, ev->ticks);
	}
	e->result.to_ticks = ev->ticks;
	if (ev->type == EVENT_LOST) {
		for (size_t i = 0; i < e->n_vcpus; i++)
			track_lost(&e->vcpus[i].track, ev->cpu, ev->ticks, ev->end_ticks);
	} else if (e->kinds.v[ev->kind->index].action) {
		on_record(e, ev);
	}
}

static void guest_event(struct exits *e, const struct event *ev)
{
	const struct guest *g = &e->guests[ev->machine];
	struct vcpu *v = e->by_lane[ev->lane];

	if (!v)
		return;
	v->guest_seen = ev->type == EVENT_RECORD;
	if (ev->type != EVENT_RECORD) {
		v->guest_pid = -1;
	} else if (ev->kind == g->sched_switch) {
		struct track_who w = who(g->next_comm, source_field_u64(g->next_pid, ev->data), ev);
		size_t n = w.n < TRACK_COMM - 1 ? w.n : TRACK_COMM - 1;

		v->guest_pid = v->comm_pid = w.pid;
		memset(v->guest_comm, 0, sizeof(v->guest_comm));
		if (w.comm)
			memcpy(v->guest_comm, w.comm, n);
	} else {
		v->guest_pid = source_record_pid(ev->kind, ev->data);
	}
}

static int batch(void *state, const struct event *ev, size_t n)
{
	struct exits *e = state;

	for (size_t i = 0; i < n; i++)
		if (e->in->machines.v[ev[i].machine].is_guest)
			guest_event(e, &ev[i]);
		else if (!ev[i].machine && e->kinds.v)
			host_event(e, &ev[i]);
	for (size_t i = 0; i < e->n_vcpus; i++)
		if (e->vcpus[i].track.err)
			return e->vcpus[i].track.err;
	return 0;
}

static int end(void *state)
{
	struct exits *e = state;
	int r = 0;

	for (size_t i = 0; i < e->n_vcpus; i++) {
		track_end(&e->vcpus[i].track, e->result.to_ticks);
		if (!r)
			r = e->vcpus[i].track.err;
	}
	return r;
}

const struct consumer exits_consumer = {
	.name = "exits", .begin = begin, .batch = batch, .end = end};

int exits_new(const struct exits_ops *ops, void *state, struct exits **ret)
{
	struct exits *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->ops = ops;
	e->state = state;
	*ret = e;
	return 0;
}

void exits_limit(struct exits *e, const char *vm)
{
	e->vm = vm;
}

void exits_free(struct exits *e)
{
	if (!e)
		return;
	threads_free(&e->threads);
	exitnames_free(e->names);
	free(e->vcpus);
	free(e->sums);
	free(e->by_lane);
	free(e->guests);
	exitkinds_free(&e->kinds);
	free(e);
}

const struct exits_result *exits_result(const struct exits *e)
{
	return &e->result;
}
