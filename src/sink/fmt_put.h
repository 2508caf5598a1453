/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text into a bounded buffer, without stdio: numbers and padding as printf(3) has them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "sink/fmt_num.h"

/* Behind end there is room for what fmt_put_num() and fmt_put_dec() may write. */
#define FMT_ROOM 4096u

/* Behind a literal at least so many bytes may be read. */
#define FMT_LIT_ROOM 32u

struct fmt_out {
	char *p, *end;
};

enum { FMT_LEFT = 1, FMT_ZERO = 2, FMT_ALT = 4, FMT_LEN_ARG = 8 };

struct fmt_spec {
	uint16_t width;
	int16_t prec;  /* -1: none */
	uint8_t flags; /* FMT_LEN_ARG: the precision is a value of the record */
	char conv;     /* d u x X o s p */
};

void fmt_put_cut(struct fmt_out *o, const char *s, size_t n);

/* What does not fit is left out. */
static inline void fmt_put(struct fmt_out *o, const char *s, size_t n)
{
	if ((ptrdiff_t)n > o->end - o->p) {
		fmt_put_cut(o, s, n);
		return;
	}
	memcpy(o->p, s, n);
	o->p += n;
}

/* Of a literal. o->p is before end. */
static inline void fmt_put_lit(struct fmt_out *o, const char *s, size_t n)
{
	if (n <= FMT_LIT_ROOM) {
		memcpy(o->p, s, FMT_LIT_ROOM);
		o->p += n;
	} else {
		fmt_put(o, s, n);
	}
}

static inline void fmt_put_char(struct fmt_out *o, char c)
{
	if (o->p < o->end)
		*o->p++ = c;
}

#define fmt_puts(o, literal) fmt_put(o, literal, sizeof(literal) - 1)

/* These write at most FMT_NUM_ROOM bytes, without a look at end. */
static inline void fmt_put_udec(struct fmt_out *o, uint64_t v)
{
	o->p = fmt_udec_at(o->p, v);
}

static inline void fmt_put_dec(struct fmt_out *o, int64_t v)
{
	o->p = fmt_dec_at(o->p, v);
}

static inline void fmt_put_hex_pad(struct fmt_out *o, uint64_t v, unsigned digits)
{
	o->p = fmt_hex_at(o->p, v, digits);
}

static inline void fmt_put_hex(struct fmt_out *o, uint64_t v)
{
	fmt_put_hex_pad(o, v, 1);
}

/* v as an integer of 1, 2, 4 or 8 bytes, as printf() shows one; width and precision up to 999. */
void fmt_put_num(struct fmt_out *o, const struct fmt_spec *f, uint64_t v, unsigned bytes);
/* At most the precision's bytes, padded. */
void fmt_put_str(struct fmt_out *o, const struct fmt_spec *f, const char *s, size_t n);
