// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/align.h"

#include <errno.h>

enum { ITEMS = 256, STATES = 16, SWITCHES = 24, RUN_MAX = 1 << 17 };

#define DEAD INT64_MAX

#define REACH_MORE (1ull << 31)

/* A window that was seen and does not hold the event rules a reading out, but for losses. That one
 * reading lies in windows and another where nothing is known proves nothing: made-up worlds whose host
 * was recorded later than the guest had events in a wrong epoch so. */
static const int64_t cost_of[] = {
	[RAN_INSIDE] = 0, [RAN_LOST] = 0, [RAN_UNSEEN] = 0, [RAN_OUTSIDE] = 1000};

/* A reading of the lane since the last record on which all readings agreed. */
struct reading {
	unsigned n;
	struct {
		uint64_t seq;
		size_t epoch;
	} at[SWITCHES];
};

/* The cheapest readings that end in one epoch: of all with that cost the one that changes epochs
 * earliest, and the one that does so latest. */
struct state {
	int64_t cost;
	struct reading early, late;
};

struct walk {
	const struct align_ctx *c;
	struct align_plan *plan;
	struct state states[STATES]; /* of epochs base .. */
	size_t base;
	uint64_t seq, last_raw;
	unsigned low, high; /* cheapest states after the last record */
	bool any, lost_track;
	struct clamp_run run;
};

struct tsc_range align_ticks(const struct align_segment *g, const struct tsc_epochs *e,
			     uint64_t raw_ticks, uint64_t near)
{
	struct tsc_range r;

	tsc_inverse(&e->v[g->epoch].map, raw_ticks, near, &r);
	r.lo += g->add;
	r.hi += g->add + g->width;
	return r;
}

/* Of solutions a wrap apart the one nearest to the epoch's border is meant. */
static bool inverse(const struct align_ctx *c, size_t epoch, uint64_t raw, struct tsc_range *ret)
{
	return tsc_inverse(&c->e->v[epoch].map, raw, c->e->v[epoch ?: 1].from_ticks, ret);
}

struct tsc_range align_inverse(const struct align_ctx *c, size_t epoch, uint64_t raw)
{
	struct tsc_range r;

	inverse(c, epoch, raw, &r);
	return r;
}

int64_t align_step(const struct tsc_epochs *e, size_t from, size_t to)
{
	uint64_t at = e->v[to].from_ticks;

	return (int64_t)(tsc_forward(&e->v[to].map, at) - tsc_forward(&e->v[from].map, at));
}

size_t align_backward(const struct tsc_epochs *e, size_t epoch, size_t i)
{
	for (; i < e->n; i++)
		if (align_step(e, epoch, i) < 0)
			return i;
	return NO_EPOCH;
}

int align_add(struct align_plan *p, struct align_segment g)
{
	struct align_segment *last = p->v.n ? &p->v.v[p->v.n - 1] : NULL;

	if (!last || last->first_seq != g.first_seq)
		last = array_add(&p->v);
	if (!last)
		return -ENOMEM;
	*last = g;
	return 0;
}

void align_plan_free(struct align_plan *p)
{
	array_free(&p->v);
}

/* Can a record with that stamp lie in the epoch? */
static bool fits(const struct align_ctx *c, size_t epoch, uint64_t raw, struct tsc_range *ret)
{
	uint64_t from = epoch ? c->e->v[epoch].from_ticks : 0;
	uint64_t to = epoch + 1 < c->e->n ? c->e->v[epoch + 1].from_ticks : UINT64_MAX;

	/* false with both ends equal: no host tick at all, not even a pair around it */
	if (!inverse(c, epoch, raw, ret) && ret->lo == ret->hi)
		return false;
	return ret->hi >= (from > c->from ? from : c->from) && ret->lo <= (to < c->to ? to : c->to);
}

static unsigned state_count(const struct walk *w)
{
	size_t n = w->c->e->n - w->base;

	return n < STATES ? (unsigned)n : STATES;
}

static void start_at(struct walk *w, size_t epoch)
{
	w->base = epoch;
	w->low = w->high = 0;
	for (unsigned i = 0; i < STATES; i++)
		w->states[i].cost = DEAD;
	w->states[0].cost = 0;
	w->states[0].early.n = w->states[0].late.n = 0;
}

/* Any epoch may be the lane's first. */
static void start_anywhere(struct walk *w)
{
	start_at(w, w->base);
	w->any = false;
	for (unsigned i = 0; i < STATES; i++) {
		w->states[i].cost = 0;
		w->states[i].early.n = w->states[i].late.n = 1;
		w->states[i].early.at[0].seq = w->states[i].late.at[0].seq = w->seq;
		w->states[i].early.at[0].epoch = w->states[i].late.at[0].epoch = w->base + i;
	}
}

static bool reading_extend(struct reading *to, const struct reading *from, uint64_t seq,
			   size_t epoch)
{
	if (from->n == SWITCHES)
		return false;
	*to = *from;
	to->at[to->n].seq = seq;
	to->at[to->n++].epoch = epoch;
	return true;
}

