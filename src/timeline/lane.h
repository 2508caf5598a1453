/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One lane of a running merge: reads its source, turns stamps into host ticks, drops what the filter
 * does not want and holds the event that is next. Used inside timeline/ only. */
#pragma once

#include "timeline/align.h"
#include "timeline/filter.h"
#include "timeline/timeline.h"

#define LANE_ITEMS 256

struct lane {
	struct timeline_lane pub;
	const struct input_machine *machine;
	size_t source_lane;
	const struct filter *filter;
	const struct tasks *tasks;	     /* NULL: nobody wants to know their names */
	struct align_plan plan;		     /* empty: one epoch for all */
	const struct source_kind *exit_kind; /* host: kvm_exit goes last among equals */
	/* running */
	struct source_cursor *cursor;
	struct event head; /* the next event; valid while !ended */
	uint64_t key;	   /* head.ticks */
	uint32_t tie;	   /* order among equal keys */
	uint32_t index;
	bool ended;
	uint64_t floor; /* ticks of the last event: a lane never goes back */
	uint64_t begin; /* of the recording: a gap before the first event starts there */
	unsigned pos, n;
	uint64_t seq;	  /* of the next record */
	size_t segment;	  /* of the plan */
	uint64_t flushes; /* of the batch, when the source was last read */
	struct source_item items[LANE_ITEMS];
};

/* Works out the plans of guest lanes whose offset changed. */
must_check int plans_make(const struct input *in, struct lane *const *lanes, size_t n);

/* Called before a read that ends the life of records handed out two reads ago. */
struct lane_flush {
	int (*flush)(void *state);
	void *state;
	uint64_t count; /* flushes so far */
};

/* Opens the cursor and prepares the first event. */
must_check int lane_start(struct lane *l, struct lane_flush *f);
/* Prepares the next event, or sets ended. 0 or -errno. */
must_check int lane_next(struct lane *l, struct lane_flush *f);
void lane_stop(struct lane *l);
/* Host ticks of the lane's first record; UINT64_MAX without one. */
must_check int lane_first_ticks(const struct lane *l, uint64_t *ret);
