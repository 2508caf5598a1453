// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/batch.h"

#include <errno.h>

static void work(struct job *j, unsigned worker)
{
	struct batch *b = (struct batch *)j;
	const struct batches *of = b->of;
	void **states = of->workers + worker * of->n_uses;

	b->err = 0;
	for (size_t i = 0; i < of->n_uses && !b->err; i++)
		if (of->uses[i].consumer->work)
			b->err = of->uses[i].consumer->work(states[i], b->ev, b->n, &b->parts[i]);
}

/* The next batches, as many as there are, but not more than a turn: a thread that waits for some of
 * them is not to wait for all. */
static void take_apart(struct job *j, unsigned worker)
{
	struct apart *a = (struct apart *)j;
	const struct batches *b = a->of;
	uint64_t closed = atomic_load_explicit(&a->closed, memory_order_acquire);
	uint64_t taken = atomic_load_explicit(&a->taken, memory_order_relaxed);

	for (unsigned n = 0; taken < closed && n < BATCH_TURN; n++, taken++) {
		const struct batch *batch = &b->ring[taken % b->n_ring];

		for (size_t i = 0; i < b->n_uses && !a->err && batch->n; i++)
			if (b->uses[i].apart)
				a->err = b->uses[i].consumer->batch(b->uses[i].state, batch->ev,
								    batch->n);
	}
	atomic_store_explicit(&a->taken, taken, memory_order_release);
}

static bool is_turn(const struct apart *a)
{
	return atomic_load_explicit(&a->closed, memory_order_relaxed) -
		       atomic_load_explicit(&a->taken, memory_order_relaxed) >=
	       BATCH_TURN;
}

static void open_batch(struct batches *b, struct batch *batch)
{
	b->now = batch;
	batch->job = (struct job){.run = work};
	batch->of = b;
	batch->number = b->next++;
	batch->n = 0;
	batch->err = 0;
	b->room = batch->ev;
	b->end = batch->ev + (b->left < BATCH_EVENTS ? b->left : BATCH_EVENTS);
}

static int make_workers(struct batches *b)
{
	unsigned n = b->has_work ? crew_size(b->crew) : 0;
	int r = 0;

	b->workers = calloc(n * b->n_uses + 1, sizeof(*b->workers));
	if (!b->workers)
		return -ENOMEM;
	b->n_workers = n;
	for (size_t i = 0; i < n * b->n_uses && !r; i++) {
		const struct timeline_use *u = &b->uses[i % b->n_uses];

		if (u->consumer->worker_new)
			r = u->consumer->worker_new(u->state, &b->workers[i]);
	}
	return r;
}

int batches_start(struct batches *b, const struct input *in, const struct timeline_use *uses,
		  size_t n, bool tasks, struct feed *feed)
{
	unsigned threads = crew_size(feed->crew);

	*b = (struct batches){.in = in,
			      .uses = uses,
			      .n_uses = n,
			      .crew = feed->crew,
			      .feed = feed,
			      .next = 1,
			      .left = b->left};
	for (size_t i = 0; i < n; i++) {
		b->wants_tasks |= uses[i].consumer->wants_tasks;
		b->has_work |= uses[i].consumer->work != NULL;
		b->has_apart |= uses[i].apart;
	}
	b->has_apart &= threads > 1 && !tasks && !b->wants_tasks;
	b->apart.job.run = take_apart;
	b->apart.of = b;
	b->n_ring = b->has_work && threads > 1 ? 2 * threads + 2 : 1;
	if (b->has_apart)
		b->n_ring = BATCH_APART;
	b->ring = calloc(b->n_ring, sizeof(*b->ring));
	if (!b->ring)
		return -ENOMEM;
	for (unsigned i = 0; i < b->n_ring; i++) {
		b->ring[i].parts = calloc(n + 1, sizeof(void *));
		if (!b->ring[i].parts)
			return -ENOMEM;
	}
	open_batch(b, b->ring);
	return make_workers(b);
}

static void recycle(struct batches *b, struct batch *batch)
{
	while (batch->retired) {
		struct block *block = batch->retired;

		batch->retired = block->next;
		feed_recycle(b->feed, block);
	}
	batch->n_retired = 0;
	batch->number = 0;
}

