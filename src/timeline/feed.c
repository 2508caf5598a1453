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

static void read_block(struct job *j, unsigned worker)
{
	struct block *b = (struct block *)j;

	b->n = source_cursor_read(b->cursor, b->items, FEED_ITEMS);
	if (b->n <= 0)
		return;
	if (source_cursor_is_threadable(b->cursor))
		b->hold = source_cursor_hold(b->cursor);
	else if (!(b->hold = copy_items(b)))
		b->n = -ENOMEM;
}

static struct block *take_spare(struct feed *f, struct source_cursor *cursor)
{
	struct block *b = f->spare;

	if (b)
		f->spare = b->next;
	else
		b = malloc(sizeof(*b));
	if (b) {
		b->job = (struct job){.run = read_block};
		b->cursor = cursor;
		b->next = NULL;
		b->hold = NULL;
		b->batch = 0;
		b->n = 0;
	}
	return b;
}

void feed_start(struct feed *f, struct feed_lane *l, struct source_cursor *cursor)
{
	*l = (struct feed_lane){.cursor = cursor,
				.threadable = source_cursor_is_threadable(cursor)};
	if (l->threadable)
		source_cursor_defer(cursor);
}

static int read_ahead(struct feed *f, struct feed_lane *l)
{
	l->ahead = take_spare(f, l->cursor);
	if (!l->ahead)
		return -ENOMEM;
	crew_submit(f->crew, &l->ahead->job, true);
	return 0;
}

int feed_next(struct feed *f, struct feed_lane *l, struct block **ret_old)
{
	*ret_old = l->now;
	l->now = l->ahead ?: take_spare(f, l->cursor);
	if (!l->now)
		return -ENOMEM;
	if (l->ahead)
		crew_wait(f->crew, &l->ahead->job);
	else
		read_block(&l->now->job, 0);
	l->ahead = NULL;
	if (l->threadable)
		source_cursor_tell(l->cursor);
	return f->ahead && l->threadable && l->now->n > 0 ? read_ahead(f, l) : 0;
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
	if (l->ahead) {
		crew_cancel(f->crew, &l->ahead->job);
		feed_recycle(f, l->ahead);
	}
	feed_recycle(f, l->now);
	source_cursor_free(l->cursor);
	*l = (struct feed_lane){0};
}

void feed_free(struct feed *f)
{
	while (f->spare) {
		struct block *b = f->spare;

		f->spare = b->next;
		free(b);
	}
}
