/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks of records: read from a lane's source one after the other, put on the host's clock, at times
 * ahead by another thread and several at once, and kept until all events that point into them have
 * been consumed. Used inside timeline/ only. */
#pragma once

#include "source/hold.h"
#include "timeline/crew.h"

#define FEED_ITEMS 512
#define FEED_CHAIN 8 /* blocks that a thread reads at once, at most */

enum { /* flags of a block's items, behind those of source.h */
       ITEM_LATE =
	       32, /* its ticks are bounded, not exact: another record's, or one of two readings */
       ITEM_LAST = 64, /* goes last among equals */
};

struct feed_width { /* of a record whose stamp tells an interval: timeline/event.h */
	uint64_t width, err_ticks;
};

struct feed_lane;

struct block {
	struct job job; /* reads it and those behind it */
	struct block *next;
	struct feed_lane *of;
	struct hold *hold;	    /* what items point into; NULL: the map */
	int n;			    /* items, or -errno */
	bool tells;		    /* damage in it or before it: said when it is taken */
	struct feed_width *widths;  /* of wide lanes */
	uint64_t ticks[FEED_ITEMS]; /* host ticks of the items: what they are merged by */
	struct source_item items[FEED_ITEMS];
};

struct feed { /* of all lanes of a run */
	struct crew *crew;
	struct block *spare;
	unsigned chain; /* blocks that threads read ahead at once, at most FEED_CHAIN; 0: none */
};

/* The stream of one lane. */
struct feed_lane {
	struct source_cursor *cursor;
	void (*prepare)(struct feed_lane *l,
			struct block *b); /* sets ticks and widths; in any thread */
	bool is_wide;
	struct block *now;   /* last taken */
	struct block *ready; /* to be taken next, read already */
	struct block *ahead; /* being read */
	bool threadable;
};

/* Takes the cursor over. prepare: of the lane. */
void feed_start(struct feed *f, struct feed_lane *l, struct source_cursor *cursor);
/* l->now becomes the next block, what it was is the caller's: *ret_old, which may be NULL. -errno:
 * no memory; what reading said is in the block. */
must_check int feed_next(struct feed *f, struct feed_lane *l, struct block **ret_old);
void feed_stop(struct feed *f, struct feed_lane *l);
/* Nothing points into the block any more. */
void feed_recycle(struct feed *f, struct block *b);
void feed_free(struct feed *f);
