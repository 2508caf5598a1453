/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that records lie in when they are not in a mapped file, counted so that they can outlive
 * the reads they came from. Cursors that have a hold may be read in any thread, one read at a time. */
#pragma once

#include <stdatomic.h>
#include <stdlib.h>

#include "base/large.h"
#include "source/source.h"

struct hold {
	atomic_uint refs;
	size_t bytes;
	_Alignas(16) uint8_t p[];
};

static inline struct hold *hold_in(void *memory, size_t bytes)
{
	struct hold *h = memory;

	if (h) {
		atomic_init(&h->refs, 1);
		h->bytes = bytes;
	}
	return h;
}

/* With one reference; NULL without memory. */
static inline struct hold *hold_new(size_t bytes)
{
	return hold_in(malloc(sizeof(struct hold) + bytes), bytes);
}

static inline struct hold *hold_new_large(size_t bytes)
{
	return hold_in(large_new(sizeof(struct hold) + bytes), bytes);
}

static inline struct hold *hold_get(struct hold *h)
{
	if (h)
		atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
	return h;
}

static inline void hold_put(struct hold *h)
{
	if (h && atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) == 1)
		free(h);
}

/* Whether the cursor's reads may be done ahead, by another thread. */
bool source_cursor_is_threadable(const struct source_cursor *c);
/* For those: the memory that the last read's records are in, with a reference that is the caller's;
 * NULL: the map. */
struct hold *source_cursor_hold(const struct source_cursor *c);
/* For those: reads say nothing of damage; what they would have said is said here. */
void source_cursor_defer(struct source_cursor *c);
void source_cursor_tell(struct source_cursor *c);
bool source_cursor_is_damaged(const struct source_cursor *c); /* what was read so far */
/* The lane will be read again from its beginning: what this read costs beyond memory of a bounded size
 * (decompression) is not to be done twice. No other cursor reads the lane meanwhile. */
void source_cursor_keep(struct source_cursor *c);
