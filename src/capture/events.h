/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which trace events this kernel has, and which of them are wanted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "capture/instance.h"

struct event {
	char *system, *name;
	bool wanted;
	char *filter; /* of the last pattern that asked for one, or NULL */
};
struct events ARRAY(struct event); /* sorted by system, then name */

/* All events that DIR/available_events names (DIR: tracefs or an instance): all but the kernel's own
 * records, system "ftrace". 0 or -errno, silent. */
must_check int events_list(const char *dir, struct events *ret);

/* Marks what PATTERN asks for: "SYSTEM:EVENT", "SYSTEM:" or "EVENT", each a glob; a word that is a
 * system's name means all of it. " if FILTER" (tracefs filter language) may follow. Returns how many
 * matched, or -EINVAL for an empty pattern. Pure but for memory (-ENOMEM). */
int events_want(struct events *e, const char *pattern);
/* Of the wanted events of that system (a glob) only records that also meet the condition. -ENOMEM. */
must_check int events_require(struct events *e, const char *system, const char *condition);
/* Of the wanted system calls none of this process, which must have one thread: each page that it streams
 * is a few, and would be events in turn. Its switches, and interrupts that it takes, stay. -ENOMEM. */
must_check int events_leave_out_own_calls(struct events *e);
size_t events_wanted(const struct events *e);

/* Sets filters and enables the wanted events in the instance. One message on failure. */
must_check int events_enable(const struct events *e, const struct instance *i);
/* Sets the filter of an event in the instance; "0" takes it away. One message on failure. */
must_check int event_filter(const struct event *ev, const char *filter, const struct instance *i);

void events_free(struct events *e);
#define _cleanup_events_ _cleanup_(events_free)
