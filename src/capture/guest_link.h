/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the conversations with agents have in common. Private to guest*.c. */
#pragma once

#include <pthread.h>

#include "capture/guest.h"

struct guest_slot {
	struct guest_part part;
	struct cpu_apics apics; /* under the guest's lock */
};

struct guest {
	struct guest_config cfg;
	char *name;
	pthread_t thread;
	bool threaded;
	int stop_fd;
	unsigned setup_failures; /* in a row */
	pthread_mutex_t lock;	 /* what follows */
	struct guest_status status;
	struct ARRAY(struct guest_slot *) parts;
};

extern const struct guest_agent guest_agent_onetsc, guest_agent_tracecmd;

void guest_set(struct guest *g, enum guest_state state, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The recording as a whole cannot go on. */
void guest_fail_all(struct guest *g, int error);
/* Has guest_stop() been called? */
bool guest_stop_asked(const struct guest *g);

/* --- guest_part.c: one part --- */
/* The first or next one; state SETUP. Nothing of it is seen outside before guest_part_begin(). */
must_check int guest_part_new(struct guest *g, struct guest_slot **ret);
/* meta, cpus and page_bytes of its file are known: creates it; state RECORDING. Logs. */
must_check int guest_part_begin(struct guest *g, struct guest_slot *s);
/* Appends raw pages, or a piece of them, of a CPU. -EDQUOT above the limit; -EIO after a message. */
must_check int guest_part_write(struct guest *g, struct guest_slot *s, unsigned cpu,
				const void *data, size_t n);
/* Takes the list over. */
void guest_part_set_apics(struct guest *g, struct guest_slot *s, struct cpu_apics *list);
/* Ends it for that reason (0: the agent's farewell) and sets the guest's state; one message. s may be
 * NULL (nobody answered as an agent must) and is freed when nothing was recorded. spoke: something
 * answered, but not as that agent does. Returns r. */
int guest_part_end(struct guest *g, struct guest_slot *s, int r, bool spoke);
/* The agent will not record, and asking again is useless. Logs. */
void guest_give_up(struct guest *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void guest_slot_free(struct guest_slot *s);
