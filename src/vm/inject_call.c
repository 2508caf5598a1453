// SPDX-License-Identifier: GPL-2.0-or-later
/* What happens to one stopped thread between its stop and its release. */
#include <errno.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "vm/inject_impl.h"

static int ended(struct inject_thread *t)
{
	t->state = INJECT_ENDED;
	return -ESRCH;
}

/* A ptrace request on a thread that should be stopped fails for one reason: it was killed. */
static int ptrace_failed(struct inject_thread *t, int err, const char *what)
{
	if (err == -ESRCH)
		return ended(t);
	return inject_fail(t->inj, err, "cannot %s of thread %d: %s", what, t->tid, strerror(-err));
}

static int lost(struct inject_thread *t, const char *doing)
{
	t->state = INJECT_LOST;
	return inject_fail(t->inj, -ETIMEDOUT,
			   "thread %d did not stop again in time %s; it goes on by itself", t->tid,
			   doing);
}

int inject_take(struct inject_thread *t)
{
	uint64_t abort;
	int r = tracee_get_regs(t->tid, &t->own);

	if (r)
		return ptrace_failed(t, r, "read the registers");
	t->state = INJECT_OWN;
	t->stack_used = false;
	if (!blob_regs_usable(&t->own))
		return inject_fail(t->inj, -EOPNOTSUPP, "thread %d runs 32-bit code", t->tid);
	/* Stopping is a preemption: the kernel would abort a restartable sequence when the thread
	 * goes on. It would not see one with the registers switched, so do it in its place. */
	abort = tracee_rseq_abort(t->tid, t->own.rip);
	if (abort)
		t->own.rip = abort;
	return 0;
}

/* Registers first: while they are the blob's, the stack bytes are needed. */
static int give_back(struct inject_thread *t)
{
	struct user_regs_struct now;
	uint8_t bytes[BLOB_STACK_BYTES];
	uint64_t at = blob_stack(t->own.rsp);
	int r = tracee_set_regs(t->tid, &t->own);

	if (!r)
		r = tracee_get_regs(t->tid, &now);
	if (r)
		return ptrace_failed(t, r, "restore the registers");
	t->state = INJECT_OWN;
	if (memcmp(&now, &t->own, sizeof(now)))
		return inject_fail(t->inj, -EIO,
				   "the registers of thread %d differ after restoring", t->tid);
	if (!t->stack_used)
		return 0;
	t->stack_used = false;
	r = tracee_write(t->tid, at, t->stack, sizeof(t->stack));
	if (!r)
		r = tracee_read(t->tid, at, bytes, sizeof(bytes));
	if (!r && memcmp(bytes, t->stack, sizeof(bytes)))
		r = -EIO;
	return r ? inject_fail(t->inj, r, "cannot put the stack of thread %d back at %#llx", t->tid,
			       (unsigned long long)at)
		 : 0;
}

/* Waits for the stop that an interrupt asked for. Signals that come before it are delivered; any
 * stop takes the pending interrupt away (ptrace_stop(), kernel/signal.c), so ask again. */
static int wait_own_stop(struct inject_thread *t, uint64_t deadline_ns)
{
	struct tracee_stop stop;
	int r;

	for (;;) {
		r = tracee_wait(t->tid, deadline_ns, &stop);
		if (r)
			return lost(t, "after an interrupt");
		if (stop.kind == TRACEE_ENDED)
			return ended(t);
		if (stop.kind == TRACEE_EVENT)
			return inject_take(t);
		r = tracee_interrupt(t->tid);
		if (!r)
			r = tracee_resume(t->tid, PTRACE_CONT,
					  stop.kind == TRACEE_SIGNAL ? stop.sig : 0);
		if (r)
			return ptrace_failed(t, r, "continue the run");
	}
}

/* At a signal-delivery-stop with the blob's registers: the signal belongs on top of the thread's own
 * state, where the kernel decides what becomes of the interrupted system call. Then stop again. */
static int deliver(struct inject_thread *t, int sig, uint64_t deadline_ns)
{
	int r = give_back(t);

	if (r)
		return r;
	r = tracee_interrupt(t->tid);
	if (!r)
		r = tracee_resume(t->tid, PTRACE_CONT, sig);
	return r ? ptrace_failed(t, r, "deliver a signal") : wait_own_stop(t, deadline_ns);
}

static int save_stack(struct inject_thread *t)
{
	struct blob_frame frame;
	uint64_t at = blob_stack(t->own.rsp);
	int r;

	blob_frame_make(&t->own, &frame);
	r = tracee_read(t->tid, at, t->stack, sizeof(t->stack));
	if (!r) {
		t->stack_used = true;
		r = tracee_write(t->tid, at, &frame, sizeof(frame));
	}
	return r ? inject_fail(t->inj, r, "no room on the stack of thread %d below %#llx", t->tid,
			       (unsigned long long)t->own.rsp)
		 : 0;
}

