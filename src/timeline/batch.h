/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events on their way from the merge to the consumers: batches, of which several are worked on at a
 * time and given out in order. Used inside timeline/ only. */
#pragma once

#include "timeline/feed.h"
#include "timeline/timeline.h"

#define BATCH_EVENTS  512
#define BATCH_RETIRED 64 /* blocks that wait for a batch, at most */

struct batch {
	struct job job;
	struct batches *of;
	uint64_t number; /* from 1; 0: not in use */
	size_t n;
	struct block *retired; /* nothing behind this batch points into these */
	unsigned n_retired;
	int err;
	void **parts; /* by use */
	struct event ev[BATCH_EVENTS];
};

struct batches {
	const struct input *in;
	const struct timeline_use *uses;
	size_t n_uses;
	struct crew *crew;
	struct feed *feed;
	bool wants_tasks, has_work; /* any consumer */
	void **workers;		    /* by thread, use */
	unsigned n_workers;
	struct batch *ring;
	unsigned n_ring;
	struct batch *now;   /* being filled */
	uint64_t next, done; /* number of the next one, of the last one that was given out */
};

/* After the consumers' begin. Zero-initialised; batches_cancel() and batches_free() also after an error. */
must_check int batches_start(struct batches *b, const struct input *in,
			     const struct timeline_use *uses, size_t n, struct feed *feed);
/* What is not given out never is; nobody works on it any more. */
void batches_cancel(struct batches *b);
void batches_free(struct batches *b);
/* The batch at hand is full. */
must_check int batches_close(struct batches *b);
/* All of them. */
must_check int batches_finish(struct batches *b);
/* A block that no event to come is in. */
must_check int batches_retire(struct batches *b, struct block *block);

/* Room for the next event, which is in that block; NULL: full, close it first. */
static inline struct event *batches_room(struct batches *b, struct block *block)
{
	if (b->now->n == BATCH_EVENTS)
		return NULL;
	block->batch = b->now->number;
	return &b->now->ev[b->now->n++];
}
