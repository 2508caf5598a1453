// SPDX-License-Identifier: GPL-2.0-or-later
/* Attaching to the threads of a process and letting them go. */
#include "vm/inject.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include "vm/inject_impl.h"
#include "vm/proc.h"

#define CLOSE_TIMEOUT_MS 2000
#define STOP_ALL_ROUNDS	 16

int inject_fail(struct inject *inj, int err, const char *fmt, ...)
{
	va_list ap;

	if (inj->why->text[0])
		return err;
	va_start(ap, fmt);
	vsnprintf(inj->why->text, sizeof(inj->why->text), fmt, ap);
	va_end(ap);
	return err;
}

struct run {
	int (*fn)(void *arg);
	void *arg;
	int result;
};

static void *run_main(void *arg)
{
	struct run *run = arg;

	run->result = run->fn(run->arg);
	return NULL;
}

int inject_run(int (*fn)(void *arg), void *arg)
{
	struct run run = {fn, arg, 0};
	sigset_t all, old, waiting;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&thread, NULL, run_main, &run);
	/* Ctrl-Z would stop the tracer as well, and with it the VM for as long. */
	waiting = old;
	sigaddset(&waiting, SIGTSTP);
	sigaddset(&waiting, SIGTTIN);
	sigaddset(&waiting, SIGTTOU);
	pthread_sigmask(SIG_SETMASK, &waiting, NULL);
	if (!err)
		pthread_join(thread, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err ? -err : run.result;
}

#define PF_EXITING 0x4u /* include/linux/sched.h */

static bool is_ending(const struct proc_stat *s)
{
	return s->state == 'Z' || s->state == 'X' || (s->flags & PF_EXITING);
}

static int refused(struct inject *inj, pid_t tid, int err)
{
	long tracer = proc_status_number(NULL, tid, "TracerPid");
	struct proc_stat s;

	if (err == -ESRCH || proc_stat_read(NULL, inj->pid, tid, &s) || is_ending(&s))
		return -ESRCH;
	if (tracer > 0)
		return inject_fail(
			inj, err,
			"thread %d is traced by process %ld (gdb, strace or another onetsc)", tid,
			tracer);
	return inject_fail(
		inj, err,
		"no permission to trace thread %d (%s); run as root, or as the VM's user "
		"where kernel.yama.ptrace_scope is 0",
		tid, strerror(-err));
}

/* What can be known before it is touched. */
static int check_thread(struct inject *inj, pid_t tid)
{
	struct proc_stat s;
	int r = proc_stat_read(NULL, inj->pid, tid, &s);

	if (r)
		return r == -ESRCH ? r : inject_fail(inj, r, "cannot read /proc of thread %d", tid);
	if (is_ending(&s))
		return -ESRCH;
	if (proc_is_kernel_worker(&s))
		return inject_fail(inj, -EINVAL, "thread %d is a kernel worker", tid);
	/* The blob's ret is no return of a call: the shadow stack would not agree. */
	if (proc_has_shadow_stack(NULL, tid))
		return inject_fail(inj, -EOPNOTSUPP, "thread %d has a user shadow stack", tid);
	return 0;
}

/* A filter that is not suspended could kill the process for our ioctl. */
static int suspend_seccomp(struct inject_thread *t)
{
	int r;

	if (proc_status_number(NULL, t->tid, "Seccomp") <= 0)
		return 0;
	r = tracee_suspend_seccomp(t->tid);
	return r ? inject_fail(t->inj, -EOPNOTSUPP,
			       "thread %d is under a seccomp filter, and suspending it needs "
			       "CAP_SYS_ADMIN",
			       t->tid)
		 : 0;
}

static int wait_first_stop(struct inject_thread *t, int timeout_ms)
{
	uint64_t deadline_ns = tracee_deadline_ms(timeout_ms);
	struct tracee_stop stop;
	int r = tracee_interrupt(t->tid);

	while (!r) {
		if (tracee_wait(t->tid, deadline_ns, &stop))
			return inject_fail(
				t->inj, -ETIMEDOUT,
				"thread %d does not stop within %d ms (in uninterruptible "
				"sleep?)",
				t->tid, timeout_ms);
		if (stop.kind == TRACEE_ENDED)
			return -ESRCH;
		if (stop.kind == TRACEE_EVENT)
			return 0;
		/* any stop takes the pending interrupt away */
		r = tracee_interrupt(t->tid);
		if (!r)
			r = tracee_resume(t->tid, PTRACE_CONT,
					  stop.kind == TRACEE_SIGNAL ? stop.sig : 0);
	}
	return r;
}