static void wait_apart(struct batches *b, uint64_t number)
{
	struct apart *a = &b->apart;

	if (atomic_load_explicit(&a->taken, memory_order_acquire) >= number)
		return;
	crew_wait(b->crew, &a->job);
	if (atomic_load_explicit(&a->taken, memory_order_relaxed) < number)
		take_apart(&a->job, 0);
	if (is_turn(a))
		crew_offer(b->crew, &a->job);
}

/* The oldest batch that is not given out. */
static int give_out(struct batches *b, struct batch *batch)
{
	int r;

	if (b->has_apart)
		wait_apart(b, batch->number);
	crew_wait(b->crew, &batch->job);
	r = batch->err ?: b->apart.err;
	for (size_t i = 0; i < b->n_uses && !r && batch->n; i++)
		if (b->uses[i].consumer->emit)
			r = b->uses[i].consumer->emit(b->uses[i].state, batch->parts[i]);
	recycle(b, batch);
	return r;
}

static void add_comms(const struct batches *b, struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		struct event *ev = &batch->ev[i];

		if (ev->type == EVENT_RECORD)
			ev->comm = source_comm(b->in->machines.v[ev->machine].source,
					       source_record_pid(ev->kind, ev->data));
	}
}

/* Not each batch: waking a thread costs as much as many events. */
static void offer_apart(struct batches *b)
{
	atomic_store_explicit(&b->apart.closed, b->now->number, memory_order_release);
	if (is_turn(&b->apart))
		crew_offer(b->crew, &b->apart.job);
}

int batches_close(struct batches *b)
{
	struct batch *batch = b->now, *next;
	int r = 0;

	batch->n = (size_t)(b->room - batch->ev);
	for (size_t i = 0; i < batch->n && b->left != UINT64_MAX; i++)
		b->left -= batch->ev[i].type == EVENT_RECORD;
	if (b->wants_tasks)
		add_comms(b, batch);
	for (size_t i = 0; i < b->n_uses && batch->n && !r; i++)
		if (b->uses[i].consumer->batch && !(b->has_apart && b->uses[i].apart))
			r = b->uses[i].consumer->batch(b->uses[i].state, batch->ev, batch->n);
	if (r)
		return r;
	if (b->has_work && batch->n)
		crew_submit(b->crew, &batch->job, false);
	if (b->has_apart)
		offer_apart(b);
	next = b->ring + (batch + 1 - b->ring) % b->n_ring;
	if (next->number)
		r = give_out(b, next);
	open_batch(b, next);
	return r;
}

int batches_finish(struct batches *b)
{
	int r = batches_close(b);

	for (unsigned i = 1; i < b->n_ring && !r; i++) {
		struct batch *batch = b->ring + (b->now - b->ring + i) % b->n_ring;

		if (batch->number)
			r = give_out(b, batch);
	}
	return r;
}

int batches_retire(struct batches *b, struct block *block)
{
	block->next = b->now->retired;
	b->now->retired = block;
	return ++b->now->n_retired < BATCH_RETIRED ? 0 : batches_close(b);
}

void batches_cancel(struct batches *b)
{
	if (b->has_apart)
		crew_cancel(b->crew, &b->apart.job);
	for (unsigned i = 0; i < b->n_ring && b->ring; i++)
		crew_cancel(b->crew, &b->ring[i].job);
}

void batches_free(struct batches *b)
{
	for (unsigned i = 0; i < b->n_ring && b->ring; i++) {
		recycle(b, &b->ring[i]);
		for (size_t k = 0; k < b->n_uses && b->ring[i].parts; k++)
			if (b->ring[i].parts[k])
				b->uses[k].consumer->part_free(b->ring[i].parts[k]);
		free(b->ring[i].parts);
	}
	for (size_t i = 0; i < b->n_workers * b->n_uses; i++)
		if (b->workers[i])
			b->uses[i % b->n_uses].consumer->worker_free(b->workers[i]);
	free(b->workers);
	free(b->ring);
}