/* The record at seq in state i: reached by staying, or from a cheaper state below. */
static void enter(struct walk *w, unsigned i, bool may_stay, int64_t cost)
{
	struct state *s = &w->states[i];
	int64_t best = may_stay ? s->cost : DEAD;
	int from_first = -1, from_last = -1;

	for (unsigned k = 0; k < i; k++)
		if (w->states[k].cost < best)
			best = w->states[k].cost;
	for (unsigned k = 0; k < i && best != DEAD; k++)
		if (w->states[k].cost == best) {
			from_first = from_first < 0 ? (int)k : from_first;
			from_last = (int)k;
		}
	if (!may_stay || s->cost != best) {
		if (from_last < 0 ||
		    !reading_extend(&s->early, &w->states[from_last].early, w->seq, w->base + i))
			best = DEAD;
	}
	if (best != DEAD && from_first >= 0 &&
	    !reading_extend(&s->late, &w->states[from_first].late, w->seq, w->base + i))
		best = DEAD;
	s->cost = best == DEAD ? DEAD : best + cost;
}

static size_t epoch_at(const struct reading *r, size_t before, uint64_t seq)
{
	for (unsigned i = 0; i < r->n && r->at[i].seq <= seq; i++)
		before = r->at[i].epoch;
	return before;
}

/* Two readings from seq on: where they differ, both bounds. */
static int add_both(struct walk *w, uint64_t seq, size_t a, size_t b)
{
	struct align_segment g = {.first_seq = seq, .epoch = a};
	struct tsc_range x, y;

	if (a != b) {
		x = align_inverse(w->c, a, w->last_raw);
		y = align_inverse(w->c, b, w->last_raw);
		g.epoch = x.lo < y.lo ? a : b;
		g.width = x.lo < y.lo ? y.hi - x.hi : x.hi - y.hi;
		g.width += !tsc_map_is_unscaled(&w->c->e->v[a].map); /* it rounds elsewhere */
		g.doubtful = true;
	}
	return align_add(w->plan, g);
}

/* Writes down what the two readings say, from the last agreement to here. */
static int settle(struct walk *w, const struct reading *early, const struct reading *late)
{
	unsigned i = 0, k = 0;
	int r = 0;

	while ((i < early->n || k < late->n) && !r) {
		uint64_t seq = UINT64_MAX;

		if (i < early->n)
			seq = early->at[i].seq;
		if (k < late->n && late->at[k].seq < seq)
			seq = late->at[k].seq;
		while (i < early->n && early->at[i].seq <= seq)
			i++;
		while (k < late->n && late->at[k].seq <= seq)
			k++;
		r = add_both(w, seq, epoch_at(early, w->base, seq), epoch_at(late, w->base, seq));
	}
	return r;
}

/* The cheapest readings of all; the lowest and highest state among equals. False: none. */
static bool find_best(const struct walk *w, unsigned *ret_low, unsigned *ret_high, bool *ret_only)
{
	int64_t best = DEAD;
	unsigned alive = 0;

	for (unsigned i = 0; i < state_count(w); i++) {
		alive += w->states[i].cost != DEAD;
		if (w->states[i].cost < best) {
			best = w->states[i].cost;
			*ret_low = i;
		}
		if (best != DEAD && w->states[i].cost == best)
			*ret_high = i;
	}
	*ret_only = alive == 1;
	return best != DEAD;
}

/* Decides for the cheapest reading and goes on from its epoch. */
static int decide(struct walk *w)
{
	unsigned low = 0, high = 0;
	bool only;
	int r;

	if (!find_best(w, &low, &high, &only))
		return 0;
	r = settle(w, &w->states[high].early, &w->states[low].late);
	start_at(w, w->base + low);
	return r;
}

/* Nothing explains the record: a change that was not recorded, or a stamp that is wrong. Its lane's
 * order bounds it; the next record may be in any epoch from here on. */
static int lose_track(struct walk *w)
{
	struct align_segment g = {.first_seq = w->seq, .doubtful = true};
	int r = 0;

	if (w->lost_track)
		return 0;
	if (w->seq)
		r = settle(w, &w->states[w->high].early, &w->states[w->low].late);
	w->lost_track = true;
	w->base += w->low;
	w->low = w->high = 0;
	g.epoch = w->base;
	return r ? r : align_add(w->plan, g);
}

static int take_exact(struct walk *w, uint64_t raw)
{
	unsigned low = 0, high = 0;
	bool back, only;
	struct tsc_range t;
	int r;

	if (w->lost_track || !w->seq)
		start_anywhere(w);
	back = w->any && (int64_t)(raw - w->last_raw) < 0;
	for (unsigned i = state_count(w); i--;) {
		if (!fits(w->c, w->base + i, raw, &t))
			w->states[i].cost = DEAD;
		else
			enter(w, i, !back && w->states[i].cost != DEAD,
			      cost_of[w->c->ran ? ran_at(w->c->ran, &t) : RAN_UNSEEN]);
	}
	w->last_raw = raw;
	w->any = true;
	if (!find_best(w, &low, &high, &only))
		return lose_track(w);
	w->lost_track = false;
	w->low = low;
	w->high = high;
	if (!only)
		return 0;
	r = settle(w, &w->states[low].early, &w->states[low].late);
	start_at(w, w->base + low);
	return r;
}

