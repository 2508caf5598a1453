// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/feed.h"

#include <errno.h>

/* Records of readers that keep none: copied. */
static struct hold *copy_items(struct block *b)
{
	struct hold *h;
	size_t bytes = 0;

	for (int i = 0; i < b->n; i++)
		if (!(b->items[i].flags & ITEM_LOST))
			bytes += (b->items[i].size + 15) & ~15u;
	h = hold_new(bytes);
	bytes = 0;
	for (int i = 0; i < b->n && h; i++) {
		struct source_item *it = &b->items[i];

		if (it->flags & ITEM_LOST)
			continue;
		memcpy(h->p + bytes, it->data, it->size);
		it->data = h->p + bytes;
		bytes += (it->size + 15) & ~15u;
	}
	return h;
}

static void read_block(struct block *b)
{
	struct feed_lane *l = b->of;

	b->n = source_cursor_read(l->cursor, b->items, FEED_ITEMS);
	b->tells = l->threadable && source_cursor_is_damaged(l->cursor);
	if (b->n <= 0)
		return;
	if (l->threadable)
		b->hold = source_cursor_hold(l->cursor);
	else if (!(b->hold = copy_items(b)))
		b->n = -ENOMEM;
	if (b->n > 0)
		l->prepare(l, b);
}

static void read_chain(struct job *j, unsigned worker)
{
	struct block *b = (struct block *)j;

	do
		read_block(b);
	while (b->n > 0 && (b = b->next));
}

static struct block *take_spare(struct feed *f, struct feed_lane *l)
{
	struct block *b = f->spare;

	if (b)
		f->spare = b->next;
	else
		b = calloc(1, sizeof(*b));
	if (b && l->is_wide && !b->widths)
		b->widths = malloc(FEED_ITEMS * sizeof(*b->widths));
	if (b && l->is_wide && !b->widths) {
		free(b);
		b = NULL;
	}
	if (b) {
		b->job = (struct job){.run = read_chain};
		b->of = l;
		b->next = NULL;
		b->hold = NULL;
		b->n = 0;
	}
	return b;
}

void feed_start(struct feed *f, struct feed_lane *l, struct source_cursor *cursor)
{
	l->cursor = cursor;
	l->now = l->ready = l->ahead = NULL;
	l->threadable = source_cursor_is_threadable(cursor);
	if (l->threadable)
		source_cursor_defer(cursor);
}

static void recycle_all(struct feed *f, struct block *b)
{
	while (b) {
		struct block *next = b->next;

		feed_recycle(f, b);
		b = next;
	}
}

static int read_ahead(struct feed *f, struct feed_lane *l)
{
	struct block *chain = NULL;

	for (unsigned i = 0; i < f->chain; i++) {
		struct block *b = take_spare(f, l);

		if (!b) {
			recycle_all(f, chain);
			return -ENOMEM;
		}
		b->next = chain;
		chain = b;
	}
	l->ahead = chain;
	crew_submit(f->crew, &chain->job, true);
	return 0;
}

/* Without threads one block at a time, which the caches can hold. */
static struct block *read_next(struct feed *f, struct feed_lane *l)
{
	struct block *b = l->ahead;

	if (b)
		crew_wait(f->crew, &b->job);
	else if ((b = take_spare(f, l)))
		read_block(b);
	l->ahead = NULL;
	return b;
}

int feed_next(struct feed *f, struct feed_lane *l, struct block **ret_old)
{
	struct block *b = l->ready, *last;

	*ret_old = l->now;
	l->now = NULL;
	if (!b) {
		b = read_next(f, l);
		if (!b)
			return -ENOMEM;
	}
	l->now = b;
	if (b->tells)
		source_cursor_tell(l->cursor);
	l->ready = b->next;
	b->next = NULL;
	if (!f->chain || !l->threadable || l->ahead || b->n <= 0)
		return 0;
	for (last = b; last->next; last = last->next)
		;
	return last->n > 0 ? read_ahead(f, l) : 0;
}

void feed_recycle(struct feed *f, struct block *b)
{
	if (!b)
		return;
	hold_put(b->hold);
	b->hold = NULL;
	b->next = f->spare;
	f->spare = b;
}

void feed_stop(struct feed *f, struct feed_lane *l)
{
	if (l->ahead)
		crew_cancel(f->crew, &l->ahead->job);
	recycle_all(f, l->ahead);
	recycle_all(f, l->ready);
	feed_recycle(f, l->now);
	source_cursor_free(l->cursor);
	l->cursor = NULL;
	l->now = l->ready = l->ahead = NULL;
}

void feed_free(struct feed *f)
{
	while (f->spare) {
		struct block *b = f->spare;

		f->spare = b->next;
		free(b->widths);
		free(b);
	}
}
