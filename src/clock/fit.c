// SPDX-License-Identifier: GPL-2.0-or-later
/* Calibration of the TSC against another clock. */
#include "clock/fit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000
/* No TSC is outside; keeps products in 127 bits too. */
#define HZ_MIN 1000
#define HZ_MAX (INT64_C(1) << 40)

typedef unsigned __int128 u128;
typedef __int128 s128;

static s128 abs128(s128 v)
{
	return v < 0 ? -v : v;
}

static uint64_t half_width(const struct fit_pair *p)
{
	return p->width_ticks / 2 + (p->width_ticks & 1);
}

static s128 middle(const struct fit_pair *p)
{
	return (s128)p->ticks + p->width_ticks / 2;
}

/* Spans stay below 2^60 (decades), so that products below fit 127 bits whatever the file said. */
static bool in_order(const struct fit_pair *p, size_t n)
{
	if ((p[n - 1].ticks - p[0].ticks) >> 60)
		return false;
	for (size_t i = 1; i < n; i++)
		if (abs128((s128)p[i].ns - p[i - 1].ns) >> 60 || p[i].width_ticks >> 60)
			return false;
	for (size_t i = 1; i < n; i++)
		if (p[i].ticks <= p[i - 1].ticks ||
		    p[i].ticks - p[i - 1].ticks <= p[i - 1].width_ticks)
			return false;
	return true;
}

static const struct fit_pair *narrowest(const struct fit_pair *p, size_t n)
{
	const struct fit_pair *best = p;

	for (size_t i = 1; i < n; i++)
		if (p[i].width_ticks < best->width_ticks)
			best = &p[i];
	return best;
}

static uint64_t ticks_per_s(s128 ticks, s128 ns)
{
	u128 hz = ((u128)ticks * NS_PER_S + (u128)ns / 2) / (u128)ns;

	return hz > UINT64_MAX ? UINT64_MAX : (uint64_t)hz;
}

int fit_freq(const struct fit_pair *p, size_t n, struct fit_freq *ret)
{
	size_t quarter = n / 4 ? n / 4 : 1;
	const struct fit_pair *a, *b;
	s128 shortest, longest, ns;
	struct fit_freq f;

	if (n < 2 || !in_order(p, n))
		return -EINVAL;
	a = narrowest(p, quarter);
	b = narrowest(p + n - quarter, quarter);
	shortest = (s128)b->ticks - a->ticks - a->width_ticks;
	longest = (s128)b->ticks + b->width_ticks - a->ticks;
	ns = (s128)b->ns - a->ns;
	/* each reading is a whole number of ns, rounded down by the kernel */
	if (ns < 2)
		return -EINVAL;
	f.hz = ticks_per_s(middle(b) - middle(a), ns);
	f.lo_hz = ticks_per_s(shortest, ns + 1);
	f.hi_hz = ticks_per_s(longest, ns - 1);
	if (f.lo_hz < HZ_MIN || f.hi_hz > HZ_MAX)
		return -EINVAL;
	*ret = f;
	return 0;
}

/* Between two readings, or beyond the outer ones: a line through (ticks, ns), and what it may be
 * off by. */
struct line {
	s128 ticks, ns;	       /* a point on it */
	s128 d_ticks, d_ns;    /* its slope */
	u128 err_ns;	       /* anywhere on it */
	uint64_t drift_ns_s;   /* and more per second away from the point */
	s128 lo_tick, hi_tick; /* where it holds */
};

static u128 ticks_to_ns(const struct fit_freq *f, u128 ticks)
{
	return (ticks * NS_PER_S + f->hz - 1) / f->hz;
}

static s128 div_floor(s128 a, s128 b)
{
	return a / b - (a % b && (a < 0) != (b < 0));
}

static struct line line_between(const struct fit_pair *a, const struct fit_pair *b,
				const struct fit_freq *f)
{
	s128 dt = middle(b) - middle(a), dn = (s128)b->ns - a->ns;
	uint64_t h = half_width(a) > half_width(b) ? half_width(a) : half_width(b);
	s128 want = (s128)ticks_to_ns(f, (u128)dt);

	return (struct line){
		.ticks = middle(a),
		.ns = a->ns,
		.d_ticks = dt,
		.d_ns = dn,
		.err_ns = ticks_to_ns(f, h) + (u128)abs128(dn - want) + 1,
		.lo_tick = middle(a),
		.hi_tick = middle(b),
	};
}

/* From an outer reading away. The rate may be off by what the frequency's bounds allow, and by the
 * largest step or slew seen between readings. */
