// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/ran.h"

#include <errno.h>

#define ITEMS	    256
#define POINTS_MAX  (1u << 20) /* of a vCPU: 16 MiB */
#define REACH_SHORT ((1ull << 32) + (1ull << 31))

struct ran_point {
	uint64_t ticks;
	bool is_exit;
};

struct kinds {
	const struct source_kind *entry, *exit;
};

static bool is_near(const struct ran *r, uint64_t ticks)
{
	const struct tsc_epochs *e = r->epochs;
	size_t k = epochs_at(e, ticks);

	return (k && ticks - e->v[k].from_ticks <= r->reach_ticks) ||
	       (k + 1 < e->n && e->v[k + 1].from_ticks - ticks <= r->reach_ticks);
}

static int add_point(struct ran *r, uint64_t ticks, bool is_exit)
{
	struct ran_point *p;

	r->first = r->seen && r->first < ticks ? r->first : ticks;
	r->last = r->seen && r->last > ticks ? r->last : ticks;
	r->seen = true;
	if (r->full || !is_near(r, ticks))
		return 0;
	if (r->points.n >= POINTS_MAX) {
		r->full = true;
		return 0;
	}
	p = array_add(&r->points);
	if (!p)
		return -ENOMEM;
	*p = (struct ran_point){ticks, is_exit};
	return 0;
}

static int add_gap(struct ran *r, uint64_t from, uint64_t to)
{
	struct tsc_range *g;

	if (r->full)
		return 0;
	if (r->gaps.n >= POINTS_MAX) {
		r->full = true;
		return 0;
	}
	g = array_add(&r->gaps);
	if (!g)
		return -ENOMEM;
	*g = (struct tsc_range){from, to > from ? to : from};
	return 0;
}

static int take_item(struct ran *r, size_t n, const struct kinds *k, const struct source_item *it)
{
	bool lost = it->flags & ITEM_LOST;
	int pid = lost ? 0 : source_record_pid(it->kind, it->data), err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (r[i].done)
			continue;
		if (lost)
			err = add_gap(&r[i], it->raw_ticks, it->end_raw_ticks);
		else if (r[i].tid == pid)
			err = add_point(&r[i], it->raw_ticks, it->kind == k->exit);
	}
	return err;
}

static int read_lane(struct source *host, size_t lane, const bool *wanted, const struct kinds *k,
		     struct ran *r, size_t n)
{
	_cleanup_source_cursor_ struct source_cursor *c = NULL;
	struct source_item items[ITEMS];
	int got, err;

	err = source_cursor_new(host, lane, wanted, &c);
	if (err)
		return err;
	while ((got = source_cursor_read(c, items, ITEMS)) > 0)
		for (int i = 0; i < got; i++) {
			err = take_item(r, n, k, &items[i]);
			if (err)
				return err;
		}
	return got;
}

static int point_cmp(const void *a, const void *b)
{
	const struct ran_point *x = a, *y = b;

	if (x->ticks != y->ticks)
		return x->ticks < y->ticks ? -1 : 1;
	return (int)y->is_exit - (int)x->is_exit; /* an exit before the entry of the same tick */
}

