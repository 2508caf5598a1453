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

unsigned clock_view_width(const struct clock_view *v)
{
	return v->mode == CLOCK_START ? 15 : 20;
}

static char *put_pair(char *end, uint32_t v)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";

	memcpy(end - 2, pairs + (size_t)v * 2, 2);
	return end - 2;
}

/* Seconds with nine digits, right-aligned. */
static void put_seconds(struct out *o, uint64_t ns, bool negative, unsigned width)
{
	uint64_t s = ns / NS;
	uint32_t rest = (uint32_t)(ns % NS);
	char buf[32], *p = buf + sizeof(buf);
	size_t n;

	for (unsigned i = 0; i < 4; i++, rest /= 100)
		p = put_pair(p, rest % 100);
	*--p = (char)('0' + rest);
	*--p = '.';
	for (; s >= 100; s /= 100)
		p = put_pair(p, (uint32_t)(s % 100));
	if (s >= 10)
		p = put_pair(p, (uint32_t)s);
	else
		*--p = (char)('0' + s);
	if (negative)
		*--p = '-';
	n = (size_t)(buf + sizeof(buf) - p);
	if (width > n)
		out_fill(o, ' ', width - n);
	out_put(o, p, n);
}

void clock_view_put(const struct clock_view *v, struct out *o, uint64_t ticks)
{
	unsigned width = clock_view_width(v);
	struct fit_ns f;
	bool before;

	switch (v->mode) {
	case CLOCK_TICKS:
		out_u64_pad(o, ticks, width, ' ');
		return;
	case CLOCK_NS:
		out_u64_pad(o, conv_to_ns(&v->conv, ticks), width, ' ');
		return;
	case CLOCK_START:
		before = ticks < v->first_ticks;
		ticks = before ? v->first_ticks - ticks : ticks - v->first_ticks;
		put_seconds(o, conv_to_ns(&v->conv, ticks), before, width);
		return;
	default:
		f = fit_lookup_ns(v->clock, ticks);
		put_seconds(o, f.ns < 0 ? 0 - (uint64_t)f.ns : (uint64_t)f.ns, f.ns < 0, width);
	}
}

void clock_view_put_span(const struct clock_view *v, struct out *o, uint64_t ticks)
{
	if (v->conv.mult) {
		put_seconds(o, conv_to_ns(&v->conv, ticks), false, 0);
		out_puts(o, " s");
	} else {
		out_u64(o, ticks);
		out_puts(o, " ticks");
	}
}