/* Payload and registers of t->call. Nothing that the thread would notice is changed yet. */
static int prepare(struct inject_thread *t)
{
	struct inject_call *c = t->call;
	uint64_t at = blob_stack(t->own.rsp) + BLOB_FRAME_BYTES;
	uint64_t args[3] = {(uint64_t)c->fd, c->cmd, c->n ? at : c->arg};
	uint8_t payload[BLOB_PAYLOAD_BYTES];
	uint64_t pointer = at + c->pointer_to;
	int r = 0;

	if (c->n > sizeof(payload) || c->pointer_at + sizeof(pointer) > sizeof(payload))
		return -E2BIG;
	if (blob_holds(t->inj->entry, t->own.rip))
		return inject_fail(t->inj, -EBUSY, "thread %d is at its entry point", t->tid);
	if (!t->stack_used)
		r = save_stack(t);
	if (!r && c->n) {
		memcpy(payload, c->buf, c->n);
		if (c->pointer_at)
			memcpy(payload + c->pointer_at, &pointer, sizeof(pointer));
		r = tracee_write(t->tid, at, payload, c->n);
		if (r)
			inject_fail(t->inj, r, "cannot write to the stack of thread %d", t->tid);
	}
	blob_regs_make(&t->own, t->inj->entry, SYS_ioctl, args, &t->armed);
	return r;
}

static int arm(struct inject_thread *t)
{
	int r = tracee_set_regs(t->tid, &t->armed);

	if (r)
		return ptrace_failed(t, r, "set the registers");
	t->state = INJECT_ARMED;
	return 0;
}

static int collect(struct inject_thread *t)
{
	struct inject_call *c = t->call;
	struct user_regs_struct now;
	int r = tracee_get_regs(t->tid, &now);

	if (r)
		return ptrace_failed(t, r, "read the result");
	t->state = INJECT_DONE;
	if (now.rip != t->inj->entry + BLOB_AFTER_CALL)
		return inject_fail(t->inj, -EIO, "thread %d stopped at %#llx, not in the blob",
				   t->tid, now.rip);
	c->result = (long)now.rax;
	r = c->n ? tracee_read(t->tid, blob_stack(t->own.rsp) + BLOB_FRAME_BYTES, c->buf, c->n) : 0;
	return r ? inject_fail(t->inj, r, "cannot read the stack of thread %d", t->tid) : 0;
}

/* Runs an armed thread to the exit of its system call. */
static int finish(struct inject_thread *t, uint64_t deadline_ns)
{
	struct tracee_stop stop;
	int r;

	for (;;) {
		r = tracee_resume(t->tid, PTRACE_SYSCALL, 0);
		if (r)
			return ptrace_failed(t, r, "run the call");
		if (tracee_wait(t->tid, deadline_ns, &stop))
			return lost(t, "in an ioctl");
		switch (stop.kind) {
		case TRACEE_EXIT:
			return collect(t);
		case TRACEE_ENDED:
			return ended(t);
		case TRACEE_SIGNAL:
			r = deliver(t, stop.sig, deadline_ns);
			if (!r)
				r = prepare(t);
			if (!r)
				r = arm(t);
			if (r)
				return r;
			break;
		case TRACEE_ENTRY:
		case TRACEE_EVENT: /* a group stop began or ended */
		default:
			break;
		}
	}
}

/* From the exit of the last call to a signal-type stop: only there does the kernel look at what the
 * interrupted system call had returned. */
static int leave_done(struct inject_thread *t, uint64_t deadline_ns)
{
	struct tracee_stop stop;
	int r = tracee_interrupt(t->tid);

	if (!r)
		r = tracee_resume(t->tid, PTRACE_CONT, 0);
	if (r)
		return ptrace_failed(t, r, "leave the call");
	if (tracee_wait(t->tid, deadline_ns, &stop))
		return lost(t, "after an ioctl");
	if (stop.kind == TRACEE_ENDED)
		return ended(t);
	if (stop.kind == TRACEE_SIGNAL)
		return deliver(t, stop.sig, deadline_ns);
	return give_back(t);
}

int inject_leave(struct inject_thread *t, uint64_t deadline_ns)
{
	switch (t->state) {
	case INJECT_OWN:
		return t->stack_used ? give_back(t) : 0;
	case INJECT_ARMED:
		return give_back(t);
	case INJECT_DONE:
		return leave_done(t, deadline_ns);
	case INJECT_LOST:
		return -ETIMEDOUT;
	case INJECT_ENDED:
		break;
	}
	return -ESRCH;
}

/* A thread at the exit of a call may take the next one there, one that is armed may not. */
static int ready(const struct inject_thread *t)
{
	switch (t->state) {
	case INJECT_OWN:
	case INJECT_DONE:
		return 0;
	case INJECT_ENDED:
		return -ESRCH;
	default:
		return -EBUSY;
	}
}

int inject_ioctl_all(struct inject_thread *const thread[], struct inject_call call[], size_t n,
		     int timeout_ms)
{
	uint64_t deadline_ns = tracee_deadline_ms(timeout_ms);
	size_t armed = 0;
	int r = n ? inject_text_place(thread[0]->inj) : 0, err;

	for (size_t i = 0; i < n && !r; i++) {
		thread[i]->call = &call[i];
		r = ready(thread[i]);
		if (!r)
			r = prepare(thread[i]);
	}
	for (; armed < n && !r; armed += !r)
		r = arm(thread[armed]);
	for (size_t i = 0; i < armed; i++) {
		err = finish(thread[i], deadline_ns);
		r = r ? r : err;
	}
	return r;
}

int inject_ioctl(struct inject_thread *t, struct inject_call *call, int timeout_ms)
{
	return inject_ioctl_all(&t, call, 1, timeout_ms);
}