static void unlink_thread(struct inject_thread *t)
{
	struct inject_thread **p = &t->inj->threads;

	while (*p && *p != t)
		p = &(*p)->next;
	if (*p)
		*p = t->next;
	if (t->inj->main == t)
		t->inj->main = NULL;
	free(t);
}

static struct inject_thread *find_thread(struct inject *inj, pid_t tid)
{
	struct inject_thread *t = inj->threads;

	while (t && t->tid != tid)
		t = t->next;
	return t;
}

/* Takes over a thread that has just been seized. */
static int stop_seized(struct inject_thread *t, int timeout_ms)
{
	int r = wait_first_stop(t, timeout_ms), err;

	if (r) {
		t->state = r == -ESRCH ? INJECT_ENDED : INJECT_LOST;
		return r;
	}
	/* Between /proc and here the number may have passed to a thread of somebody else. */
	if (proc_status_number(NULL, t->tid, "Tgid") != t->inj->pid)
		r = -ESRCH;
	if (!r)
		r = suspend_seccomp(t);
	if (!r)
		r = inject_take(t);
	if (r) {
		err = tracee_resume(t->tid, PTRACE_DETACH, 0);
		t->state = err ? INJECT_ENDED : INJECT_LOST;
	}
	return r;
}

int inject_stop(struct inject *inj, pid_t tid, int timeout_ms, struct inject_thread **ret)
{
	struct inject_thread *t = find_thread(inj, tid);
	int r;

	if (t) {
		*ret = t;
		return t->state == INJECT_LOST ? -ETIMEDOUT : t->state == INJECT_ENDED ? -ESRCH : 0;
	}
	r = check_thread(inj, tid);
	if (r)
		return r;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct inject_thread){.inj = inj, .tid = tid, .next = inj->threads};
	r = tracee_seize(tid, 0);
	if (r) {
		free(t);
		return refused(inj, tid, r);
	}
	inj->threads = t;
	r = stop_seized(t, timeout_ms);
	if (r)
		unlink_thread(t);
	else
		*ret = t;
	return r;
}

/* One pass over the threads. *ret_new counts those that were stopped in it. */
static int stop_round(struct inject *inj, int timeout_ms, unsigned *ret_new)
{
	struct pids tids = {0};
	struct inject_thread *t;
	struct proc_stat s;
	int r = proc_threads(NULL, inj->pid, &tids);

	*ret_new = 0;
	for (size_t i = 0; i < tids.n && !r; i++) {
		if (find_thread(inj, tids.v[i]) || proc_stat_read(NULL, inj->pid, tids.v[i], &s) ||
		    proc_is_kernel_worker(&s))
			continue;
		r = inject_stop(inj, tids.v[i], timeout_ms, &t);
		if (!r)
			++*ret_new;
		else if (r == -ESRCH)
			r = 0; /* one thread less */
	}
	array_free(&tids);
	return r;
}

int inject_stop_all(struct inject *inj, int timeout_ms)
{
	unsigned fresh;
	int r;

	for (int i = 0; i < STOP_ALL_ROUNDS; i++) {
		r = stop_round(inj, timeout_ms, &fresh);
		if (r || !fresh)
			return r;
	}
	return inject_fail(inj, -ETIMEDOUT, "process %d creates threads without end", inj->pid);
}

struct inject_thread *inject_next(struct inject *inj, struct inject_thread *t)
{
	return t ? t->next : inj->threads;
}

pid_t inject_tid(const struct inject_thread *t)
{
	return t->tid;
}

bool inject_was_in_ioctl(const struct inject_thread *t, unsigned long cmd, int *ret_fd)
{
	if (t->own.orig_rax != 16 || t->own.rsi != cmd)
		return false;
	*ret_fd = (int)t->own.rdi;
	return true;
}

