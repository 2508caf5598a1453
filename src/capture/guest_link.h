/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The conversation with one agent. Private to guest*.c. */
#pragma once

#include <pthread.h>

#include "capture/chan.h"
#include "capture/guest.h"

struct guest {
	struct guest_config cfg;
	char *name;
	pthread_t thread;
	bool threaded;
	int stop_fd;
	struct datfile file; /* the thread's until guest_join() */
	uint64_t cpu_time_us;
	pthread_mutex_t lock; /* what follows */
	struct guest_status status;
	struct cpu_apics apics;
};

/* Talks until the agent said BYE or the session broke; the link is consumed. The state is set and
 * everything logged, except: -EAGAIN = try again later (busy); any other error with the state still
 * GUEST_WAITING = no agent there. */
must_check int guest_link_session(struct guest *g, struct link *link);

void guest_set(struct guest *g, enum guest_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The recording as a whole cannot go on. */
void guest_fail_all(struct guest *g, int error);
