/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protocol buffers, writing side (https://protobuf.dev/programming-guides/encoding): a growing buffer of
 * fields. Pure; a failed allocation sticks in .failed and later calls do nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

struct pb { /* zero-initialise */
	uint8_t *p;
	size_t n, size;
	bool failed;
};

enum { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2 }; /* wire types */
#define PB_VARINT_MAX 10			      /* bytes */

void pb_free(struct pb *b);
#define _cleanup_pb_ _cleanup_(pb_free)
bool pb_grow(struct pb *b, size_t n);
/* A message inside that was begun at mark and is longer than 127 bytes. */
void pb_end_long(struct pb *b, size_t mark);
/* Any bytes as text: UTF-8 stays as it is, each control character and each byte that is not part of a
 * valid sequence becomes '?'. */
void pb_text(struct pb *b, uint32_t field, const char *s, size_t n);
/* The same in place. */
void pb_clean(char *s, size_t n);

/* Room for n more bytes. */
static inline bool pb_room(struct pb *b, size_t n)
{
	return b->size - b->n >= n || pb_grow(b, n);
}

/* Without a check for room. Returns the end. */
static inline uint8_t *pb_poke(uint8_t *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	*p++ = (uint8_t)v;
	return p;
}

static inline void pb_varint(struct pb *b, uint64_t v)
{
	if (pb_room(b, PB_VARINT_MAX))
		b->n = (size_t)(pb_poke(b->p + b->n, v) - b->p);
}

static inline void pb_tag(struct pb *b, uint32_t field, unsigned wire)
{
	pb_varint(b, (uint64_t)field << 3 | wire);
}

/* Also int32 and int64, which are sign-extended to 64 bits. */
static inline void pb_u64(struct pb *b, uint32_t field, uint64_t v)
{
	pb_tag(b, field, PB_VARINT);
	pb_varint(b, v);
}

static inline void pb_fixed64(struct pb *b, uint32_t field, uint64_t v)
{
	pb_tag(b, field, PB_FIXED64);
	if (!pb_room(b, 8))
		return;
	for (unsigned i = 0; i < 8; i++)
		b->p[b->n++] = (uint8_t)(v >> 8 * i);
}

static inline void pb_raw(struct pb *b, const void *s, size_t n)
{
	if (n && pb_room(b, n)) {
		memcpy(b->p + b->n, s, n);
		b->n += n;
	}
}

static inline void pb_bytes(struct pb *b, uint32_t field, const void *s, size_t n)
{
	pb_tag(b, field, PB_BYTES);
	pb_varint(b, n);
	pb_raw(b, s, n);
}

static inline void pb_puts(struct pb *b, uint32_t field, const char *s)
{
	pb_text(b, field, s, strlen(s));
}

/* A whole message as a field. */
static inline void pb_message(struct pb *b, uint32_t field, const struct pb *m)
{
	b->failed |= m->failed;
	pb_bytes(b, field, m->p, m->n);
}

/* Begins a message inside; pb_end() takes what this returns. Its length is one byte as long as that does:
 * most messages are small. */
static inline size_t pb_begin(struct pb *b, uint32_t field)
{
	pb_tag(b, field, PB_BYTES);
	if (pb_room(b, 1))
		b->n++;
	return b->n;
}

static inline void pb_end(struct pb *b, size_t mark)
{
	if (b->n - mark < 0x80 && !b->failed)
		b->p[mark - 1] = (uint8_t)(b->n - mark);
	else
		pb_end_long(b, mark);
}
