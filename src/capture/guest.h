/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's end of one guest's recording: a thread that waits for the agent, tells it what to
 * record and writes down what comes. The guest is not trusted: it can fill its quota and no more. */
#pragma once

#include <stdbool.h>

#include "capture/clockpair.h"
#include "capture/datfile.h"
#include "capture/link.h"

struct guest;

enum guest_state {
	GUEST_WAITING, /* no agent has answered yet */
	GUEST_SETUP,   /* it has, and prepares its tracing */
	GUEST_RECORDING,
	GUEST_DONE,   /* all that the agent had is in the file */
	GUEST_CUT,    /* the file holds what came before the connection was lost */
	GUEST_FAILED, /* no file; see why */
};

struct guest_config {
	const char *name; /* machine; copied */
	struct link_addr addr;
	const char *token;	     /* NULL: none */
	const char *const *patterns; /* events_want() patterns; valid as long as the guest */
	size_t n_patterns;
	uint64_t buffer_bytes, limit_bytes; /* per CPU; of the whole file */
	int dirfd;
	struct datfile_links links; /* known at the start: mult, shift */
	int notify_fd;		    /* eventfd, raised when something failed */
	bool expected;		    /* say so when no agent answers at first */
};

struct guest_status {
	enum guest_state state;
	bool tried; /* still WAITING, and the first attempts have failed */
	uint64_t bytes;
	int error;     /* that must end the whole recording (disk full), or 0 */
	char why[256]; /* with CUT and FAILED */
	/* Where guest TSC minus host TSC lay when it was asked last: an answer that came in time. */
	bool has_delta;
	int64_t delta_lo, delta_hi;
	int delta_cpu; /* guest CPU, -1 unknown */
};

/* Starts the thread; the address is taken over. Logs. */
must_check int guest_start(const struct guest_config *cfg, struct guest **ret);
void guest_status(struct guest *g, struct guest_status *ret);
/* Which APIC id each guest CPU said to have; the caller frees. 0 or -ENOMEM. */
must_check int guest_apics(struct guest *g, struct cpu_apics *ret);
/* Asks the agent to end; guest_join() waits for the rest of the data, bounded. */
void guest_stop(struct guest *g);
void guest_join(struct guest *g);
/* After guest_join(): NULL when there is no file. */
struct datfile *guest_file(struct guest *g);
/* CPU time the agent used, from its totals; 0 unknown. After guest_join(). */
uint64_t guest_cpu_time_us(const struct guest *g);
void guest_free(struct guest *g);
