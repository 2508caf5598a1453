/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The uprobes of a recording: one group, "onetsc_PID", made and removed for sure (undo journal). The
 * kernel's list of uprobes is everybody's: nothing but lines of that group is ever written. */
#pragma once

#include <sys/types.h>

#include "base/journal.h"
#include "capture/events.h"
#include "capture/probedef.h"

struct uprobes;

#define UPROBES_GROUP "onetsc_" /* and the pid */

/* A binary whose symbols are read and whose pages are probed: the same file, whatever becomes of its
 * path. */
struct binary {
	int fd;
	dev_t dev;
	ino_t ino;
	char *path; /* for people */
	struct mapped *map;
	size_t n;
};

/* One message on failure. path may be /proc/PID/exe; shown: what people call it. */
must_check int binary_open(const char *path, const char *shown, struct binary *ret);
void binary_close(struct binary *b);

/* Journals the group; creates nothing yet. One message on failure. */
must_check int uprobes_open(const char *tracefs, struct journal *journal, struct uprobes **ret);
/* Creates the probe, under a name that no other of the group has (p->name is changed), and appends it
 * to events as wanted. The page is read first, so that no fault is taken while the kernel patches.
 * One message on failure. */
must_check int uprobes_add(struct uprobes *u, const struct binary *b, struct probe *p,
			   struct events *events);
/* Deletes them; no instance may use one any more. One message on failure: they stay in the journal.
 * NULL is fine; frees u in any case. */
int uprobes_close(struct uprobes *u);

/* From 6.11 on a return probe is a system call on x86, and only from 6.14 on do seccomp filters of the
 * process let it pass: one that allows a list of calls kills the process. Is it safe on this kernel? */
bool uprobes_may_return(void);
/* The same for a release of the kernel. Pure. */
bool uprobes_return_is_safe(const char *release);

/* Undo handler; the text is "TRACEFS GROUP". */
#define UPROBES_UNDO "uprobes"
int uprobes_undo(const char *text);
