/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A buffered stream to a file descriptor. Errors stick: later puts do nothing, out_flush() tells. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#define OUT_BYTES (128u << 10)

struct out {
	int fd, err;  /* err: 0 or -errno of the first failure */
	bool is_part; /* a part of a stream, kept in memory until it is its turn */
	size_t n;
	struct strbuf full; /* of a part: what went before buf */
	char buf[OUT_BYTES];
};

/* For consumers with work and emit (timeline/event.h): *part is made, or emptied. NULL without memory. */
struct out *out_part(void **part);
/* Appends a part to a stream. 0 or the stream's -errno. */
must_check int out_part_put(struct out *o, const struct out *part);
void out_part_free(void *part);

/* Writes what is buffered. 0 or the -errno that stuck. */
must_check int out_flush(struct out *o);
void out_put_slow(struct out *o, const char *s, size_t n);

static inline void out_put(struct out *o, const char *s, size_t n)
{
	if (n > OUT_BYTES - o->n) {
		out_put_slow(o, s, n);
		return;
	}
	memcpy(o->buf + o->n, s, n);
	o->n += n;
}

static inline void out_puts(struct out *o, const char *s)
{
	out_put(o, s, strlen(s));
}

static inline void out_char(struct out *o, char c)
{
	if (o->n == OUT_BYTES)
		out_put_slow(o, &c, 1);
	else
		o->buf[o->n++] = c;
}

void out_make_room(struct out *o);
void out_fill_slow(struct out *o, char c, size_t n);

/* Room for n bytes (at most OUT_BYTES) at the end: to write there, and then out_wrote() its end. */
static inline char *out_room(struct out *o, size_t n)
{
	if (n > OUT_BYTES - o->n)
		out_make_room(o);
	return o->buf + o->n;
}

static inline void out_wrote(struct out *o, const char *end)
{
	o->n = (size_t)(end - o->buf);
}

/* n times the character. */
static inline void out_fill(struct out *o, char c, size_t n)
{
	if (n > OUT_BYTES - o->n) {
		out_fill_slow(o, c, n);
		return;
	}
	memset(o->buf + o->n, c, n);
	o->n += n;
}

void out_u64(struct out *o, uint64_t v);
void out_hex(struct out *o, uint64_t v);
/* Right-aligned in width columns, padded with the character. */
void out_u64_pad(struct out *o, uint64_t v, unsigned width, char pad);
/* For people: every byte that could command a terminal, and every byte beyond ASCII, as \xNN; a
 * newline becomes a new line that begins with indent, so that no text can pose as an event. */
void out_escaped(struct out *o, const char *s, size_t n, const char *indent);
/* Whether out_escaped() would write it as it is; false for a tab too. From 16 bytes before end on all
 * may be read, also what is before s. */
bool out_is_plain(const char *s, const char *end);
/* A JSON string with quotes; invalid UTF-8 becomes U+FFFD. */
void out_json(struct out *o, const char *s, size_t n);
