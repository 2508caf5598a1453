// SPDX-License-Identifier: GPL-2.0-or-later
/* Offsets that change: three passes over a vCPU's lane. The first finds stretches, each as long as
 * some shift fits all of it. Its end comes late: events behind the change may fit the old shift by
 * luck. The second finds how early each change may have been: from where on the next shift fits too.
 * The third narrows each stretch again by the events that are surely its own. */
#include "insight/solve_parts.h"

struct stretch {
	uint64_t first_seq, border_seq; /* border: the earliest event that may be of this stretch */
	int64_t shift, border;		/* in host ticks from the origin */
};

struct search {
	const struct solve_machine *g;
	const struct when_vcpu *w;
	struct ARRAY(struct stretch) list;
	struct spans shifts, tmp;
	struct span start, last; /* first and last event of the stretch at hand */
	int64_t floor;		 /* no event comes before this host tick */
	uint64_t seq, events;
	bool clamped;
	/* later passes */
	size_t at;
	bool has_candidate;
	uint64_t candidate_seq;
	int64_t candidate;
	struct solve_vcpu *out;
};

/* Half of the stretch must lie in the host's recording: outside of it everything fits. */
static struct span plausible(const struct search *s, struct span last)
{
	int64_t middle = s->start.lo + (last.hi - s->start.lo) / 2;

	return (struct span){-middle, s->g->when->span - middle};
}

static bool has_plausible(const struct spans *shifts, struct span p)
{
	for (size_t i = 0; i < shifts->n && shifts->v[i].lo <= p.hi; i++)
		if (shifts->v[i].hi >= p.lo)
			return true;
	return false;
}

static int only_plausible(const struct search *s, struct spans *ret)
{
	struct span p = plausible(s, s->last);
	int r = 0;

	for (size_t i = 0; i < s->shifts.n && !r; i++)
		if (s->shifts.v[i].hi >= p.lo && s->shifts.v[i].lo <= p.hi)
			r = spans_add(ret, s->shifts.v[i].lo, s->shifts.v[i].hi);
	return r;
}

static int begin(struct search *s, struct span at)
{
	s->shifts.n = 0;
	s->start = at;
	s->events = 0;
	return spans_add(&s->shifts, s->floor - at.hi, s->g->when->span - at.lo);
}

/* --- first pass --- */

static int end_stretch(struct search *s)
{
	_cleanup_spans_ struct spans left = {0};
	struct stretch *t;
	int r;

	if (!s->events)
		return 0;
	r = only_plausible(s, &left);
	if (r || !left.n)
		return r;
	t = array_add(&s->list);
	if (!t)
		return -ENOMEM;
	t->shift = solve_widest(&left)->lo;
	t->first_seq = t->border_seq = s->seq - s->events;
	t->border = s->start.lo + t->shift;
	/* The next stretch does not begin before this one. Its end is no bound: it may be wrong. */
	s->floor = t->border;
	return 0;
}

/* By one event more; *ret: some plausible shift is left. */
static int narrow(struct search *s, struct span at, bool *ret)
{
	int r = solve_keep(s->w, &s->shifts, at, &s->tmp);

	*ret = has_plausible(&s->shifts, plausible(s, at));
	return r;
}

static void undo_narrow(struct search *s)
{
	struct spans before = s->tmp;

	s->tmp = s->shifts;
	s->shifts = before;
}

static int find_event(void *arg, const struct source_item *it)
{
	struct search *s = arg;
	struct span at = solve_at(s->g, it->raw_ticks);
	bool back, fits = false;
	int r = 0;

	if (it->flags & (ITEM_CLAMPED | ITEM_INTERRUPTED)) {
		s->clamped |= it->flags & ITEM_CLAMPED;
		s->seq++;
		s->events += s->events != 0; /* keeps seq - events at the stretch's start */
		return 0;
	}
	back = s->clamped || (s->events && at.hi < s->last.lo);
	s->clamped = false;
	if (s->events && !back) {
		r = narrow(s, at, &fits);
		if (!r && !fits)
			undo_narrow(s);
	}
	if (!r && !fits) { /* the offset changed, or this is the first event */
		r = end_stretch(s);
		if (!r)
			r = begin(s, at);
		if (!r)
			r = narrow(s, at, &fits);
	}
	s->last = at;
	s->seq++;
	s->events++;
	return r;
}

