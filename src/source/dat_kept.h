/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decompressed chunks of lanes that their next reader need not decompress again: the first ones of each
 * lane that is read to keep them, as far as there is room in one piece of memory of the file. */
#pragma once

#include <stdatomic.h>

#include "base/array.h"
#include "source/hold.h"

#define DAT_KEPT_MAX (16u << 20)

struct dat_room {	   /* of a file */
	struct hold *hold; /* NULL: none yet */
	atomic_size_t used;
};

struct dat_kept_chunk {
	size_t at, bytes;
};

struct dat_kept { /* of a lane: by number of the chunk */
	struct ARRAY(struct dat_kept_chunk) v;
};

/* Room for the next chunk, or NULL. In the thread that reads the lane. */
static inline uint8_t *dat_kept_add(struct dat_kept *k, struct dat_room *room, uint32_t number,
				    size_t bytes)
{
	size_t at = atomic_load_explicit(&room->used, memory_order_relaxed);
	struct dat_kept_chunk *to;

	if (!room->hold || number != k->v.n)
		return NULL;
	do {
		if (bytes > DAT_KEPT_MAX - at || DAT_KEPT_MAX - at - bytes < 64)
			return NULL;
	} while (!atomic_compare_exchange_weak(&room->used, &at, (at + bytes + 64) & ~(size_t)63));
	to = array_add(&k->v);
	if (!to)
		return NULL;
	*to = (struct dat_kept_chunk){at, bytes};
	return room->hold->p + at;
}

/* What was added last makes no sense. */
static inline void dat_kept_drop(struct dat_kept *k)
{
	k->v.n--;
}

/* NULL: not kept. */
static inline uint8_t *dat_kept_get(const struct dat_kept *k, const struct dat_room *room,
				    uint32_t number, size_t bytes)
{
	return number < k->v.n && k->v.v[number].bytes == bytes ? room->hold->p + k->v.v[number].at
								: NULL;
}
