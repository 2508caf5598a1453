/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's end of one guest's recording: a thread that waits for an agent, tells it what to record
 * and writes down what comes; when the agent goes away (reset, reboot, crash) it waits again. The
 * guest is not trusted: it can fill its quota and no more. */
#pragma once

#include <stdbool.h>

#include "capture/clockpair.h"
#include "capture/datfile.h"
#include "capture/link.h"

struct guest;

/* One per protocol that an agent may speak; the table is in guest.c. */
struct guest_agent {
	const char *name; /* "onetsc", "trace-cmd" */
	unsigned port;	  /* of vsock, where it listens by default */
	/* Talks until the recording or the connection ends; the link is consumed. 0 or -errno, state
	 * and messages as guest_part_end() leaves them. */
	int (*session)(struct guest *g, struct link *link);
};
/* NULL: there is none of that name. */
const struct guest_agent *guest_agent_find(const char *name);

enum guest_state {
	GUEST_WAITING, /* no agent has answered yet */
	GUEST_SETUP,   /* one has, and prepares its tracing */
	GUEST_RECORDING,
	GUEST_LOST,   /* it has recorded and went away; waiting for it to come back */
	GUEST_DONE,   /* all that the agent had is in the file */
	GUEST_CUT,    /* the files hold what came before the connection was lost for good */
	GUEST_FAILED, /* no file; see why */
};

struct guest_config {
	const char *name; /* machine; copied */
	struct link_addr addr;
	const struct guest_agent *agent; /* NULL: whichever answers */
	const char *token;		 /* NULL: none */
	const char *const *patterns;	 /* events_want() patterns; valid as long as the guest */
	size_t n_patterns;
	char *const *probes; /* for our own agent, as in WIRE_START */
	size_t n_probes;
	uint64_t buffer_bytes, limit_bytes; /* per CPU; of all its files */
	int dirfd;
	struct datfile_links links; /* known at the start: mult, shift */
	int notify_fd;		    /* eventfd, raised when something failed */
	bool expected;		    /* say so when no agent answers at first */
	/* The VMM, pid 0 unknown: an agent that comes back when it is gone is another VM's. */
	pid_t pid;
	uint64_t start_ticks;
};

struct guest_status {
	enum guest_state state;
	bool tried; /* still WAITING, and the first attempts have failed */
	uint64_t bytes;
	int error;     /* that must end the whole recording (disk full), or 0 */
	char why[256]; /* with LOST, CUT and FAILED */
	/* Where guest TSC minus host TSC lay when it was asked last: an answer that came in time. */
	bool has_delta;
	int64_t delta_lo, delta_hi;
	int delta_cpu; /* guest CPU, -1 unknown */
};

/* What one agent recorded, from its answer until it or the guest went away. */
struct guest_part {
	struct datfile
		file; /* the thread's until guest_join(), but name and trace_id do not change */
	uint64_t begin_tsc, end_tsc; /* host ticks around it; end 0: goes on */
	bool cut;		     /* it ended without the agent's farewell */
	bool counted;		     /* events and losses are known */
	bool in_order;		     /* the agent did not say which vCPU its CPUs are */
	uint64_t cpu_time_us;	     /* that the agent used; 0 unknown. After guest_join() */
};

/* Starts the thread; the address is taken over. Logs. */
must_check int guest_start(const struct guest_config *cfg, struct guest **ret);
void guest_status(struct guest *g, struct guest_status *ret);
/* Parts that have a file, by time; their addresses hold as long as the guest. */
size_t guest_parts(struct guest *g);
struct guest_part *guest_part(struct guest *g, size_t i);
/* Which APIC id each guest CPU of a part said to have; the caller frees. 0 or -ENOMEM. */
must_check int guest_apics(struct guest *g, size_t part, struct cpu_apics *ret);
/* Asks the agent to end; guest_join() waits for the rest of the data, bounded. */
void guest_stop(struct guest *g);
void guest_join(struct guest *g);
void guest_free(struct guest *g);
