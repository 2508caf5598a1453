// SPDX-License-Identifier: GPL-2.0-or-later
/* A statically linked VMM: followed by ptrace until its first vCPU. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vm/launch.h"
#include "vm/proc.h"
#include "vm/tracee.h"

#define CALL_TIMEOUT_MS 2000
#define TOLERANCE_PPM	250

struct job {
	const struct launch_plan *plan;
	char *const *argv;
	uint64_t host_khz;
	struct journal *journal;
	struct inject_why *why;
	struct launch_traced *ret;
	int go[2];	/* we are its tracer: it may go on */
	int problem[2]; /* errno of a failed exec */
	bool has_exec;	/* the program runs; from here on system calls are watched */
};

static void child_main(struct job *j)
{
	char byte;
	int err = ECANCELED;

	close(j->go[1]);
	close(j->problem[0]);
	if (read(j->go[0], &byte, 1) == 1) {
		execv(j->plan->path, j->argv);
		err = errno;
	}
	if (write(j->problem[1], &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static int explain(struct job *j, int err, const char *what)
{
	snprintf(j->why->text, sizeof(j->why->text), "cannot %s \"%s\": %s", what, j->plan->path,
		 strerror(-err));
	return err;
}

static void close_pipe_end(int *fd)
{
	cleanup_fd(fd);
	*fd = -1;
}

/* From the caller's thread: its end, not that of the tracer thread, is the parent's death for
 * prctl(PR_SET_PDEATHSIG). */
static int start_child(struct job *j)
{
	pid_t pid;

	if (pipe2(j->go, O_CLOEXEC) || pipe2(j->problem, O_CLOEXEC))
		return explain(j, -errno, "start");
	pid = fork();
	if (pid < 0)
		return explain(j, -errno, "start");
	if (!pid)
		child_main(j);
	close_pipe_end(&j->go[0]);
	close_pipe_end(&j->problem[1]);
	j->ret->pid = pid;
	return 0;
}

static int trace_child(struct job *j)
{
	int r = tracee_seize(j->ret->pid, PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
						  PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC);

	if (!r && write(j->go[1], "", 1) != 1)
		r = -errno;
	close_pipe_end(&j->go[1]); /* without the byte it ends by itself */
	if (!r)
		return 0;
	waitpid(j->ret->pid, NULL, __WALL);
	return explain(j, r, "trace");
}

/* Moves a thread from a system call's exit to a signal-type stop, where it can be worked on. */
static int to_own_stop(pid_t tid)
{
	uint64_t deadline_ns = tracee_deadline_ms(CALL_TIMEOUT_MS);
	struct tracee_stop stop = {0};
	int r;

	/* Signals come first. */
	do {
		r = tracee_interrupt(tid);
		if (!r)
			r = tracee_resume(tid, PTRACE_CONT, stop.sig);
		if (!r)
			r = tracee_wait(tid, deadline_ns, &stop);
	} while (!r && stop.kind == TRACEE_SIGNAL);
	if (r)
		return r;
	return stop.kind == TRACEE_EVENT ? 0 : -ESRCH;
}

struct attr_payload {
	struct kvm_device_attr attr;
	int64_t value;
};

static int attr_call(struct inject_thread *t, int vcpu_fd, unsigned long cmd, int64_t *value,
		     long *ret_result)
{
	struct attr_payload p = {{.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET}, *value};
	struct inject_call call = {
		.fd = vcpu_fd,
		.cmd = cmd,
		.buf = &p,
		.n = sizeof(p),
		.pointer_at = offsetof(struct attr_payload, attr.addr),
		.pointer_to = offsetof(struct attr_payload, value),
	};
	int r = inject_ioctl(t, &call, CALL_TIMEOUT_MS);

	*value = p.value;
	*ret_result = call.result;
	return r;
}

static int refuse(struct job *j, const char *text)
{
	snprintf(j->why->text, sizeof(j->why->text), "%s", text);
	return 0;
}

static int set_zero(struct job *j, struct inject_thread *t, int vcpu_fd)
{
	struct inject_call khz = {.fd = vcpu_fd, .cmd = KVM_GET_TSC_KHZ};
	int64_t offset = 0;
	long result;
	int r = inject_ioctl(t, &khz, CALL_TIMEOUT_MS);

	if (!r && khz.result > 0 && j->host_khz &&
	    (uint64_t)labs(khz.result - (long)j->host_khz) * 1000000 > j->host_khz * TOLERANCE_PPM)
		return refuse(j, "the guest's TSC runs at another frequency than the host's");
	if (!r)
		r = attr_call(t, vcpu_fd, KVM_SET_DEVICE_ATTR, &offset, &result);
	if (!r && result)
		return refuse(j, "this kernel cannot set a TSC offset (Linux 5.16 can)");
	offset = -1;
	if (!r)
		r = attr_call(t, vcpu_fd, KVM_GET_DEVICE_ATTR, &offset, &result);
	if (!r && (result || offset))
		return refuse(j, "the VM's TSC is protected: its offset was not changed");
	j->ret->zeroed = !r;
	return r;
}

/* Thread tid of a process has just created vCPU vcpu_fd. */
static int vcpu_created(struct job *j, pid_t tid, int vcpu_fd)
{
	struct inject_thread *t;
	struct inject *inj;
	int r = to_own_stop(tid), err;

	if (r)
		return r;
	r = inject_adopt(tid, j->journal, j->why, &inj, &t);
	if (r)
		return r;
	r = set_zero(j, t, vcpu_fd);
	err = inject_close(inj);
	return r ? r : err;
}

static bool is_vcpu_creation(pid_t tid, int *ret_fd)
{
	struct user_regs_struct regs;

	if (tracee_get_regs(tid, &regs) || regs.orig_rax != SYS_ioctl ||
	    (uint32_t)regs.rsi != KVM_CREATE_VCPU || (int64_t)regs.rax < 0)
		return false;
	*ret_fd = (int)regs.rax;
	return true;
}

static void ended(struct job *j, pid_t tid, int status)
{
	if (tid != j->ret->pid || status < 0)
		return;
	j->ret->ended = true;
	j->ret->status = status;
}

/* One stop. *ret_done: the vCPU is there. */
static int handle_stop(struct job *j, pid_t tid, const struct tracee_stop *s, bool *ret_done)
{
	int on = j->has_exec ? PTRACE_SYSCALL : PTRACE_CONT, fd;

	switch (s->kind) {
	case TRACEE_ENDED:
		ended(j, tid, s->status);
		return 0;
	case TRACEE_EVENT:
		/* A group stop lasts until SIGCONT; that of a new thread does not. */
		return tracee_resume(tid, s->sig == SIGTRAP ? on : PTRACE_LISTEN, 0);
	case TRACEE_SIGNAL:
		return tracee_resume(tid, on, s->sig);
	case TRACEE_EXEC:
		j->has_exec = true;
		return tracee_resume(tid, PTRACE_SYSCALL, 0);
	case TRACEE_EXIT:
		if (!is_vcpu_creation(tid, &fd))
			break;
		*ret_done = true;
		return vcpu_created(j, tid, fd);
	case TRACEE_ENTRY:
	case TRACEE_NEW:
		break;
	}
	return tracee_resume(tid, on, 0);
}

/* Until the vCPU, or until nobody is left. */
static int follow(struct job *j)
{
	bool done = false;
	int r = 0;

	while (!done) {
		struct tracee_stop stop;
		pid_t tid;

		if (tracee_wait_any(&stop, &tid))
			break;
		r = handle_stop(j, tid, &stop, &done);
		if (r && r != -ESRCH)
			break;
	}
	return r == -ESRCH ? 0 : r;
}

/* The end of this thread detaches from all, wherever they are. */
static int trace_main(void *arg)
{
	struct job *j = arg;
	int r = trace_child(j), err = 0;

	if (r)
		return r;
	r = follow(j);
	if (!j->has_exec && read(j->problem[0], &err, sizeof(err)) == sizeof(err))
		return explain(j, -err, "start");
	/* It runs; what happened to the offset is in why. */
	if (r && !j->why->text[0])
		snprintf(j->why->text, sizeof(j->why->text), "%s", strerror(-r));
	return 0;
}

/* The kernel detaches a moment after the thread could be joined. Until then a wait in this process
 * would see the child's stops. */
static void wait_untraced(pid_t pid)
{
	const struct timespec nap = {0, 200000};

	for (int i = 0; i < 5000 && proc_status_number(NULL, pid, "TracerPid") > 0; i++)
		nanosleep(&nap, NULL);
}

int launch_trace(const struct launch_plan *p, char *const argv[], uint64_t host_khz,
		 struct journal *journal, struct inject_why *why, struct launch_traced *ret)
{
	struct job j = {p, argv, host_khz, journal, why, ret, .go = {-1, -1}, .problem = {-1, -1}};
	int r;

	*ret = (struct launch_traced){0};
	why->text[0] = 0;
	r = start_child(&j);
	if (!r)
		r = inject_run(trace_main, &j);
	if (!r && !ret->ended)
		wait_untraced(ret->pid);
	for (int i = 0; i < 2; i++) {
		cleanup_fd(&j.go[i]);
		cleanup_fd(&j.problem[i]);
	}
	return r;
}
