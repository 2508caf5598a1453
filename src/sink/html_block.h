/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Columns of numbers, and the blocks of a page they are written in: base64 of a zlib stream inside an
 * element that no browser runs. Used by the html sink only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "sink/out.h"

struct col { /* zero-initialise; col_free() */
	uint8_t *p;
	size_t n, size;
	bool failed; /* no memory: sticks */
};

void col_grow(struct col *c, size_t more);
void col_free(struct col *c);
/* Empties it; gives large memory back. */
void col_reset(struct col *c);
void col_bytes(struct col *c, const void *p, size_t n);

/* LEB128. */
static inline void col_u64(struct col *c, uint64_t v)
{
	if (c->size - c->n < 10)
		col_grow(c, 10);
	if (c->failed)
		return;
	for (; v >= 0x80; v >>= 7)
		c->p[c->n++] = (uint8_t)(v | 0x80);
	c->p[c->n++] = (uint8_t)v;
}

/* Zigzag: small for small distances in both directions. */
static inline void col_s64(struct col *c, int64_t v)
{
	col_u64(c, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}

struct block; /* the encoder */

must_check int block_new(struct out *out, struct block **ret);
void block_free(struct block *b);
/* One block: an element of that class (a letter), then its parts, then its end. Errors of memory and
 * zlib stick and are told by block_end(); those of out in out. */
void block_begin(struct block *b, char letter);
void block_put(struct block *b, const void *p, size_t n);
void block_col(struct block *b, const struct col *c);
void block_u64(struct block *b, uint64_t v);
/* A column of it could not be made: no memory. */
void block_fail(struct block *b);
must_check int block_end(struct block *b);
