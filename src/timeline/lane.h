/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One lane of a running merge: reads its source, turns stamps into host ticks, drops what the filter
 * does not want and holds the event that is next. Used inside timeline/ only. */
#pragma once

#include "timeline/align.h"
#include "timeline/feed.h"
#include "timeline/filter.h"
#include "timeline/seek.h"
#include "timeline/timeline.h"

struct lane_totals {
	uint64_t events, doubtful;
	uint64_t gaps, lost, gaps_uncounted;
};

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
	/* of reading: what prepares blocks has these for itself */
	struct feed_lane feed;
	bool is_shifted; /* ticks = stamp - shift, always */
	uint64_t shift;
	uint64_t seq;	/* of the next record */
	size_t segment; /* of the plan */
	uint64_t floor; /* ticks of the last item: a lane never goes back */
	/* of merging: the next event, valid while !ended */
	bool ended;
	bool is_picky, has_tests;	/* not every item is an event, or names are learned */
	bool is_plain;			/* every item is an event, and no stamp an interval */
	const struct source_item *item; /* of the block at hand, up to end */
	const struct source_item *end;
	const uint64_t *ticks;	   /* of the item */
	uint32_t tie;		   /* order among equal ticks, but for those that go last */
	struct lane_totals totals; /* of the events that were given out */
};

/* What a lane's next event is merged by. */
struct lane_key {
	uint64_t ticks;
	uint64_t tie; /* the lane's index in its low bits */
};

#define LANE_BITS  24
#define LANE_MASK  ((1u << LANE_BITS) - 1)
#define LANE_ENDED UINT64_MAX /* as tie */

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
/* The same when there is more to it than the next item. */
must_check int lane_search(struct lane *l, struct lane_keep *k);
/* The event that is next, whatever it is. It points into the block l->feed.now. */
void lane_event_any(struct lane *l, struct event *ret);
void lane_stop(struct lane *l, struct lane_keep *k);
/* Host ticks of the lane's first record; UINT64_MAX without one. */
must_check int lane_first_ticks(const struct lane *l, uint64_t *ret);

/* Places among events of one tick, before machine and lane; a guest's are between those of the host. */
enum { LANE_HOST, LANE_GUEST, LANE_LAST };

static inline struct lane_key lane_key(const struct lane *l)
{
	uint64_t last;

	if (l->ended)
		return (struct lane_key){UINT64_MAX, LANE_ENDED};
	last = l->item->flags & ITEM_LAST;
	return (struct lane_key){*l->ticks, l->tie + last / ITEM_LAST * (LANE_LAST << LANE_BITS)};
}

/* Prepares the next event, or sets ended. 0 or -errno. */
static inline int lane_next(struct lane *l, struct lane_keep *k)
{
	l->ticks++;
	return ++l->item != l->end && !l->is_picky ? 0 : lane_search(l, k);
}

/* The event that is next: most often one that takes few instructions. */
static inline void lane_event(struct lane *l, struct event *ev)
{
	const struct source_item *it = l->item;

	if (!l->is_plain || it->flags & ~(uint32_t)ITEM_LAST) {
		lane_event_any(l, ev);
		return;
	}
	ev->ticks = *l->ticks;
	ev->raw_ticks = it->raw_ticks;
	ev->width = ev->err_ticks = 0;
	ev->machine = l->pub.machine;
	ev->cpu = l->pub.cpu;
	ev->type = EVENT_RECORD;
	ev->doubtful = false;
	ev->size = it->size;
	ev->lane = l->index;
	ev->kind = it->kind;
	ev->data = it->data;
	l->totals.events++;
}
