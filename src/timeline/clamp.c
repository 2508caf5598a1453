// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs of clamped stamps. rb_add_timestamp() of kernel/trace/ring_buffer.c (5.10 to 7.x) writes a delta
 * below 0 as 0; the deltas behind it are right again, so the whole run is shifted by one unknown.
 *
 * Every way to place the run is followed: in which epochs its records are, and all places of its first
 * record that put each record where its vCPU may have run. What is left at the end bounds it. */
#include "timeline/align.h"

#include <errno.h>

enum { WAYS_MAX = 16, PARTS_MAX = 8, AHEAD_MAX = 8 };

struct spans ARRAY(struct tsc_range);

struct part { /* the run's records from index first on, in one epoch */
	size_t first, epoch;
	uint64_t delta; /* host ticks from the run's first record to this one */
};

struct way {
	struct spans places; /* of the run's first record */
	uint64_t delta;	     /* to the current record */
	unsigned n_parts;
	struct part parts[PARTS_MAX];
};

struct fit {
	const struct align_ctx *c;
	const struct clamp_run *run;
	struct way ways[WAYS_MAX], next[WAYS_MAX];
	unsigned n, n_next;
	bool too_many;
};

static int add_span(struct spans *s, uint64_t lo, uint64_t hi)
{
	struct tsc_range *r;

	if (hi < lo)
		return 0;
	r = array_add(s);
	if (!r)
		return -ENOMEM;
	*r = (struct tsc_range){lo, hi};
	return 0;
}

/* ret = those of the places that put the record delta behind the first one into [lo, hi] and, where
 * windows are known, into one. */
static int narrow(const struct ran *ran, const struct spans *places, uint64_t delta,
		  struct tsc_range in, struct spans *ret)
{
	int r = 0;

	ret->n = 0;
	for (size_t i = 0, k = 0; i < places->n && !r; i++) {
		uint64_t a = places->v[i].lo + delta, b = places->v[i].hi + delta;

		a = a > in.lo ? a : in.lo;
		b = b < in.hi ? b : in.hi;
		if (!ran || !ran->v.n) {
			r = a <= b ? add_span(ret, a - delta, b - delta) : 0;
			continue;
		}
		while (k < ran->v.n && ran->v.v[k].to < a)
			k++;
		for (size_t j = k; j < ran->v.n && ran->v.v[j].from <= b && !r && a <= b; j++) {
			const struct ran_window *w = &ran->v.v[j];

			r = add_span(ret, (w->from > a ? w->from : a) - delta,
				     (w->to < b ? w->to : b) - delta);
		}
	}
	return r;
}

static struct tsc_range epoch_span(const struct tsc_epochs *e, size_t epoch)
{
	return (struct tsc_range){epoch ? e->v[epoch].from_ticks : 0,
				  epoch + 1 < e->n ? e->v[epoch + 1].from_ticks : UINT64_MAX};
}

static size_t way_epoch(const struct way *w)
{
	return w->parts[w->n_parts - 1].epoch;
}

/* Tries the way from with record index in epoch, delta behind the first one. */
static int try(struct fit *f, const struct way *from, size_t index, size_t epoch, uint64_t delta)
{
	struct way *to = &f->next[f->n_next];
	bool changed = !from->n_parts || way_epoch(from) != epoch;
	int r;

	if (f->n_next == WAYS_MAX || (changed && from->n_parts == PARTS_MAX)) {
		f->too_many = true;
		return 0;
	}
	r = narrow(f->c->ran, &from->places, delta, epoch_span(f->c->e, epoch), &to->places);
	if (r || !to->places.n)
		return r;
	to->delta = delta;
	to->n_parts = from->n_parts;
	memcpy(to->parts, from->parts, sizeof(to->parts));
	if (changed)
		to->parts[to->n_parts++] = (struct part){index, epoch, delta};
	f->n_next++;
	return 0;
}

static void swap_ways(struct fit *f)
{
	for (unsigned i = 0; i < f->n_next; i++) {
		struct way swap = f->ways[i];

		f->ways[i] = f->next[i];
		f->next[i] = swap;
	}
	f->n = f->n_next;
	f->n_next = 0;
}

/* The first record: behind the one before the run, not later than its stamp says, in an epoch in
 * which the guest's clock is behind what it was. */
static int begin(struct fit *f)
{
	const struct tsc_epochs *e = f->c->e;
	size_t before = f->run->epoch;
	int r = 0;

	for (size_t i = align_backward(e, before, before + 1); i != NO_EPOCH && !r;
	     i = align_backward(e, before, i + 1)) {
		struct tsc_range shown = align_inverse(f->c, i, f->run->raw.v[0]);
		struct way from = {0};

		r = add_span(&from.places, f->run->floor, shown.hi);
		if (!r)
			r = try(f, &from, 0, i, 0);
		array_free(&from.places);
	}
	swap_ways(f);
	return r;
}

/* Record index: in the epoch of the one before it, or in a later one. */
static int take(struct fit *f, size_t index)
{
	int r = 0;

	for (unsigned i = 0; i < f->n && !r; i++) {
		const struct way *w = &f->ways[i];
		size_t epoch = way_epoch(w);
		uint64_t before = align_inverse(f->c, epoch, f->run->raw.v[index - 1]).lo;

		for (size_t e = epoch; e < f->c->e->n && e < epoch + AHEAD_MAX && !r; e++) {
			uint64_t here = align_inverse(f->c, e, f->run->raw.v[index]).lo;

			if ((int64_t)(here - before) >= 0)
				r = try(f, w, index, e, w->delta + (here - before));
		}
	}
	swap_ways(f);
	return r;
}

