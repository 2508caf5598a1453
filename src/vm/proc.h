/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single facts of a process from /proc. Silent; proc is the root of the tree, NULL means "/proc". */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"

struct pids ARRAY(pid_t);

struct proc_stat {
	char state;	      /* R S D T t Z ... */
	unsigned flags;	      /* PF_*, field 9 */
	uint64_t start_ticks; /* field 22, clock ticks since boot */
	int cpu;	      /* field 39, last ran there */
};

/* /proc/PID/stat, or of thread tid when it is not 0. -ESRCH when there is none. */
must_check int proc_stat_read(const char *proc, pid_t pid, pid_t tid, struct proc_stat *ret);
/* A kernel worker that shares the process and is listed among its threads: vhost and kvm-nx-lpage
 * (PF_USER_WORKER, 6.4+), io_uring's (PF_IO_WORKER). They have no user state to return to. */
bool proc_is_kernel_worker(const struct proc_stat *s);

/* Value of line "key:" of /proc/PID/status without leading blanks. -ENOENT: no such line. */
must_check int proc_status(const char *proc, pid_t pid, const char *key, char *buf, size_t n);
/* Decimal value of such a line, negative when it is missing or not a number. */
long proc_status_number(const char *proc, pid_t pid, const char *key);

/* The command line as an argv that ends with NULL; *ret_text owns the strings, the caller frees both. */
must_check int proc_argv(const char *proc, pid_t pid, char **ret_text, char ***ret_argv);

/* Does thread tid have a user shadow stack? */
bool proc_has_shadow_stack(const char *proc, pid_t tid);

/* Numeric entries of PATH, ascending; appended to *ret. */
must_check int proc_list(const char *path, struct pids *ret);
/* Threads of pid, ascending. -ESRCH when it is gone. */
must_check int proc_threads(const char *proc, pid_t pid, struct pids *ret);

/* Entry point of the executable (AT_ENTRY). -EOPNOTSUPP: not a 64-bit process. */
must_check int proc_entry_point(const char *proc, pid_t pid, uint64_t *ret);

/* System call of a blocked thread, from /proc/PID/task/TID/syscall. False when it runs, or the file
 * may not be read. */
struct proc_syscall {
	long nr; /* -1: blocked outside of a system call */
	uint64_t arg[6], sp, pc;
};
bool proc_syscall_read(const char *proc, pid_t pid, pid_t tid, struct proc_syscall *ret);