static struct line line_outside(const struct fit_pair *p, size_t n, const struct fit_freq *f,
				bool after)
{
	const struct fit_pair *at = after ? &p[n - 1] : p;
	u128 drift = (u128)(f->hi_hz - f->lo_hz) * NS_PER_S / f->hz + 1;

	for (size_t i = 1; i < n; i++) {
		s128 dt = middle(&p[i]) - middle(&p[i - 1]);
		s128 dn = (s128)p[i].ns - p[i - 1].ns;
		u128 off = (u128)abs128(dn - (s128)ticks_to_ns(f, (u128)dt));
		u128 ppb = off * f->hz / (u128)dt;

		/* more than the 500 ppm that NTP may slew (MAXFREQ, kernel/time/ntp.c) was a step */
		if (ppb <= 1000000 && ppb > drift)
			drift = ppb;
	}
	return (struct line){
		.ticks = middle(at),
		.ns = at->ns,
		.d_ticks = (s128)f->hz,
		.d_ns = NS_PER_S,
		.err_ns = ticks_to_ns(f, half_width(at)) + 1,
		.drift_ns_s = drift > UINT64_MAX ? UINT64_MAX : (uint64_t)drift,
		.lo_tick = after ? middle(at) : 0,
		.hi_tick = after ? (s128)UINT64_MAX : middle(at),
	};
}

/* Piece i of n + 1: 0 lies before the first pair, n after the last. */
static struct line line_piece(const struct fit_pair *p, size_t n, const struct fit_freq *f,
			      size_t i)
{
	return i && i < n ? line_between(&p[i - 1], &p[i], f) : line_outside(p, n, f, i == n);
}

static s128 line_ns(const struct line *l, s128 ticks)
{
	return l->ns + div_floor((ticks - l->ticks) * l->d_ns, l->d_ticks);
}

/* ticks must be on the line. At most UINT64_MAX. */
static u128 line_err(const struct line *l, const struct fit_freq *f, s128 ticks)
{
	u128 away_ns = ticks_to_ns(f, (u128)abs128(ticks - l->ticks));
	u128 err = l->err_ns + away_ns / NS_PER_S * l->drift_ns_s +
		   away_ns % NS_PER_S * l->drift_ns_s / NS_PER_S;

	return err > UINT64_MAX ? UINT64_MAX : err;
}

static int64_t cut_s64(s128 v)
{
	return v < INT64_MIN ? INT64_MIN : v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static struct line line_at(const struct fit_pair *p, size_t n, const struct fit_freq *f,
			   uint64_t ticks)
{
	size_t lo = 0,
	       hi = n; /* pairs whose middle is at or before ticks: the answer is in lo..hi */

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (middle(&p[mid]) <= (s128)ticks)
			lo = mid + 1;
		else
			hi = mid;
	}
	return line_piece(p, n, f, lo);
}

struct fit_ns fit_to_ns(const struct fit_pair *p, size_t n, const struct fit_freq *f,
			uint64_t ticks)
{
	struct line l = line_at(p, n, f, ticks);
	u128 err = line_err(&l, f, (s128)ticks);

	return (struct fit_ns){
		.ns = cut_s64(line_ns(&l, (s128)ticks)),
		.err_ns = (uint64_t)err,
	};
}

