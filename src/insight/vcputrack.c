// SPDX-License-Identifier: GPL-2.0-or-later
/* Slices are handed out when they end, but for those that only a later event explains: time off the
 * CPU before kvm_exit was traced, and what came since an exit to user space, of which nothing tells
 * directly when the thread was back in KVM_RUN. */
#include "insight/vcputrack.h"

#include <string.h>

enum {
	USER_HLT = 5,
	SVM_HLT = 0x78,
	SVM_MWAIT = 0x8b,
	SVM_MWAIT_COND = 0x8c,
	VMX_HLT = 12,
	VMX_MWAIT = 36
};

void track_init(struct vcputrack *t, const struct track_ops *ops, void *arg, struct exits_vcpu *sum)
{
	*t = (struct vcputrack){.ops = ops,
				.arg = arg,
				.sum = sum,
				.cpu = SOURCE_NO_CPU,
				.by_pid = -1,
				.user_reason = EXIT_NO_REASON};
}

static bool is_off_cpu(const struct vcputrack *t)
{
	return t->state == VCPU_PREEMPTED || t->state == VCPU_WAITING || t->state == VCPU_HALTED ||
	       t->state == VCPU_BLOCKED;
}

/* --- handing out --- */

static void hand_out(struct vcputrack *t, const struct track_slice *p)
{
	struct vcpu_slice s = {
		.cpu = p->cpu,
		.from_ticks = p->from,
		.to_ticks = p->to,
		.state = (enum vcpu_state)p->state,
		.within = (enum vcpu_state)p->within,
		.reason = EXIT_NO_REASON,
		.user_reason = EXIT_NO_REASON,
		.handler = "",
		.by_pid = p->by_pid,
		.by_comm = p->by_comm,
	};

	t->sum->ticks[p->state] += p->to - p->from;
	if (t->open) {
		t->exit.state_ticks[p->state] += p->to - p->from;
		s.isa = t->exit.isa;
		s.reason = t->exit.reason;
	}
	if (p->within == VCPU_VMM) {
		s.user_reason = t->user_reason;
		s.handler = t->handler;
	}
	if (!t->err)
		t->err = t->ops->slice(t->arg, &s);
}

static void flush(struct vcputrack *t)
{
	for (; t->n_pending; t->n_pending--) {
		hand_out(t, &t->pending[t->first]);
		t->first = (t->first + 1) % TRACK_PENDING;
	}
	t->first = 0;
}

static struct track_slice *pending_at(struct vcputrack *t, unsigned i)
{
	return &t->pending[(t->first + i) % TRACK_PENDING];
}

static struct track_slice *pend(struct vcputrack *t)
{
	if (t->n_pending == TRACK_PENDING) {
		hand_out(t, &t->pending[t->first]);
		t->first = (t->first + 1) % TRACK_PENDING;
		t->n_pending--;
	}
	return pending_at(t, t->n_pending++);
}

/* Ends what has been since t->since, as that state. */
static void cut_as(struct vcputrack *t, uint64_t ticks, enum vcpu_state state,
		   enum vcpu_state within)
{
	struct track_slice *p;

	if (ticks <= t->since)
		return;
	p = pend(t);
	*p = (struct track_slice){t->since, ticks, (uint8_t)state, (uint8_t)within, t->cpu, -1, ""};
	if (state == VCPU_PREEMPTED || state == VCPU_WAITING) {
		p->by_pid = t->by_pid;
		memcpy(p->by_comm, t->by_comm, sizeof(p->by_comm));
	}
	t->since = ticks;
}

static void cut(struct vcputrack *t, uint64_t ticks)
{
	cut_as(t, ticks, (enum vcpu_state)t->state,
	       (enum vcpu_state)(is_off_cpu(t) ? t->base : t->state));
}

static void cut_unknown(struct vcputrack *t, uint64_t ticks)
{
	cut_as(t, ticks, VCPU_UNKNOWN, VCPU_UNKNOWN);
}

static void settle(struct vcputrack *t)
{
	if (!t->left && (t->base == VCPU_GUEST || t->base == VCPU_KVM))
		flush(t);
}

static void to(struct vcputrack *t, enum vcpu_state state, unsigned cpu)
{
	t->state = (uint8_t)state;
	t->base = (uint8_t)state;
	t->cpu = (uint16_t)cpu;
}

static void by(struct vcputrack *t, const struct track_who *who)
{
	size_t n = who->n < TRACK_COMM - 1 ? who->n : TRACK_COMM - 1;

	t->by_pid = who->pid;
	memset(t->by_comm, 0, sizeof(t->by_comm));
	if (who->comm)
		memcpy(t->by_comm, who->comm, strnlen(who->comm, n));
}

