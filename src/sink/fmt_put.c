// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/fmt_put.h"

#include "base/text.h"

#define DIGITS_MAX 24 /* 2^64 in octal has 22 */

static char *power_of_two(char *end, uint64_t v, unsigned bits, const char *digits)
{
	do {
		*--end = digits[v & ((1u << bits) - 1)];
		v >>= bits;
	} while (v);
	return end;
}

static void put_tail(struct fmt_out *o, const char *from, const char *end)
{
	size_t n = (size_t)(end - from);

	memcpy(o->p, from, n);
	o->p += n;
}

void fmt_put_cut(struct fmt_out *o, const char *s, size_t n)
{
	if (o->p < o->end)
		put_tail(o, s, s + (o->end - o->p));
}

char *fmt_udec_long_at(char *p, uint64_t v)
{
	char buf[2 * DIGITS_MAX] = {0}, *end = buf + DIGITS_MAX, *from = text_digits(end, v);

	memcpy(p, from, DIGITS_MAX);
	return p + (end - from);
}

static void fill(struct fmt_out *o, char c, size_t n)
{
	memset(o->p, c, n);
	o->p += n;
}

static uint64_t narrowed(uint64_t v, unsigned bytes, bool is_signed)
{
	switch (bytes) {
	case 1:
		return is_signed ? (uint64_t)(int8_t)v : (uint8_t)v;
	case 2:
		return is_signed ? (uint64_t)(int16_t)v : (uint16_t)v;
	case 4:
		return is_signed ? (uint64_t)(int32_t)v : (uint32_t)v;
	default:
		return v;
	}
}

void fmt_put_num(struct fmt_out *o, const struct fmt_spec *f, uint64_t v, unsigned bytes)
{
	char buf[DIGITS_MAX], *end = buf + sizeof(buf), *from = end, prefix[2];
	size_t n, zeros = 0, n_prefix = 0, all;

	v = narrowed(v, bytes, f->conv == 'd');
	if (f->conv == 'd' && (int64_t)v < 0) {
		prefix[n_prefix++] = '-';
		v = 0 - v;
	}
	if (v || f->prec) /* "%.0d" of 0 is nothing */
		from = f->conv == 'x'	? power_of_two(end, v, 4, "0123456789abcdef")
		       : f->conv == 'X' ? power_of_two(end, v, 4, "0123456789ABCDEF")
		       : f->conv == 'o' ? power_of_two(end, v, 3, "01234567")
					: text_digits(end, v);
	n = (size_t)(end - from);
	if ((f->flags & FMT_ALT) && f->conv == 'o' && (!n || *from != '0') && f->prec <= (int)n)
		zeros = 1;
	if ((f->flags & FMT_ALT) && v && (f->conv == 'x' || f->conv == 'X')) {
		prefix[n_prefix++] = '0';
		prefix[n_prefix++] = f->conv;
	}
	if (f->prec > (int)n)
		zeros = (size_t)f->prec - n;
	if (f->prec < 0 && (f->flags & (FMT_ZERO | FMT_LEFT)) == FMT_ZERO &&
	    f->width > n_prefix + zeros + n)
		zeros = f->width - n_prefix - n;
	all = n_prefix + zeros + n;
	if (f->width > all && !(f->flags & FMT_LEFT))
		fill(o, ' ', f->width - all);
	put_tail(o, prefix, prefix + n_prefix);
	fill(o, '0', zeros);
	put_tail(o, from, end);
	if (f->width > all && (f->flags & FMT_LEFT))
		fill(o, ' ', f->width - all);
}

void fmt_put_str(struct fmt_out *o, const struct fmt_spec *f, const char *s, size_t n)
{
	size_t pad;

	if (f->prec >= 0 && n > (size_t)f->prec)
		n = (size_t)f->prec;
	pad = f->width > n ? f->width - n : 0;
	if (pad && !(f->flags & FMT_LEFT) && o->p < o->end)
		fill(o, ' ', pad);
	fmt_put(o, s, n);
	if (pad && (f->flags & FMT_LEFT) && o->p < o->end)
		fill(o, ' ', pad);
}
