/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One event of the merged timeline, and what takes events. Events point into mapped files: nothing
 * is copied. They stay valid until the consumer's batch call returns. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct source_kind; /* source/source.h: one event kind of one machine: name, system, fields, id */

enum event_type {
	EVENT_RECORD, /* a trace event: kind and data are set */
	EVENT_LOST, /* events of this lane are missing from ticks to end_ticks; lost = how many, or
		       * UINT64_MAX when the kernel did not say;
		       * end_ticks UINT64_MAX: to the end of the recording */
};

struct event {
	uint64_t ticks;	    /* host TSC ticks: the low end of the interval */
	uint64_t raw_ticks; /* the stamp in its own machine's clock */
	uint64_t width;	    /* high end = ticks + width; 0 when exact */
	uint64_t err_ticks; /* not 0: the stamp is another clock's. ticks is the middle of where the
			     * event can be, ticks - err_ticks .. ticks + err_ticks; width is 0 */
	uint16_t machine;   /* index into timeline's machines; 0 is the host */
	uint16_t cpu;	    /* of that machine */
	uint8_t type;	    /* enum event_type */
	uint8_t doubtful; /* the ring buffer did not keep the stamp: bounded, not exact; or, without
			     * a width, that of the next record, which came while this one was made */
	uint32_t size;	  /* bytes at data */
	uint32_t lane;
	const struct source_kind *kind;
	const void *data;	  /* the record, common fields first */
	uint64_t end_ticks, lost; /* EVENT_LOST only, else undefined */
	const char *comm; /* of its thread, NULL unknown; when a consumer of the pass wants_tasks */
};

struct timeline;

/* Gets all events in order. Several consumers share one pass. NULL members are skipped.
 *
 * begin, batch, emit and end are called one at a time by the thread that runs the pass. A consumer
 * whose work depends on nothing but the events themselves (text) has work and emit instead of batch:
 * then batches are worked on by several threads at a time and their results given out in order. What
 * work may use: the worker's own state, what no one changes during the pass, and event.comm (not
 * source_comm()). */
struct consumer {
	const char *name;
	int (*begin)(void *state, const struct timeline *t);
	int (*batch)(void *state, const struct event *ev,
		     size_t n); /* 0, or -errno stops the pass */
	int (*end)(void *state);
	bool wants_tasks; /* event.comm, and source_comm(), also know names that events told so far */

	/* A state for a thread, after begin. 0 or -errno after a message. */
	int (*worker_new)(void *state, void **ret);
	void (*worker_free)(void *worker);
	/* *part is NULL at first, later a part that emit is done with. 0 or -errno. */
	int (*work)(void *worker, const struct event *ev, size_t n, void **part);
	int (*emit)(void *state, void *part); /* 0, or -errno stops the pass */
	void (*part_free)(void *part);
};
