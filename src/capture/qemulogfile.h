/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a running QEMU's log goes, and what its monitor's `logfile NAME` needs to set it back. QEMU
 * cannot be asked, and it can only be given a name, which it opens anew (util/log.c): a file loses what
 * is in it (up to 9.x only at the first opening), and stderr itself cannot be had again, only what is
 * behind it. Reads /proc; silent. */
#pragma once

#include <sys/types.h>

#include "capture/qemuargs.h"

/* *ret_name, which the caller frees: the log can be set back to that, with the same effect. Else
 * -EOPNOTSUPP, and *ret_why says why it must be left alone. */
must_check int qemulogfile_find(pid_t pid, const struct qemuargs *args, char **ret_name,
				const char **ret_why);
/* Is it a file that QEMU has open? */
bool qemulogfile_is_open(pid_t pid, const char *name);
/* May that name be given to QEMU (still)? False: it would lose data, block or fail. */
bool qemulogfile_is_safe(pid_t pid, const char *name);

/* The user as which QEMU opens files. */
uid_t qemulogfile_uid(pid_t pid);
/* A descriptor of the process that is the file of that path; -ENOENT. */
int qemulogfile_fd(pid_t pid, const char *path);
/* `logfile "NAME"` with the monitor's quoting; the caller frees. */
char *qemulogfile_command(const char *name);