/* entry_ticks 0: it never was seen to re-enter; ticks: up to where its time is known. */
static void close_exit(struct vcputrack *t, uint64_t ticks, bool complete)
{
	flush(t);
	if (!t->open)
		return;
	t->open = false;
	t->exit.entry_ticks = ticks > t->exit.exit_ticks ? ticks : t->exit.exit_ticks;
	t->exit.complete = complete;
	t->exit.handler = t->handler;
	if (!t->err)
		t->err = t->ops->vm_exit(t->arg, &t->exit);
	t->handler[0] = 0;
	t->user_reason = EXIT_NO_REASON;
}

/* --- events of its own thread: it is on that CPU --- */

/* What was believed since the last event cannot have been: it sleeps, and acts. */
static void contradiction(struct vcputrack *t, uint64_t ticks)
{
	t->sum->unpaired++;
	flush(t);
	cut_unknown(t, ticks);
	flush(t);
	t->left = false;
	t->state = t->base = VCPU_UNKNOWN;
}

static void acts(struct vcputrack *t, uint64_t ticks)
{
	if (t->has_sched && is_off_cpu(t))
		contradiction(t, ticks);
}

void track_begin(struct vcputrack *t, uint64_t ticks)
{
	t->since = ticks;
	t->seen = true;
}

void track_entry(struct vcputrack *t, uint64_t ticks, unsigned cpu)
{
	acts(t, ticks);
	t->sum->entries++;
	if (t->state == VCPU_GUEST || t->left) {
		t->sum->unpaired++;
		t->left = false;
		flush(t);
		cut_unknown(t, ticks);
	}
	cut(t, ticks);
	close_exit(t, ticks, true);
	to(t, VCPU_GUEST, cpu);
}

bool track_is_halt(uint32_t isa, uint32_t reason)
{
	uint32_t r = reason & 0xffff;

	if (isa == EXIT_ISA_SVM)
		return r == SVM_HLT || r == SVM_MWAIT || r == SVM_MWAIT_COND;
	return r == VMX_HLT || r == VMX_MWAIT;
}

static bool is_halt(const struct vcpu_exit *e)
{
	return track_is_halt(e->isa, e->reason);
}

static void open_exit(struct vcputrack *t, uint64_t ticks, unsigned cpu, const struct track_exit *e)
{
	t->open = true;
	t->exit = (struct vcpu_exit){
		.cpu = (uint16_t)cpu,
		.exit_ticks = t->left ? t->left_ticks : ticks,
		.event_ticks = ticks,
		.isa = e->isa,
		.reason = e->reason,
		.info1 = e->info1,
		.info2 = e->info2,
		.guest_rip = e->rip,
		.user_reason = EXIT_NO_REASON,
		.guest_pid = e->guest_pid,
	};
}

void track_exit(struct vcputrack *t, uint64_t ticks, unsigned cpu, const struct track_exit *e)
{
	acts(t, ticks);
	t->sum->exits++;
	if (t->open || (t->state != VCPU_GUEST && t->state != VCPU_UNKNOWN && !t->left)) {
		uint64_t known = t->since;

		t->sum->unpaired++;
		close_exit(t, known, false);
		cut_unknown(t, ticks);
	} else {
		cut(t, ticks);
	}
	if (!t->left)
		flush(t);
	open_exit(t, ticks, cpu, e);
	t->left = false;
	flush(t);
	to(t, VCPU_KVM, cpu);
	if (!t->has_sched && is_halt(&t->exit))
		t->state = VCPU_HALTED;
}

void track_user(struct vcputrack *t, uint64_t ticks, unsigned cpu, uint32_t reason)
{
	acts(t, ticks);
	t->sum->user_exits++;
	if (t->state == VCPU_GUEST || t->left) { /* kvm_exit is missing */
		t->sum->unpaired++;
		t->left = false;
		flush(t);
		cut_unknown(t, ticks);
	}
	cut(t, ticks);
	flush(t);
	to(t, VCPU_VMM, cpu);
	t->user_reason = reason;
	if (t->open && !t->exit.user_exits++)
		t->exit.user_reason = reason;
}

void track_kvm(struct vcputrack *t, uint64_t ticks, unsigned cpu)
{
	acts(t, ticks);
	if (t->state == VCPU_GUEST || (t->state == VCPU_KVM && t->cpu == cpu))
		return;
	cut(t, ticks);
	to(t, VCPU_KVM, cpu);
	settle(t);
}