/* --- second pass --- */

static bool fits_window(const struct spans *w, struct span at, int64_t shift)
{
	for (int64_t t = at.lo; t <= at.hi; t++)
		if (spans_has(w, t + shift))
			return true;
	return false;
}

static int border_event(void *arg, const struct source_item *it)
{
	struct search *s = arg;
	struct span at = solve_at(s->g, it->raw_ticks);
	uint64_t seq = s->seq++;
	struct stretch *next;

	if (it->flags & (ITEM_CLAMPED | ITEM_INTERRUPTED))
		return 0;
	if (s->at + 1 < s->list.n && s->list.v[s->at + 1].first_seq == seq) {
		next = &s->list.v[++s->at];
		if (s->has_candidate) {
			next->border_seq = s->candidate_seq;
			next->border = s->candidate;
		}
		s->has_candidate = false;
	}
	if (s->at + 1 == s->list.n)
		return 0;
	next = &s->list.v[s->at + 1];
	if (!fits_window(&s->w->spans, at, next->shift)) {
		s->has_candidate = false;
	} else if (!s->has_candidate) {
		s->has_candidate = true;
		s->candidate_seq = seq;
		s->candidate = at.lo + next->shift;
	}
	return 0;
}

/* --- third pass --- */

static int add_answer(struct search *s)
{
	const struct stretch *t = &s->list.v[s->at];
	_cleanup_spans_ struct spans left = {0};
	uint64_t from = s->at ? s->g->when->origin + (uint64_t)t->border : 0;
	int r = s->events ? only_plausible(s, &left) : 0;

	if (!r && !left.n) /* nothing is surely its own: what the first pass found */
		r = spans_add(&left, t->shift, t->shift);
	return r ? r : solve_add_epoch(s->g, s->out, &left, from, s->events);
}

static int answer_event(void *arg, const struct source_item *it)
{
	struct search *s = arg;
	struct span at = solve_at(s->g, it->raw_ticks);
	uint64_t seq = s->seq++;
	int r = 0;

	if (it->flags & (ITEM_CLAMPED | ITEM_INTERRUPTED))
		return 0;
	if (s->at + 1 < s->list.n && s->list.v[s->at + 1].first_seq == seq) {
		r = add_answer(s);
		s->at++;
		s->events = 0;
	}
	if (r || (s->at + 1 < s->list.n && seq >= s->list.v[s->at + 1].border_seq))
		return r;
	s->out->inside += solve_is_inside(s->w, at, s->list.v[s->at].shift);
	if (!s->events)
		r = begin(s, at);
	if (!r)
		r = solve_keep(s->w, &s->shifts, at, &s->tmp);
	s->last = at;
	s->events++;
	return r;
}

static void rewind_search(struct search *s)
{
	s->at = 0;
	s->seq = s->events = 0;
	s->has_candidate = false;
	s->floor = -s->g->when->span;
	if (s->floor < solve_zero(s->g))
		s->floor = solve_zero(s->g);
}

int solve_steps(const struct solve_machine *g, const struct when_vcpu *w, struct solve_vcpu *out)
{
	struct search s = {.g = g, .w = w, .out = out};
	int r;

	rewind_search(&s);
	r = solve_for_events(g, w->vcpu, find_event, &s);
	if (!r)
		r = end_stretch(&s);
	rewind_search(&s);
	if (!r && s.list.n)
		r = solve_for_events(g, w->vcpu, border_event, &s);
	rewind_search(&s);
	if (!r && s.list.n)
		r = solve_for_events(g, w->vcpu, answer_event, &s);
	if (!r && s.list.n)
		r = add_answer(&s);
	spans_free(&s.shifts);
	spans_free(&s.tmp);
	array_free(&s.list);
	return r;
}
