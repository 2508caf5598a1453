/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One traced thread at the level of ptrace(2): attach, wait for a stop and tell its kind, registers,
 * memory. Knows nothing of what the stop is for. Silent. All calls must come from the thread that
 * attached: for the kernel that thread, not the process, is the tracer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "base/cleanup.h"

enum tracee_stop_kind {
	TRACEE_EVENT,  /* PTRACE_EVENT_STOP: interrupted, or in a group stop; a signal-type stop */
	TRACEE_SIGNAL, /* a signal is about to be delivered */
	TRACEE_ENTRY,  /* system call entry */
	TRACEE_EXIT,   /* system call exit */
	TRACEE_NEW,    /* clone, fork or vfork event: message holds the new thread */
	TRACEE_EXEC,
	TRACEE_ENDED, /* gone; status as from waitpid, -1 when somebody else reaped it */
};

struct tracee_stop {
	enum tracee_stop_kind kind;
	int sig;	       /* TRACEE_SIGNAL; of TRACEE_EVENT: SIGTRAP or the stop signal */
	int status;	       /* raw */
	unsigned long message; /* TRACEE_NEW: the child's id */
};

/* Deadlines are mono_ns(). */
uint64_t tracee_deadline_ms(int timeout_ms);

/* PTRACE_SEIZE with PTRACE_O_TRACESYSGOOD and extra options. -EPERM also when it is traced already. */
must_check int tracee_seize(pid_t tid, unsigned long options);
/* Asks it to stop; the stop shows up as TRACEE_EVENT. */
must_check int tracee_interrupt(pid_t tid);
/* The stop it is in, or the next one. -ETIMEDOUT: it goes on running. Until it is continued the same
 * stop is reported again, and should we die the thread gets the signal that it stopped for. */
must_check int tracee_wait(pid_t tid, uint64_t deadline_ns, struct tracee_stop *ret);
/* The same for whichever thread this one traces, without end. -ECHILD: there is none left. */
must_check int tracee_wait_any(struct tracee_stop *ret, pid_t *ret_tid);
/* PTRACE_CONT, PTRACE_SYSCALL, PTRACE_LISTEN or PTRACE_DETACH with signal sig (0: none). */
must_check int tracee_resume(pid_t tid, int request, int sig);

must_check int tracee_get_regs(pid_t tid, struct user_regs_struct *ret);
/* All registers in one kernel call while the thread is stopped. */
must_check int tracee_set_regs(pid_t tid, const struct user_regs_struct *regs);

/* Memory with the page protections that the thread itself has. */
must_check int tracee_read(pid_t tid, uint64_t addr, void *buf, size_t n);
must_check int tracee_write(pid_t tid, uint64_t addr, const void *buf, size_t n);
/* Code: written through a private copy of the page whatever its protection. n is a multiple of 8. */
must_check int tracee_poke(pid_t tid, uint64_t addr, const void *buf, size_t n);

/* When the thread is inside a restartable sequence (rseq(2)), the address where the kernel would
 * continue it after a preemption, else 0. */
uint64_t tracee_rseq_abort(pid_t tid, uint64_t rip);
/* No seccomp filter applies while traced (PTRACE_O_SUSPEND_SECCOMP; the thread must be stopped).
 * -EPERM without CAP_SYS_ADMIN, or when the caller itself is under a filter. */
must_check int tracee_suspend_seccomp(pid_t tid);
