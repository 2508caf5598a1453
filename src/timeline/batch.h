/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events on their way from the merge to the consumers: batches, of which several are worked on at a
 * time and given out in order. Used inside timeline/ only. */
#pragma once

#include <stdatomic.h>

#include "timeline/feed.h"
#include "timeline/timeline.h"

#define BATCH_EVENTS  512
#define BATCH_RETIRED 16 /* blocks that wait for a batch, at most */
#define BATCH_APART   64 /* batches for those apart: four turns */
#define BATCH_TURN    16

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

/* What takes all batches one after the other, in whichever thread. */
struct apart {
	struct job job;
	struct batches *of;
	atomic_uint_fast64_t closed; /* number of the last batch that there is to take */
	atomic_uint_fast64_t taken;  /* of the last one that was; the job sets it, else the merge */
	atomic_int err;
};

struct batches {
	const struct input *in;
	const struct timeline_use *uses;
	size_t n_uses;
	struct crew *crew;
	struct feed *feed;
	bool wants_tasks, has_work, has_apart; /* any consumer */
	struct apart apart;
	void **workers; /* by thread, use */
	unsigned n_workers;
	struct batch *ring;
	unsigned n_ring;
	struct batch *now; /* being filled: */
	struct event *room, *end;
	uint64_t left; /* records that are wanted, from the batch at hand on; set at first */
	uint64_t next; /* number of the next one */
};

/* After the consumers' begin. tasks: names of tasks are learned during the pass. Zero-initialised;
 * batches_cancel() and batches_free() also after an error. */
must_check int batches_start(struct batches *b, const struct input *in,
			     const struct timeline_use *uses, size_t n, bool tasks,
			     struct feed *feed);
/* What is not given out never is; nobody works on it any more. */
void batches_cancel(struct batches *b);
void batches_free(struct batches *b);
/* The batch at hand is full: room is end. It still is when there are as many events as are wanted:
 * left is 0. */
must_check int batches_close(struct batches *b);
/* All of them. */
must_check int batches_finish(struct batches *b);
/* A block that no event to come is in. */
must_check int batches_retire(struct batches *b, struct block *block);
