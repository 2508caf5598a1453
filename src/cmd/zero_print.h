/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output of `onetsc zero`: a thread of its own writes stdout, so that a blocked terminal or pipe
 * never keeps a VM waiting. */
#pragma once

#include "cmd/zero.h"
#include "vm/gate.h"
#include "vm/offset.h"

enum zero_outcome {
	ZERO_DONE,     /* all vCPUs at offset 0 */
	ZERO_REFUSED,  /* left alone for the reason in .refusal */
	ZERO_CATCHUP,  /* left alone: KVM rewrites the offset at each exit */
	ZERO_FOREIGN,  /* left alone: several VMs in one process */
	ZERO_RESTORED, /* left alone: its TSC comes from saved state */
	ZERO_PARTIAL,  /* left alone: only some vCPUs got a new TSC */
	ZERO_TIMEOUT,  /* the deadline let it run */
	ZERO_SLIPPED,  /* left alone: a vCPU ran before it could be held */
};

struct zero_report {
	enum zero_outcome outcome;
	pid_t pid;
	uint64_t start_ns; /* of the VMM, CLOCK_BOOTTIME */
	int64_t offset;	   /* before */
	enum offset_refusal refusal;
	struct offset_result result;
	uint64_t held_ns, time_ns; /* how long, and until when (CLOCK_MONOTONIC) */
};

struct printer;

/* on_guest_write is called with --rezero, in the printer's thread, for each write by the guest itself
 * to a VM that was at offset 0. on_closed: stdout is gone. */
struct printer_config {
	const struct zero_options *options;
	void (*on_guest_write)(void *ctx, pid_t pid, uint64_t start_ns);
	void (*on_closed)(void *ctx);
	void *ctx;
};

must_check int printer_new(const struct printer_config *config, struct printer **ret);
/* Takes g's writes from now on. */
must_check int printer_start(struct printer *p, struct gate *g);
/* Prints what is left and ends the thread. */
void printer_stop(struct printer *p);
void printer_free(struct printer *p);

/* gate_config.on_write; ctx is the printer. */
void printer_on_write(void *printer, const struct gate_write *w);
/* From any thread; never waits. */
void printer_post(struct printer *p, const struct zero_report *r);