static s128 clamp128(s128 v, s128 lo, s128 hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* The tick at which the rising line reads ns, rounded down, cut to the line's ends. */
static s128 line_tick(const struct line *l, s128 ns)
{
	s128 in = clamp128(ns, line_ns(l, l->lo_tick), line_ns(l, l->hi_tick) + 1);

	return clamp128(l->ticks + div_floor((in - l->ns) * l->d_ticks, l->d_ns), l->lo_tick,
			l->hi_tick);
}

/* Ticks of the piece at which the clock may have read a value in [lo_ns, hi_ns]; false: none. */
static bool line_ticks(const struct line *l, const struct fit_freq *f, s128 lo_ns, s128 hi_ns,
		       s128 *ret_lo, s128 *ret_hi)
{
	s128 first = line_ns(l, l->lo_tick), last = line_ns(l, l->hi_tick);

	if (l->d_ns <= 0) { /* stepped back: anywhere, if the values were there at all */
		*ret_lo = l->lo_tick;
		*ret_hi = l->hi_tick;
		return hi_ns + (s128)l->err_ns >= last && lo_ns - (s128)l->err_ns <= first;
	}
	lo_ns -= (s128)line_err(l, f, line_tick(l, lo_ns));
	hi_ns += (s128)line_err(l, f, line_tick(l, hi_ns + 1)) + 1;
	*ret_lo = line_tick(l, lo_ns);
	*ret_hi = clamp128(line_tick(l, hi_ns) + 1, l->lo_tick, l->hi_tick);
	return hi_ns >= first && lo_ns <= last;
}

struct tsc_range fit_to_ticks(const struct fit_pair *p, size_t n, const struct fit_freq *f,
			      int64_t lo_ns, int64_t hi_ns)
{
	s128 lo = -1, hi = -1;

	for (size_t i = 0; i <= n; i++) {
		struct line l = line_piece(p, n, f, i);
		s128 a, b;

		if (!line_ticks(&l, f, lo_ns, hi_ns, &a, &b))
			continue;
		if (lo < 0)
			lo = a;
		if (b > hi)
			hi = b;
	}
	if (lo < 0) /* before tick 0 or after the last one */
		lo = hi = lo_ns < p->ns ? 0 : (s128)UINT64_MAX;
	return (struct tsc_range){(uint64_t)lo, (uint64_t)hi};
}

/* --- many questions ----------------------------------------------------------------------- */

/* Pieces are in the order of ticks. After a step back their readings overlap, so that the pieces
 * which can hold a value are not always neighbours; but no piece before the first whose highest so
 * far reaches the value holds it, and none behind the last whose lowest from there on does. */
struct fit_lookup {
	size_t n; /* pairs; pieces are n + 1 */
	struct fit_pair *pairs;
	struct fit_freq freq;
	struct piece {
		struct line line;
		s128 highest; /* of this piece and all before it */
		s128 lowest;  /* of this piece and all behind it */
	} * pieces;
};

/* Widest readings of an inner piece. */
static void bound_piece(const struct line *l, s128 *ret_lo, s128 *ret_hi)
{
	s128 first = line_ns(l, l->lo_tick), last = line_ns(l, l->hi_tick);
	s128 err = (s128)l->err_ns + 2;

	*ret_lo = (first < last ? first : last) - err;
	*ret_hi = (first < last ? last : first) + err;
}

static void bound_pieces(struct fit_lookup *l)
{
	const s128 far = (s128)1 << 100;

	for (size_t i = 0; i <= l->n; i++) {
		struct piece *p = &l->pieces[i];

		p->line = line_piece(l->pairs, l->n, &l->freq, i);
		bound_piece(&p->line, &p->lowest, &p->highest);
		if (!i) /* beyond the outer pairs the error grows without end */
			p->lowest = -far;
		if (i == l->n)
			p->highest = far;
		if (i && p[-1].highest > p->highest)
			p->highest = p[-1].highest;
	}
	for (size_t i = l->n; i--;)
		if (l->pieces[i + 1].lowest < l->pieces[i].lowest)
			l->pieces[i].lowest = l->pieces[i + 1].lowest;
}

int fit_lookup_new(const struct fit_pair *p, size_t n, const struct fit_freq *f,
		   struct fit_lookup **ret)
{
	struct fit_lookup *l;

	if (n < 2 || !in_order(p, n))
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->n = n;
	l->freq = *f;
	l->pairs = calloc(n, sizeof(*l->pairs));
	l->pieces = calloc(n + 1, sizeof(*l->pieces));
	if (!l->pairs || !l->pieces) {
		fit_lookup_free(l);
		return -ENOMEM;
	}
	memcpy(l->pairs, p, n * sizeof(*p));
	bound_pieces(l);
	*ret = l;
	return 0;
}

void fit_lookup_free(struct fit_lookup *l)
{
	if (!l)
		return;
	free(l->pairs);
	free(l->pieces);
	free(l);
}

struct fit_ns fit_lookup_ns(const struct fit_lookup *l, uint64_t ticks)
{
	return fit_to_ns(l->pairs, l->n, &l->freq, ticks);
}

/* Lines that fall, that do not begin at their point, or whose numbers are beyond 64 bits are left to
 * fit_lookup_ns(). */
static void walk_to(struct fit_walk *w, uint64_t ticks)
{
	struct line l = line_at(w->l->pairs, w->l->n, &w->l->freq, ticks);
	s128 last = l.hi_tick - (l.hi_tick < (s128)UINT64_MAX); /* the next line's first */

	w->d_ticks = 0;
	if (l.d_ns < 0 || l.ticks != l.lo_tick || l.ns < 0 || line_ns(&l, last) > INT64_MAX)
		return;
	w->from = (uint64_t)l.ticks;
	w->last = (uint64_t)last;
	w->ns = (int64_t)l.ns;
	w->d_ns = (uint64_t)l.d_ns;
	w->d_ticks = (uint64_t)l.d_ticks;
}

int64_t fit_walk_ns(struct fit_walk *w, uint64_t ticks)
{
	if (!w->d_ticks || ticks < w->from || ticks > w->last)
		walk_to(w, ticks);
	if (!w->d_ticks)
		return fit_lookup_ns(w->l, ticks).ns;
	return w->ns + (int64_t)((u128)(ticks - w->from) * w->d_ns / w->d_ticks);
}

static size_t first_piece(const struct fit_lookup *l, s128 lo_ns)
{
	size_t lo = 0, hi = l->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->pieces[mid].highest >= lo_ns)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

struct tsc_range fit_lookup_ticks(const struct fit_lookup *l, int64_t lo_ns, int64_t hi_ns)
{
	s128 lo = -1, hi = -1;

	for (size_t i = first_piece(l, lo_ns); i <= l->n && l->pieces[i].lowest <= hi_ns; i++) {
		s128 a, b;

		if (!line_ticks(&l->pieces[i].line, &l->freq, lo_ns, hi_ns, &a, &b))
			continue;
		if (lo < 0)
			lo = a;
		if (b > hi)
			hi = b;
	}
	if (lo < 0)
		lo = hi = lo_ns < l->pairs->ns ? 0 : (s128)UINT64_MAX;
	return (struct tsc_range){(uint64_t)lo, (uint64_t)hi};
}
