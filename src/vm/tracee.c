// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/tracee.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/mono.h"

#define SPIN_NS	     200000 /* a running thread stops within an IPI: look often first */
#define SLEEP_MIN_NS 20000
#define SLEEP_MAX_NS 1000000

uint64_t tracee_deadline_ms(int timeout_ms)
{
	return mono_ns() + (uint64_t)timeout_ms * 1000000;
}

/* The requests are an enum in glibc's prototype, and constants of several enums here. */
static long request(int what, pid_t tid, uint64_t addr, void *data)
{
	return ptrace((enum __ptrace_request)what, tid, (void *)(uintptr_t)addr, data);
}

int tracee_seize(pid_t tid, unsigned long options)
{
	options |= PTRACE_O_TRACESYSGOOD;
	return request(PTRACE_SEIZE, tid, 0, (void *)options) ? -errno : 0;
}

int tracee_interrupt(pid_t tid)
{
	return request(PTRACE_INTERRUPT, tid, 0, NULL) ? -errno : 0;
}

static void classify_stop(pid_t tid, int status, struct tracee_stop *ret)
{
	struct __ptrace_syscall_info info = {0};
	int event = status >> 16;

	ret->sig = WSTOPSIG(status);
	if (event == PTRACE_EVENT_STOP) {
		ret->kind = TRACEE_EVENT;
	} else if (event == PTRACE_EVENT_EXEC) {
		ret->kind = TRACEE_EXEC;
	} else if (event) {
		ret->kind = TRACEE_NEW;
		if (request(PTRACE_GETEVENTMSG, tid, 0, &ret->message))
			ret->message = 0;
	} else if (ret->sig == (SIGTRAP | 0x80)) {
		request(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info);
		ret->kind = info.op == PTRACE_SYSCALL_INFO_ENTRY ? TRACEE_ENTRY : TRACEE_EXIT;
	} else {
		ret->kind = TRACEE_SIGNAL;
	}
}

static void classify(pid_t tid, int status, struct tracee_stop *ret)
{
	*ret = (struct tracee_stop){.status = status};
	if (WIFSTOPPED(status))
		classify_stop(tid, status, ret);
	else
		ret->kind = TRACEE_ENDED;
}

/* Thread id, and *ret_status as from waitpid(2); 0: none has stopped. A stop is left to be waited for:
 * the kernel forgets a signal whose stop was waited for when the tracer dies before it continues the
 * thread (wait_task_stopped(), kernel/exit.c, clears what ptrace_signal() would deliver). */
static pid_t look(idtype_t type, pid_t tid, int block, int *ret_status)
{
	const int options = WEXITED | WSTOPPED | block | __WALL | __WNOTHREAD;
	siginfo_t info = {0};

	if (waitid(type, (id_t)tid, &info, options | WNOWAIT))
		return -errno;
	if (!info.si_pid)
		return 0;
	if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
		*ret_status = info.si_status << 8 | 0x7f;
		return info.si_pid;
	}
	tid = waitpid(info.si_pid, ret_status, WNOHANG | __WALL | __WNOTHREAD);
	return tid > 0 ? tid : -ECHILD;
}

int tracee_wait_any(struct tracee_stop *ret, pid_t *ret_tid)
{
	int status = 0;
	pid_t tid;

	do
		tid = look(P_ALL, 0, 0, &status);
	while (tid == -EINTR);
	if (tid < 0)
		return tid;
	classify(tid, status, ret);
	*ret_tid = tid;
	return 0;
}

int tracee_wait(pid_t tid, uint64_t deadline_ns, struct tracee_stop *ret)
{
	uint64_t begin_ns = mono_ns(), now_ns;
	struct timespec nap = {0, SLEEP_MIN_NS};
	int status;

	for (;;) {
		pid_t r = look(P_PID, tid, WNOHANG, &status);

		if (r > 0) {
			classify(tid, status, ret);
			return 0;
		}
		if (r < 0 && r != -EINTR) {
			*ret = (struct tracee_stop){.kind = TRACEE_ENDED, .status = -1};
			return 0;
		}
		now_ns = mono_ns();
		if (now_ns >= deadline_ns)
			return -ETIMEDOUT;
		if (now_ns - begin_ns < SPIN_NS) {
			sched_yield();
			continue;
		}
		nanosleep(&nap, NULL);
		if (nap.tv_nsec < SLEEP_MAX_NS)
			nap.tv_nsec *= 2;
	}
}

int tracee_resume(pid_t tid, int what, int sig)
{
	return request(what, tid, 0, (void *)(intptr_t)sig) ? -errno : 0;
}

int tracee_get_regs(pid_t tid, struct user_regs_struct *ret)
{
	struct iovec v = {ret, sizeof(*ret)};

	return request(PTRACE_GETREGSET, tid, NT_PRSTATUS, &v) ? -errno : 0;
}

int tracee_set_regs(pid_t tid, const struct user_regs_struct *regs)
{
	struct user_regs_struct copy = *regs;
	struct iovec v = {&copy, sizeof(copy)};

	return request(PTRACE_SETREGSET, tid, NT_PRSTATUS, &v) ? -errno : 0;
}

int tracee_read(pid_t tid, uint64_t addr, void *buf, size_t n)
{
	struct iovec here = {buf, n}, there = {(void *)(uintptr_t)addr, n};
	ssize_t r = process_vm_readv(tid, &here, 1, &there, 1, 0);

	return r < 0 ? -errno : (size_t)r == n ? 0 : -EFAULT;
}

int tracee_write(pid_t tid, uint64_t addr, const void *buf, size_t n)
{
	struct iovec here = {(void *)(uintptr_t)buf, n}, there = {(void *)(uintptr_t)addr, n};
	ssize_t r = process_vm_writev(tid, &here, 1, &there, 1, 0);

	return r < 0 ? -errno : (size_t)r == n ? 0 : -EFAULT;
}

int tracee_poke(pid_t tid, uint64_t addr, const void *buf, size_t n)
{
	uint64_t word;

	for (size_t at = 0; at < n; at += sizeof(word)) {
		memcpy(&word, (const char *)buf + at, sizeof(word));
		if (request(PTRACE_POKETEXT, tid, addr + at, (void *)(uintptr_t)word))
			return -errno;
	}
	return 0;
}

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif

/* struct rseq and struct rseq_cs, include/uapi/linux/rseq.h. */
uint64_t tracee_rseq_abort(pid_t tid, uint64_t rip)
{
	struct {
		uint64_t area;
		uint32_t size, signature, flags, pad;
	} conf = {0};
	struct {
		uint32_t version, flags;
		uint64_t start, length, abort;
	} cs;
	uint64_t at = 0;

	if (request(PTRACE_GET_RSEQ_CONFIGURATION, tid, sizeof(conf), &conf) < 0 || !conf.area)
		return 0;
	if (tracee_read(tid, conf.area + 8, &at, sizeof(at)) || !at ||
	    tracee_read(tid, at, &cs, sizeof(cs)))
		return 0;
	return rip - cs.start < cs.length ? cs.abort : 0;
}

int tracee_suspend_seccomp(pid_t tid)
{
	unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_SUSPEND_SECCOMP;

	return request(PTRACE_SETOPTIONS, tid, 0, (void *)options) ? -errno : 0;
}