/* The run is complete; it is fitted and the walk goes on behind it. */
static int end_run(struct walk *w, bool has_next, uint64_t next_raw)
{
	struct clamp_end end;
	int r;

	if (!w->run.raw.n)
		return 0;
	w->run.has_next = has_next;
	w->run.next_raw = next_raw;
	r = clamp_fit(w->c, &w->run, w->plan, &end);
	w->run.raw.n = 0;
	if (r)
		return r;
	w->base = end.epoch;
	w->any = w->lost_track = false;
	if (!end.only) {
		start_anywhere(w);
		return 0;
	}
	start_at(w, end.epoch);
	return align_add(w->plan, (struct align_segment){.first_seq = w->seq, .epoch = end.epoch});
}

/* The clock goes back now: the record before was in an epoch that a backward step follows. */
static void rule_out_last(struct walk *w)
{
	bool keep[STATES], any = false;

	for (unsigned i = 0; i < state_count(w); i++) {
		keep[i] = w->states[i].cost != DEAD &&
			  align_backward(w->c->e, w->base + i, w->base + i + 1) != NO_EPOCH;
		any |= keep[i];
	}
	for (unsigned i = 0; i < state_count(w) && any; i++)
		if (!keep[i])
			w->states[i].cost = DEAD;
}

static int take_clamped(struct walk *w, uint64_t raw, bool is_first)
{
	uint64_t *slot;
	int r = 0;

	if (is_first || !w->run.raw.n) {
		r = end_run(w, false, 0);
		if (!r) {
			rule_out_last(w);
			r = decide(w);
		}
		w->run.first_seq = w->seq;
		w->run.epoch = w->base;
		w->run.floor = w->any ? align_inverse(w->c, w->base, w->last_raw).lo : 0;
	}
	if (r || w->run.raw.n >= RUN_MAX)
		return r;
	slot = array_add(&w->run.raw);
	if (!slot)
		return -ENOMEM;
	*slot = raw;
	return 0;
}

static int take(struct walk *w, const struct source_item *it)
{
	int r = 0;

	/* It says nothing that the next one does not say better. */
	if (it->flags & ITEM_INTERRUPTED) {
		w->seq++;
		return 0;
	}
	if (it->flags & ITEM_CLAMPED) {
		r = take_clamped(w, it->raw_ticks, it->flags & ITEM_CLAMP_FIRST);
	} else {
		r = end_run(w, true, it->raw_ticks);
		if (!r)
			r = take_exact(w, it->raw_ticks);
	}
	w->seq++;
	return r;
}

/* The last epoch cannot be left. */
static bool is_done(const struct walk *w)
{
	return w->base + 1 == w->c->e->n && w->seq && !w->lost_track && !w->run.raw.n;
}

static int walk_lane(struct walk *w, struct source_cursor *c)
{
	struct source_item items[ITEMS];
	int n, r;

	while (!is_done(w) && (n = source_cursor_read(c, items, ITEMS)) != 0) {
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			r = items[i].flags & ITEM_LOST ? 0 : take(w, &items[i]);
			if (r)
				return r;
		}
	}
	r = end_run(w, false, 0);
	return r ? r : decide(w);
}

int align_lane(struct source *s, size_t lane, const struct align_ctx *c, struct align_plan *ret)
{
	_cleanup_source_cursor_ struct source_cursor *cursor = NULL;
	struct walk *w = calloc(1, sizeof(*w));
	int r = w ? source_cursor_new(s, lane, NULL, &cursor) : -ENOMEM;

	if (!r) {
		w->c = c;
		w->plan = ret;
		r = walk_lane(w, cursor);
	}
	if (!r && !ret->v.n)
		r = align_add(ret, (struct align_segment){0});
	if (w)
		array_free(&w->run.raw);
	free(w);
	if (r)
		align_plan_free(ret);
	return r;
}

int align_is_settled(struct source *s, size_t lane, const struct align_ctx *c, bool *ret)
{
	_cleanup_source_cursor_ struct source_cursor *cursor = NULL;
	struct source_item items[4];
	struct tsc_range t;
	int n;

	*ret = true;
	n = source_cursor_new(s, lane, NULL, &cursor);
	if (!n)
		n = source_cursor_read(cursor, items, 4);
	for (int i = 0; i < n; i++) {
		if (items[i].flags & ITEM_LOST)
			continue;
		for (size_t k = 0; k + 1 < c->e->n && *ret; k++)
			*ret = !fits(c, k, items[i].raw_ticks, &t);
		return 0;
	}
	return n < 0 ? n : 0;
}

bool align_reach(const struct tsc_epochs *e, uint64_t *ret)
{
	uint64_t reach = 0;

	for (size_t i = 1; i < e->n; i++) {
		int64_t step = align_step(e, i - 1, i);

		if (step < 0 && 0 - (uint64_t)step > reach)
			reach = 0 - (uint64_t)step;
	}
	if (!reach)
		return false;
	*ret = reach < UINT64_MAX - REACH_MORE ? reach + REACH_MORE : reach;
	return true;
}