static int gap_cmp(const void *a, const void *b)
{
	const struct tsc_range *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

static int add_window(struct ran *r, uint64_t from, uint64_t to, enum ran_state state)
{
	struct ran_window *w, *last = r->v.n ? &r->v.v[r->v.n - 1] : NULL;

	if (last && from <= last->to)
		from = last->to + 1;
	if (to < from)
		return 0;
	w = array_add(&r->v);
	if (!w)
		return -ENOMEM;
	*w = (struct ran_window){from, to, state};
	return 0;
}

/* What lies between the reaches of two borders was not kept. */
static int add_unreached(struct ran *r)
{
	const struct tsc_epochs *e = r->epochs;
	int err = 0;

	for (size_t i = 1; i + 1 < e->n && !err; i++) {
		uint64_t from = e->v[i].from_ticks, to = e->v[i + 1].from_ticks;

		if (to - from > 2 * r->reach_ticks)
			err = add_gap(r, from + r->reach_ticks, to - r->reach_ticks);
	}
	return err;
}

/* The time between two points that follow each other: the parts of it that the gaps touch, from gap
 * *at on, are unknown. */
static int add_between(struct ran *r, const struct ran_point *a, const struct ran_point *b,
		       size_t *at)
{
	bool touched = false;
	int err = 0;

	while (*at < r->gaps.n && r->gaps.v[*at].hi < a->ticks)
		++*at;
	for (size_t i = *at; i < r->gaps.n && r->gaps.v[i].lo <= b->ticks && !err; i++) {
		const struct tsc_range *g = &r->gaps.v[i];

		if (g->hi < a->ticks)
			continue;
		touched = true;
		/* out of the guest before and after: it can have run in the gap alone */
		if (a->is_exit && !b->is_exit)
			err = add_window(r, g->lo > a->ticks ? g->lo : a->ticks,
					 g->hi < b->ticks ? g->hi : b->ticks, RAN_LOST);
	}
	if (err || (a->is_exit && !b->is_exit))
		return err;
	return add_window(r, a->ticks, b->ticks,
			  touched || a->is_exit == b->is_exit ? RAN_LOST : RAN_INSIDE);
}

/* Between the first and the last one all points are kept. */
static struct tsc_range kept(const struct ran *r)
{
	uint64_t first = r->epochs->v[1].from_ticks;
	uint64_t last = r->epochs->v[r->epochs->n - 1].from_ticks;
	uint64_t lo = first > r->reach_ticks ? first - r->reach_ticks : 0;
	uint64_t hi = last > UINT64_MAX - r->reach_ticks ? UINT64_MAX : last + r->reach_ticks;

	return (struct tsc_range){lo > r->first ? lo : r->first, hi < r->last ? hi : r->last};
}

static int add_points(struct ran *r)
{
	struct ran_point *p = r->points.v, edge;
	struct tsc_range k = kept(r);
	size_t n = r->points.n, at = 0;
	int err = 0;

	if (!n)
		return add_window(r, r->first, r->last, RAN_LOST);
	qsort(p, n, sizeof(*p), point_cmp);
	if (k.lo > r->first)
		err = add_window(r, r->first, k.lo - 1, RAN_LOST);
	/* from there to the first point nothing changed, nor from the last one on */
	edge = (struct ran_point){k.lo, !p[0].is_exit};
	if (p[0].ticks > k.lo && !err)
		err = add_between(r, &edge, &p[0], &at);
	else if (p[0].is_exit && !err)
		err = add_window(r, p[0].ticks, p[0].ticks, RAN_UNSEEN);
	for (size_t i = 0; i + 1 < n && !err; i++)
		err = add_between(r, &p[i], &p[i + 1], &at);
	edge = (struct ran_point){k.hi, !p[n - 1].is_exit};
	if (k.hi > p[n - 1].ticks && !err)
		err = add_between(r, &p[n - 1], &edge, &at);
	return err || k.hi >= r->last ? err : add_window(r, k.hi + 1, r->last, RAN_LOST);
}

/* Before the first and behind the last point: what is lost there may have been points too. */
static int add_unseen(struct ran *r, uint64_t from, uint64_t to)
{
	int err = 0;

	for (size_t i = 0; i < r->gaps.n && !err; i++) {
		const struct tsc_range *g = &r->gaps.v[i];
		uint64_t hi = g->hi < to ? g->hi : to;

		if (g->hi < from || g->lo > to)
			continue;
		if (g->lo > from)
			err = add_window(r, from, g->lo - 1, RAN_UNSEEN);
		if (!err)
			err = add_window(r, g->lo > from ? g->lo : from, hi, RAN_LOST);
		if (hi == to)
			return err;
		from = hi + 1;
	}
	return err ? err : add_window(r, from, to, RAN_UNSEEN);
}

static int make_windows(struct ran *r)
{
	int err = 0;

	if (!r->seen)
		return 0;
	if (r->gaps.n)
		qsort(r->gaps.v, r->gaps.n, sizeof(*r->gaps.v), gap_cmp);
	if (r->first)
		err = add_unseen(r, 0, r->first - 1);
	if (!err)
		err = add_points(r);
	return err ? err : add_unseen(r, r->last, UINT64_MAX);
}

static int finish(struct ran *r)
{
	int err;

	if (r->full)
		array_free(&r->points);
	err = add_unreached(r);
	if (!err)
		err = make_windows(r);
	array_free(&r->points);
	array_free(&r->gaps);
	return err;
}

/* Those that did not fit get a second pass with the shortest useful reach. */
static bool retry(struct ran *r, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		r[i].done = !r[i].full || r[i].reach_ticks <= REACH_SHORT;
		if (r[i].done)
			continue;
		r[i].reach_ticks = REACH_SHORT;
		r[i].full = false;
		r[i].points.n = r[i].gaps.n = 0;
		any = true;
	}
	return any;
}

int ran_collect(struct source *host, struct ran *r, size_t n)
{
	const struct source_facts *f = source_facts(host);
	struct kinds k = {source_kind_find(host, "kvm", "kvm_entry"),
			  source_kind_find(host, "kvm", "kvm_exit")};
	bool *wanted;
	int err = 0;

	if (!k.entry || !k.exit)
		n = 0;
	wanted = calloc(f->n_kinds + 1, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	for (size_t i = 0; i < f->n_kinds; i++)
		wanted[i] = f->kinds[i] == k.entry || f->kinds[i] == k.exit;
	do {
		for (size_t i = 0; i < f->n_lanes && n && !err; i++)
			err = read_lane(host, i, wanted, &k, r, n);
	} while (!err && retry(r, n));
	free(wanted);
	for (size_t i = 0; i < n && !err; i++)
		err = finish(&r[i]);
	return err;
}

void ran_free(struct ran *r)
{
	array_free(&r->v);
	array_free(&r->points);
	array_free(&r->gaps);
}

enum ran_state ran_at(const struct ran *r, const struct tsc_range *t)
{
	size_t lo = 0, hi = r->v.n;
	enum ran_state best = RAN_OUTSIDE;

	if (!r->v.n)
		return RAN_UNSEEN;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->v.v[mid].to < t->lo)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < r->v.n && r->v.v[lo].from <= t->hi; lo++)
		if (r->v.v[lo].state < best)
			best = r->v.v[lo].state;
	return best;
}
