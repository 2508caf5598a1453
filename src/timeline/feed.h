/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blocks of records: read from a lane's source one after the other, at times ahead by another thread,
 * and kept until all events that point into them have been consumed. Used inside timeline/ only. */
#pragma once

#include "source/hold.h"
#include "timeline/crew.h"

#define FEED_ITEMS 512

struct block {
	struct job job; /* reads it */
	struct block *next;
	struct source_cursor *cursor;
	struct hold *hold; /* what items point into; NULL: the map */
	uint64_t batch;	   /* the last one that has an event from it */
	int n;		   /* items, or -errno */
	struct source_item items[FEED_ITEMS];
};

struct feed { /* of all lanes of a run */
	struct crew *crew;
	struct block *spare;
	bool ahead; /* threads read ahead */
};

/* The stream of one lane. */
struct feed_lane {
	struct source_cursor *cursor;
	struct block *now, *ahead; /* now: the block last taken */
	bool threadable;
};

/* Takes the cursor over. */
void feed_start(struct feed *f, struct feed_lane *l, struct source_cursor *cursor);
/* l->now becomes the next block, what it was is the caller's: *ret_old, which may be NULL. -errno:
 * no memory; what reading said is in the block. */
must_check int feed_next(struct feed *f, struct feed_lane *l, struct block **ret_old);
void feed_stop(struct feed *f, struct feed_lane *l);
/* Nothing points into the block any more. */
void feed_recycle(struct feed *f, struct block *b);
void feed_free(struct feed *f);
