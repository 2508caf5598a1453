/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sums of exits by VM and what else is asked for: reason, vCPU, guest task, handler. Takes the exits
 * of insight/exits. */
#pragma once

#include "insight/exits.h"
#include "insight/histogram.h"

enum exitstat_key {
	STAT_BY_VCPU = 1,
	STAT_BY_REASON = 2,
	STAT_BY_TASK = 4,    /* name of the guest task that ran at the exit */
	STAT_BY_HANDLER = 8, /* reason of the exit to user space, and what it was about */
};

#define EXITSTAT_ROWS \
	2000 /* a hostile guest may have any number of task names; the rest is one row */

struct exitstat_row {
	uint16_t machine;
	bool others; /* all that came when EXITSTAT_ROWS were full */
	/* zero, or "", for what is not asked for */
	const struct input_vcpu *vcpu;
	uint32_t isa, reason;
	const char *reason_text; /* as long as the exits */
	char task[20], user[24], handler[64];
	bool idle; /* the guest's idle task */
	/* sums */
	uint64_t count;			   /* all exits */
	struct histogram time;		   /* from exit to re-entry, of those that have one */
	uint64_t state_ticks[VCPU_STATES]; /* of the complete: sum to time.sum */
};

struct exitstat;
/* keys: of enum exitstat_key */
must_check int exitstat_new(unsigned keys, struct exitstat **ret);
void exitstat_free(struct exitstat *s);
/* For struct exits_ops; state is the struct exitstat. */
int exitstat_exit(void *state, const struct vcpu_exit *e);
/* By machine, then by falling sum of time; as long as the exitstat. */
struct exitstat_row *const *exitstat_rows(struct exitstat *s, size_t *ret_n);

#define _cleanup_exitstat_ _cleanup_(exitstat_cleanup)
static inline void exitstat_cleanup(struct exitstat **s)
{
	exitstat_free(*s);
}
