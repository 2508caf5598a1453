// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/clock.h"

#include <errno.h>

#include "base/log.h"
#include "clock/fit.h"

#define NS 1000000000u

struct clock_view {
	enum clock_mode mode;
	struct tick_conv conv;
	uint64_t first_ticks;
	struct fit_lookup *clock;
};

static const char *const names[] = {"start", "ticks", "ns", "realtime", "boottime"};

int clock_mode_parse(const char *text, enum clock_mode *ret)
{
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i])) {
			*ret = (enum clock_mode)i;
			return 0;
		}
	return log_err_r(-EINVAL, "clock \"%s\" is not one of start, ticks, ns, realtime, boottime",
			 text);
}

/* The frequency is CLOCK_BOOTTIME's: nobody sets that. */
int clock_fit_new(const struct input *in, bool realtime, struct fit_lookup **ret)
{
	_cleanup_free_ struct fit_pair *pairs = calloc(in->pairs.n + 1, sizeof(*pairs));
	_cleanup_free_ struct fit_pair *steady = calloc(in->pairs.n + 1, sizeof(*steady));
	struct fit_freq f;
	int r;

	if (!pairs || !steady)
		return -ENOMEM;
	if (!in->pairs.n)
		return -ENODATA;
	for (size_t i = 0; i < in->pairs.n; i++) {
		const struct session_pair *p = &in->pairs.v[i];

		pairs[i] = steady[i] = (struct fit_pair){p->tsc, p->width_ticks, p->boottime_ns};
		if (realtime)
			pairs[i].ns = p->realtime_ns;
	}
	r = fit_freq(steady, in->pairs.n, &f);
	return r ? r : fit_lookup_new(pairs, in->pairs.n, &f, ret);
}

static int take_pairs(struct clock_view *v, const struct input *in)
{
	int r;

	if (!in->pairs.n)
		return log_err_r(
			-ENODATA,
			"\"%s\" holds no readings of the host's clocks; use --clock start, "
			"ns or ticks",
			in->title);
	r = clock_fit_new(in, v->mode == CLOCK_REAL, &v->clock);
	if (r == -ENOMEM)
		return log_err_r(r, "cannot show times: %m");
	if (r)
		return log_err_r(-ENODATA,
				 "the readings of the host's clocks in \"%s\" do not fit a clock; "
				 "use --clock start, ns or ticks",
				 in->title);
	return 0;
}

int clock_view_new(const struct timeline *t, enum clock_mode mode, struct clock_view **ret)
{
	const struct input *in = timeline_input(t);
	struct clock_view *v = calloc(1, sizeof(*v));
	int r = 0;

	if (!v)
		return log_err_r(-ENOMEM, "cannot show times: %m");
	v->mode = mode;
	v->conv = in->conv;
	v->first_ticks = timeline_first_ticks(t);
	if (mode == CLOCK_REAL || mode == CLOCK_BOOT)
		r = take_pairs(v, in);
	else if (mode == CLOCK_NS && !in->conv.mult)
		r = log_err_r(-ENODATA,
			      "\"%s\" does not tell the frequency of its clock; use "
			      "--clock ticks",
			      in->title);
	if (mode == CLOCK_START && !in->conv.mult) {
		log_warn("\"%s\" does not tell the frequency of its clock; times are ticks",
			 in->title);
		v->mode = CLOCK_TICKS;
	}
	if (r)
		clock_view_free(v);
	else
		*ret = v;
	return r;
}

void clock_view_free(struct clock_view *v)
{
	if (v)
		fit_lookup_free(v->clock);
	free(v);
}

static inline unsigned width_of(const struct clock_view *v)
{
	return v->mode == CLOCK_START ? 15 : 20;
}

unsigned clock_view_width(const struct clock_view *v)
{
	return width_of(v);
}

/* Digits that end at end, right-aligned. */
static char *right_aligned(char *to, const char *from, const char *end, unsigned width)
{
	size_t n = (size_t)(end - from);

	for (; width > n; width--)
		*to++ = ' ';
	memcpy(to, from, n);
	return to + n;
}

/* Seconds with nine digits. */
static char *write_seconds(char *to, uint64_t ns, bool negative, unsigned width)
{
	char buf[CLOCK_VIEW_BYTES], *end = buf + sizeof(buf), *from = end - 10;

	text_digits_fixed(end, (uint32_t)(ns % NS), 9);
	*from = '.';
	from = text_digits(from, ns / NS);
	if (negative)
		*--from = '-';
	return right_aligned(to, from, end, width);
}

/* Nine digits at to. */
static inline char *write_nanoseconds(char *to, uint32_t ns)
{
	uint32_t high = ns / 100000000;
	uint64_t rest = text_8_digits(ns - high * 100000000) | 0x3030303030303030;

	*to = (char)('0' + high);
	memcpy(to + 1, &rest, 8);
	return to + 9;
}

static __attribute__((noinline)) void remember_second(struct clock_memo *memo, uint64_t ns,
						      unsigned width)
{
	memo->ns = ns - ns % NS;
	memo->n = (uint8_t)(write_seconds(memo->text, memo->ns, false, width) - memo->text - 9);
}

/* The same as write_seconds(), but most times have the seconds of the one before. */
static inline char *write_time(struct clock_memo *memo, char *to, uint64_t ns, unsigned width)
{
	if (ns - memo->ns >= NS || !memo->n)
		remember_second(memo, ns, width);
	memcpy(to, memo->text, CLOCK_VIEW_BYTES);
	return write_nanoseconds(to + memo->n, (uint32_t)(ns - memo->ns));
}

static char *write_number(char *to, uint64_t v, unsigned width)
{
	char buf[TEXT_DIGITS], *end = buf + sizeof(buf);

	return right_aligned(to, text_digits(end, v), end, width);
}

static __attribute__((noinline)) char *
write_other(const struct clock_view *v, struct clock_memo *memo, char *to, uint64_t ticks)
{
	unsigned width = width_of(v);
	struct fit_ns f;

	switch (v->mode) {
	case CLOCK_TICKS:
		return write_number(to, ticks, width);
	case CLOCK_NS:
		return write_number(to, conv_to_ns(&v->conv, ticks), width);
	case CLOCK_START:
		if (ticks < v->first_ticks)
			return write_seconds(to, conv_to_ns(&v->conv, v->first_ticks - ticks), true,
					     width);
		return write_time(memo, to, conv_to_ns(&v->conv, ticks - v->first_ticks), width);
	default:
		f = fit_lookup_ns(v->clock, ticks);
		if (f.ns < 0)
			return write_seconds(to, 0 - (uint64_t)f.ns, true, width);
		return write_time(memo, to, (uint64_t)f.ns, width);
	}
}

char *clock_view_write(const struct clock_view *v, struct clock_memo *memo, char *to,
		       uint64_t ticks)
{
	if (v->mode != CLOCK_START || ticks < v->first_ticks)
		return write_other(v, memo, to, ticks);
	return write_time(memo, to, conv_to_ns(&v->conv, ticks - v->first_ticks), width_of(v));
}

void clock_view_put_span(const struct clock_view *v, struct out *o, uint64_t ticks)
{
	char buf[CLOCK_VIEW_BYTES];

	if (v->conv.mult) {
		out_put(o, buf,
			(size_t)(write_seconds(buf, conv_to_ns(&v->conv, ticks), false, 0) - buf));
		out_puts(o, " s");
	} else {
		out_u64(o, ticks);
		out_puts(o, " ticks");
	}
}