void track_address(struct vcputrack *t, enum exit_address kind, uint64_t address, bool write)
{
	if (!t->open || t->exit.address_kind == EXIT_ADDRESS_PIO ||
	    t->exit.address_kind == EXIT_ADDRESS_MMIO || t->exit.address_kind == EXIT_ADDRESS_MSR)
		return;
	t->exit.address_kind = kind;
	t->exit.address = address;
	t->exit.write = write;
}

void track_handler(struct vcputrack *t, const char *text)
{
	size_t n = strnlen(text, sizeof(t->handler) - 1);

	memcpy(t->handler, text, n);
	t->handler[n] = 0;
}

/* --- its thread leaves and gets a CPU --- */

void track_off(struct vcputrack *t, uint64_t ticks, unsigned cpu, enum track_off how,
	       const struct track_who *next)
{
	bool halts;

	if (is_off_cpu(t))
		contradiction(t, ticks);
	halts = (t->base == VCPU_KVM && t->open && is_halt(&t->exit)) ||
		(t->base == VCPU_VMM && t->user_reason == USER_HLT);
	cut(t, ticks);
	settle(t);
	t->cpu = (uint16_t)cpu;
	by(t, next);
	if (t->state == VCPU_GUEST) {
		t->left = true;
		t->left_ticks = ticks;
	} else if (t->left) {
		t->base = VCPU_KVM;
	}
	if (how == TRACK_DEAD || ticks < t->gap_end) {
		track_lost(t, cpu, ticks, t->gap_end);
		return;
	}
	t->state = how == TRACK_RUNNABLE ? VCPU_PREEMPTED : halts ? VCPU_HALTED : VCPU_BLOCKED;
}

void track_on(struct vcputrack *t, uint64_t ticks, unsigned cpu, const struct track_who *prev)
{
	if (t->state == VCPU_WAITING)
		by(t, prev);
	if (!is_off_cpu(t) && t->state != VCPU_UNKNOWN)
		contradiction(t, ticks);
	cut(t, ticks);
	if (t->base == VCPU_GUEST)
		t->base = VCPU_KVM;
	t->state = t->base;
	t->cpu = (uint16_t)cpu;
	settle(t);
}

void track_woken(struct vcputrack *t, uint64_t ticks)
{
	if (t->state != VCPU_HALTED && t->state != VCPU_BLOCKED)
		return;
	cut(t, ticks);
	settle(t);
	t->state = VCPU_WAITING;
}

/* The slice that holds the tick becomes two. */
static void split(struct vcputrack *t, uint64_t at)
{
	unsigned i = 0;

	while (i < t->n_pending && pending_at(t, i)->to <= at)
		i++;
	if (i == t->n_pending || t->n_pending == TRACK_PENDING || pending_at(t, i)->from >= at)
		return;
	t->n_pending++;
	for (unsigned k = t->n_pending - 1; k > i; k--)
		*pending_at(t, k) = *pending_at(t, k - 1);
	pending_at(t, i)->to = at;
	pending_at(t, i + 1)->from = at;
}

void track_halted(struct vcputrack *t, uint64_t from_ticks, uint64_t ticks, unsigned cpu)
{
	acts(t, ticks);
	if (t->state == VCPU_GUEST)
		return;
	if (!t->left && t->base != VCPU_KVM) {
		cut(t, ticks);
		split(t, from_ticks);
		for (unsigned i = 0; i < t->n_pending; i++) {
			struct track_slice *p = pending_at(t, i);

			if (p->from < from_ticks)
				continue;
			p->within = VCPU_KVM;
			if (p->state == VCPU_BLOCKED)
				p->state = VCPU_HALTED;
			else if (p->state == VCPU_VMM || p->state == VCPU_UNKNOWN)
				p->state = VCPU_KVM;
		}
	}
	track_kvm(t, ticks, cpu);
}

/* --- losses and the end --- */

void track_lost(struct vcputrack *t, unsigned cpu, uint64_t from_ticks, uint64_t to_ticks)
{
	bool elsewhere = t->cpu != cpu && (t->has_sched || t->state == VCPU_GUEST);

	if (to_ticks > t->gap_end)
		t->gap_end = to_ticks;
	if (t->state == VCPU_UNKNOWN || (elsewhere && !is_off_cpu(t)))
		return;
	if (from_ticks < t->since)
		from_ticks = t->since;
	cut(t, from_ticks);
	t->left = false;
	close_exit(t, from_ticks, false);
	t->state = t->base = VCPU_UNKNOWN;
}

void track_end(struct vcputrack *t, uint64_t ticks)
{
	if (!t->seen)
		return;
	cut(t, ticks);
	t->left = false;
	close_exit(t, ticks, false);
}
