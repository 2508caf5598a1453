/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The work on VMs: one thread each, because ptrace binds a stopped thread to the thread that
 * stopped it, and because two VMs must not wait for one another. */
#pragma once

#include "base/journal.h"
#include "cmd/zero_print.h"

struct jobs;

/* on_end is called in the job's thread after each VM; no locks are held. */
struct jobs_config {
	const struct zero_options *options;
	struct gate *gate;
	struct printer *printer;
	struct journal *journal;
	void (*on_end)(void *ctx, enum zero_outcome outcome);
	void *ctx;
};

must_check int jobs_new(const struct jobs_config *config, struct jobs **ret);
/* Starts no further jobs and waits for those that run. NULL is fine. */
void jobs_finish(struct jobs *jobs);
void jobs_free(struct jobs *jobs);

/* Zeroes the held VM and releases it. Does nothing when it is being worked on already, or when too
 * many are: the gate repeats its events. */
void jobs_start_held(struct jobs *jobs, const struct gate_event *e);
/* Zeroes a running VM whose guest has just written its TSC. */
void jobs_start_rezero(struct jobs *jobs, pid_t pid, uint64_t start_ns);
