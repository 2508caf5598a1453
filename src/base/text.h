/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers from text, growing strings. Silent and pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"

/* The whole text must be one number (decimal, 0x, leading and trailing blanks allowed): 0, -EINVAL,
 * -ERANGE. A minus sign is refused by the unsigned form. */
must_check int text_to_u64(const char *text, uint64_t *ret);
must_check int text_to_s64(const char *text, int64_t *ret);
/* "1.5s", "200ms", "10us", "7ns", "3" (seconds) → ns. */
must_check int text_to_ns(const char *text, uint64_t *ret_ns);
/* "64K", "10M", "1G", "4096" → bytes. */
must_check int text_to_bytes(const char *text, uint64_t *ret_bytes);

#define TEXT_DIGITS 20 /* of the longest decimal number */

/* The digits of a number below 10^8 as bytes 0 to 9, the first of them the lowest. */
static inline uint64_t text_8_digits(uint32_t v)
{
	uint64_t x = v / 10000 | (uint64_t)(v % 10000) << 32, high;

	high = (x * 10486) >> 20 & 0x7f0000007f; /* 4 digits: by 100 */
	x = high | (x - 100 * high) << 16;
	high = (x * 103) >> 10 & 0xf000f000f000f; /* 2: by 10 */
	return high | (x - 10 * high) << 8;
}

extern const char text_digit_pairs[]; /* "00" to "99" */
/* The decimal digits of v, so that they end at end: where they begin. */
char *text_digits(char *end, uint64_t v);
/* The same with zeros up to n digits; what does not fit into them is cut off. */
static inline char *text_digits_fixed(char *end, uint32_t v, unsigned n)
{
	for (; n >= 2; n -= 2, v /= 100)
		memcpy(end -= 2, text_digit_pairs + v % 100 * 2, 2);
	if (n)
		*--end = (char)('0' + v % 10);
	return end;
}

/* Copies src with every byte that is not printable ASCII (and backslash) escaped as \xNN: for
 * names that come from a guest or a file. Always terminated; returns dst. */
char *text_escape(char *dst, size_t n, const char *src);

/* Length of the valid UTF-8 sequence at s, which has n > 0 bytes; 0 if there is none. */
size_t text_utf8_len(const char *s, size_t n);

/* A growing string. Zero-initialise; strbuf_free() or _cleanup_strbuf_ releases it.
 * A failed allocation sticks: .failed is set and later calls do nothing. */
struct strbuf {
	char *s; /* NUL-terminated, NULL while empty */
	size_t n, size;
	bool failed;
};

void strbuf_free(struct strbuf *b);
void strbuf_add(struct strbuf *b, const char *s, size_t n);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with quotes, invalid UTF-8 replaced by U+FFFD. */
void strbuf_json(struct strbuf *b, const char *s, size_t n);
/* A copy with every byte that is no valid UTF-8 replaced by U+FFFD. */
void strbuf_utf8(struct strbuf *b, const char *s, size_t n);
bool text_is_utf8(const char *s, size_t n);

#define _cleanup_strbuf_ _cleanup_(strbuf_free)
