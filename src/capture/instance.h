/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A private ftrace instance, "onetsc-PID-KIND": made, set up, and removed for sure (undo journal).
 * Nothing outside the instance's own directory is ever written. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/journal.h"

struct instance {
	char *name, *path;
	int dirfd;
	unsigned cpus;	       /* per_cpu/cpu0..cpus-1; possible CPUs, some may be offline */
	uint32_t page_bytes;   /* ring-buffer page ("subbuffer") */
	uint64_t buffer_bytes; /* per CPU */
	struct journal *journal;
	uint64_t undo_id;
};

struct instance_spec {
	const char *root;      /* tracefs, from tracefs_find() */
	const char *kind;      /* "host", "epochs", "agent" */
	uint64_t buffer_bytes; /* per CPU */
	bool overwrite;	       /* full: lose the oldest events; else the newest */
};

struct instance_stats {
	uint64_t events; /* read by us */
	uint64_t overrun, dropped;
};

/* Mount point of tracefs, which the caller frees. One message on failure: not mounted (-ENODEV), no
 * permission (-EACCES). */
must_check int tracefs_find(char **ret);

/* Creates the instance with the clock x86-tsc and tracing off. The inverse is journaled first. One
 * message on failure, and nothing is left. */
must_check int instance_create(const struct instance_spec *spec, struct journal *journal,
			       struct instance **ret);
/* Switches tracing on or off. One message on failure. */
must_check int instance_run(const struct instance *i, bool on);
/* What the kernel counted for one CPU (per_cpu/cpuN/stats). 0 or -errno, silent. */
must_check int instance_stats(const struct instance *i, unsigned cpu, struct instance_stats *ret);
/* Removes it; every file opened in it must be closed. -EBUSY and others after one message: it then
 * stays in the journal. NULL is fine; frees i in any case. */
int instance_remove(struct instance *i);

/* Undo handler of journal kind INSTANCE_UNDO; the text is the instance's path. */
#define INSTANCE_UNDO "instance"
int instance_undo(const char *text);
