// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/out.h"

#include <emmintrin.h>
#include <errno.h>
#include <stdlib.h>
#include <stdbool.h>

#include "base/fd.h"
#include "base/text.h"

int out_flush(struct out *o)
{
	if (o->is_part && o->n) {
		strbuf_add(&o->full, o->buf, o->n);
		if (o->full.failed)
			o->err = -ENOMEM;
	} else if (!o->err && o->n) {
		o->err = fd_write_all(o->fd, o->buf, o->n);
	}
	o->n = 0;
	return o->err;
}

struct out *out_part(void **part)
{
	struct out *o = *part;

	if (!o) {
		o = *part = malloc(sizeof(*o));
		if (!o)
			return NULL;
		o->full = (struct strbuf){0};
	}
	if (o->full.failed) {
		strbuf_free(&o->full);
		o->full = (struct strbuf){0};
	}
	o->fd = -1;
	o->err = 0;
	o->is_part = true;
	o->n = o->full.n = 0;
	return o;
}

void out_part_free(void *part)
{
	struct out *o = part;

	if (o)
		strbuf_free(&o->full);
	free(o);
}

static void put_all(struct out *o, const char *s, size_t n)
{
	if (n && n < OUT_BYTES / 8)
		out_put(o, s, n);
	else if (n && !out_flush(o))
		o->err = fd_write_all(o->fd, s, n);
}

int out_part_put(struct out *o, const struct out *part)
{
	put_all(o, part->full.s, part->full.n);
	put_all(o, part->buf, part->n);
	return o->err;
}

void out_put_slow(struct out *o, const char *s, size_t n)
{
	while (n && !o->err) {
		size_t part = OUT_BYTES - o->n;

		if (part > n)
			part = n;
		memcpy(o->buf + o->n, s, part);
		o->n += part;
		s += part;
		n -= part;
		if (o->n == OUT_BYTES && out_flush(o))
			return;
	}
}

void out_make_room(struct out *o)
{
	if (out_flush(o))
		o->n = 0; /* the error sticks */
}

void out_fill_slow(struct out *o, char c, size_t n)
{
	while (n--)
		out_char(o, c);
}

void out_u64_pad(struct out *o, uint64_t v, unsigned width, char pad)
{
	char buf[TEXT_DIGITS], *end = buf + sizeof(buf), *from = text_digits(end, v);
	size_t n = (size_t)(end - from);

	if (width > n)
		out_fill(o, pad, width - n);
	out_put(o, from, n);
}

void out_u64(struct out *o, uint64_t v)
{
	out_u64_pad(o, v, 0, ' ');
}

void out_hex(struct out *o, uint64_t v)
{
	char buf[16];
	unsigned n = 0;

	do {
		buf[sizeof(buf) - ++n] = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	out_put(o, buf + sizeof(buf) - n, n);
}

static inline bool is_plain(unsigned char c)
{
	return (c >= 0x20 && c < 0x7f) || c == '\t';
}

/* A bit for each of 16 bytes that is not printed as it is; for a tab too: they are rare. */
static inline unsigned odd_bytes(__m128i v)
{
	/* signed: bytes from 0x80 on are low too */
	return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_cmpgt_epi8(_mm_set1_epi8(0x20), v),
							_mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))));
}

/* Whether any of 4 to 15 bytes is odd: both ends of them, which overlap. */
static inline bool any_odd(const char *s, size_t n)
{
	uint64_t a, b;

	if (n >= 8) {
		memcpy(&a, s, 8);
		memcpy(&b, s + n - 8, 8);
	} else {
		uint32_t x, y;

		memcpy(&x, s, 4);
		memcpy(&y, s + n - 4, 4);
		a = (uint64_t)x << 32 | y;
		b = a;
	}
	return odd_bytes(_mm_set_epi64x((long long)a, (long long)b));
}

/* How many bytes at s are printed as they are; maybe less than that before a tab. */
static size_t plain_run(const char *s, size_t n)
{
	size_t i = 0;

	for (; i + 16 <= n; i += 16) {
		unsigned odd = odd_bytes(_mm_loadu_si128((const __m128i *)(const void *)(s + i)));

		if (odd)
			return i + (size_t)__builtin_ctz(odd);
	}
	if (n - i >= 4 && !any_odd(s + i, n - i))
		return n;
	while (i < n && is_plain((unsigned char)s[i]))
		i++;
	return i;
}

bool out_is_plain(const char *s, const char *end)
{
	unsigned odd = odd_bytes(_mm_loadu_si128((const __m128i *)(const void *)(end - 16)));

	for (; end - s > 16; s += 16)
		odd |= odd_bytes(_mm_loadu_si128((const __m128i *)(const void *)s));
	return !odd;
}

void out_escaped(struct out *o, const char *s, size_t n, const char *indent)
{
	for (;;) {
		size_t run = plain_run(s, n);
		unsigned char c;

		out_put(o, s, run);
		if (run == n)
			return;
		c = (unsigned char)s[run];
		if (c == '\n') {
			out_char(o, '\n');
			out_puts(o, indent);
		} else if (c == '\t') {
			out_char(o, '\t');
		} else {
			char hex[4] = {'\\', 'x', "0123456789abcdef"[c >> 4],
				       "0123456789abcdef"[c & 15]};

			out_put(o, hex, 4);
		}
		s += run + 1;
		n -= run + 1;
	}
}

void out_json(struct out *o, const char *s, size_t n)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	size_t i = 0;

	while (i < n && (unsigned char)s[i] >= 0x20 && (unsigned char)s[i] < 0x7f && s[i] != '"' &&
	       s[i] != '\\')
		i++;
	if (i == n) {
		out_char(o, '"');
		out_put(o, s, n);
		out_char(o, '"');
		return;
	}
	strbuf_json(&b, s, n);
	if (b.failed)
		o->err = -ENOMEM;
	else
		out_put(o, b.s, b.n);
}
