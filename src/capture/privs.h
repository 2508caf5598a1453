/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gives up what a root process does not need once it is set up. */
#pragma once

/* Keeps only what reading other users' processes and files takes (CAP_DAC_OVERRIDE,
 * CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE), kernel symbols (CAP_SYSLOG) and CAP_CHOWN, in all capability sets, and
 * sets no_new_privs. For root only; others are left alone. A refusal is worth a debug line. Call it
 * before there are threads. */
void privs_drop(void);
