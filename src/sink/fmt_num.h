/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as text, without stdio. */
#pragma once

#include <emmintrin.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* Numbers at p, without a look at an end; return theirs. Of the FMT_NUM_ROOM bytes from p on those that
 * a number does not need are overwritten. */
#define FMT_NUM_ROOM 32u

/* 16 digits at once, the first of them that counts in front: at least digits (1 to 16). */
static inline char *fmt_hex_at(char *p, uint64_t v, unsigned digits)
{
	unsigned n = (67u - (unsigned)__builtin_clzll(v | 1)) / 4;
	__m128i bytes, halves, letters;

	n = n < digits ? digits : n;
	bytes = _mm_cvtsi64_si128((long long)__builtin_bswap64(v << (64 - 4 * n)));
	halves = _mm_and_si128(_mm_unpacklo_epi8(_mm_srli_epi16(bytes, 4), bytes),
			       _mm_set1_epi8(15));
	letters = _mm_and_si128(_mm_cmpgt_epi8(halves, _mm_set1_epi8(9)),
				_mm_set1_epi8('a' - '0' - 10));
	halves = _mm_add_epi8(_mm_add_epi8(halves, _mm_set1_epi8('0')), letters);
	_mm_storeu_si128((__m128i *)(void *)p, halves);
	return p + n;
}

char *fmt_udec_long_at(char *p, uint64_t v);

static inline char *fmt_udec_at(char *p, uint64_t v)
{
	uint64_t digits;
	unsigned zeros;

	if (v < 10) {
		*p = (char)('0' + v);
		return p + 1;
	}
	if (v >= 100000000)
		return fmt_udec_long_at(p, v);
	digits = text_8_digits((uint32_t)v);
	zeros = (unsigned)__builtin_ctzll(digits | (uint64_t)1 << 56) / 8;
	digits = (digits | 0x3030303030303030) >> 8 * zeros;
	memcpy(p, &digits, 8);
	return p + 8 - zeros;
}

static inline char *fmt_dec_at(char *p, int64_t v)
{
	if (v >= 0)
		return fmt_udec_at(p, (uint64_t)v);
	*p = '-';
	return fmt_udec_at(p + 1, 0 - (uint64_t)v);
}
