/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs KVM ioctls inside a VMM: stops threads with ptrace, lets each make ioctls of its own, and
 * resumes it exactly as it was.
 *
 * Safe against the death of the tracer at any instant: registers are switched in ONE kernel call to
 * a short code blob (placed over the executable's _start, which never runs again; vm/blob.h) that
 * makes the ioctl and then restores every register by itself. While the tracer lives, it restores
 * the saved registers at a signal-type stop, so that the kernel does its own restart handling of an
 * interrupted system call, and puts the blob's and the stack's bytes back. When it dies, the kernel
 * detaches the thread, which finishes the blob and goes on as if a signal had interrupted it.
 * A signal that arrives on the way is delivered on top of the thread's own registers.
 * One exception is left: a thread under a seccomp filter that forbids the ioctl. The filter is
 * suspended while traced only, so between the switch and the system call's start (about 20 us)
 * the tracer must not die.
 *
 * The main thread of the process (the first that lives) is stopped as well, from open to close:
 * being its tracer is what keeps a second onetsc away from the process. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/journal.h"

struct inject;	      /* one VMM process being worked on */
struct inject_thread; /* one stopped thread of it */

/* Why a function failed: one clause, no newline; "" for "the process or thread has ended". */
struct inject_why {
	char text[240];
};

/* Calls fn(arg) in a thread of its own with all signals blocked and returns its result. Everything
 * below must happen in one such call: should a stopped thread not come back in time, the end of the
 * tracer thread makes the kernel let it go. Other threads of this program must wait for children
 * with __WNOTHREAD, or for a pid that is no VMM. */
must_check int inject_run(int (*fn)(void *arg), void *arg);

/* Prepares work on process pid, started at start_ticks (0: whichever it is), and stops its main
 * thread. -EPERM no permission, or traced by somebody else; -EOPNOTSUPP a process that cannot be
 * worked on (32-bit, user shadow stacks, seccomp that cannot be suspended); -ETIMEDOUT; -ESRCH. */
must_check int inject_open(pid_t pid, uint64_t start_ticks, struct journal *journal, int timeout_ms,
			   struct inject_why *why, struct inject **ret);
/* Gives every thread back, puts the blob's place back (verified) and detaches. 0, or -EIO when
 * something could not be put back (the journal keeps the entry). NULL is fine. */
must_check int inject_close(struct inject *inj);

/* For a thread that the caller traces already and that is at a PTRACE_EVENT_STOP: inject_close()
 * leaves it there, with its own registers. */
must_check int inject_adopt(pid_t tid, struct journal *journal, struct inject_why *why,
			    struct inject **ret, struct inject_thread **ret_thread);

/* Stops thread tid (SEIZE + INTERRUPT). -EINVAL for kernel workers and threads of others; else as
 * inject_open. Idempotent per tid. */
must_check int inject_stop(struct inject *inj, pid_t tid, int timeout_ms,
			   struct inject_thread **ret);
/* Stops all threads, also those created meanwhile. */
must_check int inject_stop_all(struct inject *inj, int timeout_ms);
/* Iterates over the stopped threads; NULL begins, NULL ends. */
struct inject_thread *inject_next(struct inject *inj, struct inject_thread *t);
pid_t inject_tid(const struct inject_thread *t);
/* Was the thread caught in ioctl(*ret_fd, cmd)? */
bool inject_was_in_ioctl(const struct inject_thread *t, unsigned long cmd, int *ret_fd);

/* ioctl(fd, cmd, arg). When n > 0 (at most BLOB_PAYLOAD_BYTES), buf[n] is copied to the thread's
 * stack below the red zone, arg points to it, and the bytes come back into buf; pointer_at > 0
 * names the place in buf of a u64 that must hold the address of buf + pointer_to over there. */
struct inject_call {
	int fd;
	unsigned long cmd;
	unsigned long arg; /* used when n == 0 */
	void *buf;
	size_t n;
	size_t pointer_at, pointer_to;
	long result; /* >= 0 or -errno of the ioctl itself */
};
/* 0 when the ioctl was made, whatever its result. -errno when it could not be injected. */
must_check int inject_ioctl(struct inject_thread *t, struct inject_call *call, int timeout_ms);

/* Makes call[i] in thread[i] for all i < n, each thread at most once: everything is prepared first,
 * then all threads are switched back to back, so that a tracer that dies has either made all of the
 * calls or none (but for the n kernel calls that do the switch). */
must_check int inject_ioctl_all(struct inject_thread *const thread[], struct inject_call call[],
				size_t n, int timeout_ms);

/* Gives one thread back its registers and stack bytes (verified) and lets it run; the main thread
 * stays stopped until inject_close(). t is freed. 0, -ESRCH when it has ended, -EIO. */
must_check int inject_resume(struct inject_thread *t);

/* Undo handler of journal kind "inject-text": pid start address bytes. */
int inject_undo_text(const char *text);
