/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One lane of a running merge: reads its source, turns stamps into host ticks, drops what the filter
 * does not want and holds the event that is next. Used inside timeline/ only. */
#pragma once

#include "timeline/align.h"
#include "timeline/feed.h"
#include "timeline/filter.h"
#include "timeline/seek.h"
#include "timeline/timeline.h"

struct lane {
	struct timeline_lane pub;
	const struct input_machine *machine;
	size_t source_lane;
	const struct filter *filter;
	const struct tasks *tasks;	     /* NULL: nobody wants to know their names */
	struct align_plan plan;		     /* empty: one epoch for all */
	const struct source_kind *exit_kind; /* host: kvm_exit goes last among equals */
	uint32_t index;
	uint64_t begin; /* of the recording: a gap before the first event starts there */
	/* running */
	bool is_shifted; /* ticks = stamp - shift, always */
	bool has_tests;	 /* not every record within the filter's time passes */
	uint64_t shift;
	struct feed_lane feed;
	unsigned pos, n; /* in feed.now */
	uint64_t seq;	 /* of the next record */
	size_t segment;	 /* of the plan */
	uint64_t floor;	 /* ticks of the last event: a lane never goes back */
	/* the next event, valid while !ended */
	bool ended, doubtful;
	uint32_t tie; /* order among equal ticks */
	uint64_t ticks, width, err_ticks, end_ticks;
	const struct source_item *item;
};

/* Works out the plans of guest lanes whose offset changed. */
must_check int plans_make(const struct input *in, struct lane *const *lanes, size_t n);

/* Takes blocks that no event to come is in. */
struct lane_keep {
	struct feed feed;
	int (*retire)(void *state, struct block *b);
	void *state;
};

/* Opens the cursor and prepares the first event. places: of the source's lane, or NULL. */
must_check int lane_start(struct lane *l, struct lane_keep *k, const struct seek_places *places);
/* Whether stamps alone tell host ticks. */
bool lane_can_seek(const struct lane *l);
/* Host ticks of a stamp of such a lane, about at near. */
uint64_t lane_ticks(struct lane *l, uint64_t raw_ticks, uint64_t near);
/* Prepares the next event, or sets ended. 0 or -errno. */
must_check int lane_next(struct lane *l, struct lane_keep *k);
/* The event that is next. It points into the block l->feed.now. */
void lane_event(const struct lane *l, struct event *ret);
void lane_stop(struct lane *l, struct lane_keep *k);
/* Host ticks of the lane's first record; UINT64_MAX without one. */
must_check int lane_first_ticks(const struct lane *l, uint64_t *ret);