/* The first thread that can be traced: the main thread may have ended before the others. */
static int stop_main(struct inject *inj, int timeout_ms)
{
	struct pids tids = {0};
	struct proc_stat s;
	int r = inject_stop(inj, inj->pid, timeout_ms, &inj->main);

	if (r != -ESRCH)
		return r;
	r = proc_threads(NULL, inj->pid, &tids);
	/* The others' numbers may be lower than its own, a kernel worker's too. */
	for (size_t i = 0; i < tids.n && !r && !inj->main; i++) {
		if (proc_stat_read(NULL, inj->pid, tids.v[i], &s) || proc_is_kernel_worker(&s))
			continue;
		r = inject_stop(inj, tids.v[i], timeout_ms, &inj->main);
		if (r == -ESRCH)
			r = 0;
	}
	array_free(&tids);
	return inj->main || r ? r : -ESRCH;
}

int inject_open(pid_t pid, uint64_t start_ticks, struct journal *journal, int timeout_ms,
		struct inject_why *why, struct inject **ret)
{
	struct inject *inj = calloc(1, sizeof(*inj));
	struct proc_stat s;
	int r;

	if (!inj)
		return -ENOMEM;
	*inj = (struct inject){.pid = pid, .journal = journal, .why = why};
	why->text[0] = 0;
	r = stop_main(inj, timeout_ms);
	/* Checked while it cannot end and leave its number to another process. */
	if (!r)
		r = proc_stat_read(NULL, pid, 0, &s);
	if (!r && start_ticks && s.start_ticks != start_ticks)
		r = -ESRCH;
	if (r) {
		if (inject_close(inj))
			inject_fail(inj, r, "cannot let process %d go", pid);
		return r;
	}
	inj->start_ticks = s.start_ticks;
	*ret = inj;
	return 0;
}

int inject_adopt(pid_t tid, struct journal *journal, struct inject_why *why, struct inject **ret,
		 struct inject_thread **ret_thread)
{
	struct inject *inj = calloc(1, sizeof(*inj));
	struct inject_thread *t = calloc(1, sizeof(*t));
	struct proc_stat s;
	int r;

	if (!inj || !t) {
		free(inj);
		free(t);
		return -ENOMEM;
	}
	why->text[0] = 0;
	*inj = (struct inject){.journal = journal, .why = why, .threads = t, .main = t};
	*t = (struct inject_thread){.inj = inj, .tid = tid, .borrowed = true};
	inj->pid = (pid_t)proc_status_number(NULL, tid, "Tgid");
	r = inj->pid > 0 ? proc_stat_read(NULL, inj->pid, 0, &s) : -ESRCH;
	if (!r)
		r = check_thread(inj, tid);
	if (!r)
		r = suspend_seccomp(t);
	if (!r)
		r = inject_take(t);
	if (r) {
		free(inj);
		free(t);
		return r;
	}
	inj->start_ticks = s.start_ticks;
	*ret = inj;
	*ret_thread = t;
	return 0;
}

/* Own registers and detach; t is freed. */
static int release(struct inject_thread *t)
{
	int r = inject_leave(t, tracee_deadline_ms(CLOSE_TIMEOUT_MS));

	/* Also when the stack could not be put back: it is dead memory, the thread must run. */
	if (t->state == INJECT_OWN && !t->borrowed) {
		int err = tracee_resume(t->tid, PTRACE_DETACH, 0);

		r = r ? r : err;
	}
	unlink_thread(t);
	return r;
}

int inject_resume(struct inject_thread *t)
{
	if (t == t->inj->main)
		return inject_leave(t, tracee_deadline_ms(CLOSE_TIMEOUT_MS));
	return release(t);
}

static bool anybody_lost(const struct inject *inj)
{
	for (const struct inject_thread *t = inj->threads; t; t = t->next)
		if (t->state != INJECT_OWN && t->state != INJECT_ENDED)
			return true;
	return false;
}

int inject_close(struct inject *inj)
{
	uint64_t deadline_ns = tracee_deadline_ms(CLOSE_TIMEOUT_MS);
	int r = 0, err;

	if (!inj)
		return 0;
	for (struct inject_thread *t = inj->threads; t; t = t->next) {
		err = inject_leave(t, deadline_ns);
		if (err && err != -ESRCH)
			r = -EIO;
	}
	/* Code that a thread may still run stays: it is harmless, and the journal knows of it. */
	if (!anybody_lost(inj) && inj->main) {
		err = inject_text_remove(inj);
		if (err && err != -ESRCH)
			r = -EIO;
	} else if (inj->placed) {
		r = -EIO;
	}
	while (inj->threads) {
		err = release(inj->threads);
		if (err && err != -ESRCH)
			r = -EIO;
	}
	free(inj);
	return r;
}