/* The record behind the run follows it. */
static int end(struct fit *f)
{
	int r = 0;

	for (unsigned i = 0; i < f->n && f->run->has_next && !r; i++) {
		struct way *w = &f->ways[i], *to = &f->next[f->n_next];
		struct tsc_range next = {0, 0};

		for (size_t e = way_epoch(w); e < f->c->e->n; e++) {
			uint64_t hi = align_inverse(f->c, e, f->run->next_raw).hi;

			next.hi = hi > next.hi ? hi : next.hi;
		}
		r = narrow(f->c->ran, &w->places, w->delta, next, &to->places);
		if (r || !to->places.n)
			continue;
		to->delta = w->delta;
		to->n_parts = w->n_parts;
		memcpy(to->parts, w->parts, sizeof(to->parts));
		f->n_next++;
	}
	if (f->n_next)
		swap_ways(f);
	return r;
}

/* The part of a way that record index belongs to. */
static const struct part *part_at(const struct way *w, size_t index)
{
	const struct part *p = w->parts;

	while (p + 1 < w->parts + w->n_parts && p[1].first <= index)
		p++;
	return p;
}

/* Host ticks of record index in a way. */
static struct tsc_range way_at(const struct fit *f, const struct way *w, size_t index)
{
	const struct part *p = part_at(w, index);
	uint64_t d;

	d = p->delta + align_inverse(f->c, p->epoch, f->run->raw.v[index]).lo -
	    align_inverse(f->c, p->epoch, f->run->raw.v[p->first]).lo;
	return (struct tsc_range){w->places.v[0].lo + d, w->places.v[w->places.n - 1].hi + d};
}

/* A segment from record index on that covers all ways. */
static int emit(const struct fit *f, size_t index, struct align_plan *plan)
{
	/* not a later one: there the stamp may lie before the host's tick 0 */
	size_t epoch = part_at(&f->ways[0], index)->epoch;
	struct tsc_range shown = align_inverse(f->c, epoch, f->run->raw.v[index]);
	struct tsc_range all = way_at(f, &f->ways[0], index);

	for (unsigned i = 1; i < f->n; i++) {
		struct tsc_range t = way_at(f, &f->ways[i], index);

		all.lo = t.lo < all.lo ? t.lo : all.lo;
		all.hi = t.hi > all.hi ? t.hi : all.hi;
	}
	return align_add(plan, (struct align_segment){
				       .first_seq = f->run->first_seq + index,
				       .epoch = epoch,
				       .add = all.lo - shown.lo,
				       .width = all.hi - all.lo,
				       .doubtful = true,
			       });
}

static bool is_border(const struct fit *f, size_t index)
{
	for (unsigned i = 0; i < f->n; i++)
		for (unsigned k = 0; k < f->ways[i].n_parts; k++)
			if (f->ways[i].parts[k].first == index)
				return true;
	return false;
}

static int emit_all(const struct fit *f, struct align_plan *plan)
{
	int r = 0;

	for (size_t i = 0; i < f->run->raw.n && !r; i++)
		if (is_border(f, i))
			r = emit(f, i, plan);
	return r;
}

/* No way, or too many: each record is behind the one before the run and before what its stamp says. */
static int emit_wide(const struct fit *f, struct align_plan *plan)
{
	const struct tsc_epochs *e = f->c->e;
	uint64_t lo = f->run->floor;
	int r = 0;

	for (size_t i = 0; i < f->run->raw.n && !r; i++) {
		struct align_segment g = {.first_seq = f->run->first_seq + i, .doubtful = true};
		uint64_t hi = lo;

		for (g.epoch = f->run->epoch + 1; g.epoch < e->n; g.epoch++) {
			uint64_t t = align_inverse(f->c, g.epoch, f->run->raw.v[i]).hi;

			hi = t > hi ? t : hi;
		}
		g.epoch = e->n - 1;
		g.add = lo - align_inverse(f->c, g.epoch, f->run->raw.v[i]).lo;
		g.width = hi - lo;
		r = align_add(plan, g);
	}
	return r;
}

static int follow(struct fit *f)
{
	int r = begin(f);

	for (size_t i = 1; i < f->run->raw.n && !r && f->n; i++)
		r = take(f, i);
	return r ? r : end(f);
}

static void fit_free(struct fit *f)
{
	for (unsigned i = 0; i < WAYS_MAX && f; i++) {
		array_free(&f->ways[i].places);
		array_free(&f->next[i].places);
	}
	free(f);
}

int clamp_fit(const struct align_ctx *c, const struct clamp_run *run, struct align_plan *plan,
	      struct clamp_end *ret)
{
	struct fit *f;
	int r;

	*ret = (struct clamp_end){run->epoch, true};
	/* without such an epoch the mark on the records themselves says that they are doubtful */
	if (align_backward(c->e, run->epoch, run->epoch + 1) == NO_EPOCH)
		return 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	f->c = c;
	f->run = run;
	r = follow(f);
	if (!r && f->n && !f->too_many) {
		r = emit_all(f, plan);
		*ret = (struct clamp_end){way_epoch(&f->ways[0]), true};
		for (unsigned i = 1; i < f->n; i++) {
			size_t e = way_epoch(&f->ways[i]);

			ret->only &= e == ret->epoch;
			ret->epoch = e < ret->epoch ? e : ret->epoch;
		}
	} else if (!r) {
		r = emit_wide(f, plan);
		*ret = (struct clamp_end){run->epoch + 1, false};
	}
	fit_free(f);
	return r;
}
