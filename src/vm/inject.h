/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs KVM ioctls inside a VMM: stops vCPU threads with ptrace, lets each make ioctls of its own,
 * and resumes it exactly as it was.
 *
 * Safe against the death of the tracer at any instant: registers are switched in ONE step to a
 * short code blob (placed over the executable's _start, which never runs again) that makes the
 * ioctl and then restores every register by itself: `syscall; pop...; iretq`. While the tracer
 * lives, it restores the saved registers at a signal stop (so that the kernel does its own restart
 * handling of an interrupted system call) and puts the blob's and the stack's bytes back. When it
 * dies, the kernel detaches the thread, which finishes the blob and goes on as if interrupted. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/journal.h"

struct inject;	      /* one VMM process being worked on */
struct inject_thread; /* one stopped thread of it */

/* Prepares work on process pid: finds the blob's place (AT_ENTRY of /proc/PID/auxv), journals its
 * original bytes. Does not stop anything. Refuses (-EOPNOTSUPP, one message) 32-bit processes and
 * user shadow stacks; -EPERM with a hint at Yama/capabilities. */
must_check int inject_open(pid_t pid, struct journal *journal, struct inject **ret);
/* Puts the blob's place back (verified) and detaches what is still stopped. 0, or -EIO when memory
 * could not be put back (the journal keeps the entry). NULL is fine. */
int inject_close(struct inject *inj);

/* Stops thread tid (SEIZE + INTERRUPT) and waits at most timeout_ms for it. Refuses kernel user
 * workers (PF_USER_WORKER) with -EINVAL. Idempotent per tid. Where the process may suspend seccomp
 * (CAP_SYS_ADMIN), PTRACE_O_SUSPEND_SECCOMP is set. */
must_check int inject_stop(struct inject *inj, pid_t tid, int timeout_ms,
			   struct inject_thread **ret);

/* ioctl(fd, cmd, arg) in the stopped thread. When n > 0, buf[n] is copied to the thread's stack
 * below the red zone, arg points to it, and the bytes come back into buf; pointer_at >= 0 names the
 * place in buf of a u64 that must hold the guest address of buf + pointer_to (a struct with a
 * pointer into itself). Returns 0 and the ioctl's result (>= 0 or -errno) in *ret_result; -errno
 * when the injection itself failed. timeout_ms bounds it. */
struct inject_call {
	int fd;
	unsigned long cmd;
	unsigned long arg; /* used when n == 0 */
	void *buf;
	size_t n;
	int pointer_at, pointer_to; /* pointer_at -1: none */
};
must_check int inject_ioctl(struct inject_thread *t, const struct inject_call *call, int timeout_ms,
			    long *ret_result);

/* Restores registers and stack bytes (verified) and lets the thread run. 0, -ESRCH when it has
 * ended, -EIO when verification failed. */
int inject_resume(struct inject_thread *t);

/* Undo handlers for the journal (kinds "inject-text"): for `restore` and the next run. */
int inject_undo_text(const char *text);
