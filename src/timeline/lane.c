// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/lane.h"

#include <errno.h>

/* Host ticks of the raw stamp of a record of the segment at hand. */
static struct tsc_range translate(const struct lane *l, uint64_t raw, bool *ret_doubtful)
{
	const struct tsc_epochs *e = l->pub.vcpu ? &l->pub.vcpu->epochs : NULL;
	struct tsc_range r = {raw, raw};

	*ret_doubtful = false;
	if (l->machine->clock && raw != UINT64_MAX) {
		uint32_t quantum = source_facts(l->machine->source)->quantum_ns;

		return fit_lookup_ticks(l->machine->clock, (int64_t)raw,
					(int64_t)raw + quantum - 1);
	}
	if (!e || !e->n)
		return r;
	if (l->plan.v.n) {
		*ret_doubtful = l->plan.v.v[l->segment].doubtful;
		return align_ticks(&l->plan.v.v[l->segment], e, raw, l->floor);
	}
	if (tsc_map_is_unscaled(&e->v[0].map))
		r.lo = r.hi = raw - (uint64_t)e->v[0].map.offset;
	else
		tsc_inverse(&e->v[0].map, raw, l->floor, &r);
	return r;
}

static struct lane *lane_of(struct feed_lane *feed)
{
	return (struct lane *)((char *)feed - offsetof(struct lane, feed));
}

static void find_segment(struct lane *l, uint64_t seq)
{
	while (l->segment + 1 < l->plan.v.n && l->plan.v.v[l->segment + 1].first_seq <= seq)
		l->segment++;
}

/* --- preparing a block: times of its items --- */

static void set_time(struct lane *l, struct source_item *it, struct tsc_range r, uint64_t *ticks,
		     struct feed_width *w)
{
	*w = (struct feed_width){r.hi - r.lo, 0};
	/* the ring buffer's order is the truth, whatever the stamps say */
	if (r.lo < l->floor) {
		r.lo = l->floor;
		w->width = r.hi > r.lo ? r.hi - r.lo : 0;
		it->flags |= ITEM_LATE;
	}
	*ticks = r.lo;
}

/* Of a stamp that stands for an interval of another clock the middle counts. Middles may be out of
 * order by what the clock's readings differ. */
static void set_middle(struct lane *l, struct tsc_range r, uint64_t *ticks, struct feed_width *w)
{
	*ticks = r.lo + (r.hi - r.lo) / 2;
	*w = (struct feed_width){0, (r.hi - *ticks) ?: 1};
	if (*ticks < l->floor) {
		w->err_ticks += l->floor - *ticks;
		*ticks = l->floor;
	}
}

static void prepare_record(struct lane *l, struct source_item *it, uint64_t *ticks,
			   struct feed_width *w)
{
	struct tsc_range t;
	bool doubtful;

	/* an interrupted one has the stamp of the next one */
	find_segment(l, l->seq + !!(it->flags & ITEM_INTERRUPTED));
	t = translate(l, it->raw_ticks, &doubtful);
	if (doubtful)
		it->flags |= ITEM_LATE;
	if (l->machine->clock)
		set_middle(l, t, ticks, w);
	else
		set_time(l, it, t, ticks, w);
}

/* Its end becomes host ticks too. */
static void prepare_gap(struct lane *l, struct source_item *it, uint64_t *ticks)
{
	struct tsc_range end;
	bool doubtful;

	find_segment(l, l->seq);
	end = translate(l, it->end_raw_ticks, &doubtful);
	if (it->end_raw_ticks == UINT64_MAX) /* up to the end */
		end = (struct tsc_range){l->floor		 ? l->floor
					 : l->begin < UINT64_MAX ? l->begin
								 : 0,
					 UINT64_MAX};
	*ticks = l->floor ? l->floor : l->begin < end.lo ? l->begin : end.lo;
	it->end_raw_ticks = end.hi < *ticks ? *ticks : end.hi;
}

static void mark_last(const struct lane *l, struct block *b)
{
	for (int i = 0; i < b->n && l->exit_kind; i++)
		if (!(b->items[i].flags & ITEM_LOST) && b->items[i].kind == l->exit_kind)
			b->items[i].flags |= ITEM_LAST;
}

static void prepare_wide(struct feed_lane *feed, struct block *b)
{
	struct lane *l = lane_of(feed);

	for (int i = 0; i < b->n; i++) {
		if (b->items[i].flags & ITEM_LOST) {
			prepare_gap(l, &b->items[i], &b->ticks[i]);
		} else {
			prepare_record(l, &b->items[i], &b->ticks[i], &b->widths[i]);
			l->seq++;
		}
		l->floor = b->ticks[i];
	}
	mark_last(l, b);
}

static void prepare_shifted(struct feed_lane *feed, struct block *b)
{
	struct lane *l = lane_of(feed);
	uint64_t floor = l->floor, shift = l->shift;

	for (int i = 0; i < b->n; i++) {
		struct source_item *it = &b->items[i];
		uint64_t ticks = it->raw_ticks - shift;

		if (it->flags & ITEM_LOST) {
			l->floor = floor;
			prepare_gap(l, it, &ticks);
		} else if (ticks < floor) {
			ticks = floor;
			it->flags |= ITEM_LATE;
		}
		b->ticks[i] = floor = ticks;
	}
	l->floor = floor;
	mark_last(l, b);
}

/* --- the next event --- */

static void gap_event(struct lane *l, const struct source_item *it, struct event *ev)
{
	*ev = (struct event){
		.ticks = *l->ticks,
		.raw_ticks = it->raw_ticks,
		.machine = l->pub.machine,
		.cpu = l->pub.cpu,
		.type = EVENT_LOST,
		.lane = l->index,
		.end_ticks = it->end_raw_ticks,
		.lost = it->lost,
	};
	l->totals.gaps++;
	if (it->lost == UINT64_MAX)
		l->totals.gaps_uncounted++;
	else
		l->totals.lost += it->lost;
}

void lane_event_any(struct lane *l, struct event *ev)
{
	const struct source_item *it = l->item;
	const struct block *b = l->feed.now;

	if (it->flags & ITEM_LOST) {
		gap_event(l, it, ev);
		return;
	}
	*ev = (struct event){
		.ticks = *l->ticks,
		.raw_ticks = it->raw_ticks,
		.machine = l->pub.machine,
		.cpu = l->pub.cpu,
		.type = EVENT_RECORD,
		.lane = l->index,
		.kind = it->kind,
		.data = it->data,
		.size = it->size,
		.doubtful = !!(it->flags & (ITEM_CLAMPED | ITEM_INTERRUPTED | ITEM_LATE)),
	};
	if (l->feed.is_wide) {
		ev->width = b->widths[it - b->items].width;
		ev->err_ticks = b->widths[it - b->items].err_ticks;
	}
	l->totals.events++;
	l->totals.doubtful += ev->doubtful;
}

static int refill(struct lane *l, struct lane_keep *k)
{
	struct block *old, *b;
	int r = feed_next(&k->feed, &l->feed, &old);

	if (old) {
		int e = k->retire(k->state, old);

		r = r ? r : e;
	}
	b = l->feed.now;
	if (!r && b->n < 0)
		r = b->n;
	l->ended = r || !b->n;
	l->item = l->end = NULL;
	if (l->ended)
		return r;
	l->item = b->items;
	l->end = b->items + b->n;
	l->ticks = b->ticks;
	return 0;
}

/* Whether the next item is an event to be shown; sets ended behind the filter's time. */
static bool passes(struct lane *l)
{
	const struct timeline_filter *ask = &l->filter->ask;
	const struct source_item *it = l->item;

	if (!(it->flags & ITEM_LOST) && l->tasks)
		tasks_learn(l->tasks, l->machine->source, it);
	if (*l->ticks > ask->to_ticks) {
		l->ended = true;
		return true;
	}
	if (it->flags & ITEM_LOST)
		return it->end_raw_ticks >= ask->from_ticks;
	return *l->ticks >= ask->from_ticks &&
	       (!l->has_tests || filter_item(l->filter, l->pub.machine, l->machine, it));
}

int lane_search(struct lane *l, struct lane_keep *k)
{
	for (;; l->item++, l->ticks++) {
		if (l->item == l->end) {
			int r = refill(l, k);

			if (r || l->ended)
				return r;
		}
		if (!l->is_picky || passes(l))
			return 0;
	}
}

static void choose_clock(struct lane *l)
{
	const struct tsc_epochs *e = l->pub.vcpu ? &l->pub.vcpu->epochs : NULL;

	l->shift = 0;
	l->is_shifted = !l->machine->clock && !l->plan.v.n;
	if (e && e->n) {
		l->is_shifted &= tsc_map_is_unscaled(&e->v[0].map);
		l->shift = (uint64_t)e->v[0].map.offset;
	}
	l->feed.is_wide = !l->is_shifted;
	l->is_plain = l->is_shifted;
	l->feed.prepare = l->is_shifted ? prepare_shifted : prepare_wide;
}

bool lane_can_seek(const struct lane *l)
{
	return !l->plan.v.n && !l->machine->clock;
}

uint64_t lane_ticks(struct lane *l, uint64_t raw_ticks, uint64_t near)
{
	uint64_t floor = l->floor, ticks;
	bool doubtful;

	l->floor = near;
	ticks = translate(l, raw_ticks, &doubtful).lo;
	l->floor = floor;
	return ticks;
}

/* The last place all before which is too early; and then the one before it, so that a gap in front
 * of the first event wanted has its beginning. What is left out would have passed the filter nowhere. */
static int seek(struct lane *l, struct source_cursor *c, const struct seek_places *places)
{
	uint64_t from = l->filter->ask.from_ticks;
	size_t lo = 0, hi = places->n;
	const struct seek_place *p;
	int r;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		p = &places->v[mid];
		if (!(p->flags & SEEK_HAS_HIGH) || lane_ticks(l, p->high_ticks, from) < from)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < 2)
		return 0;
	p = &places->v[lo - 2];
	r = source_cursor_seek(c, p);
	if (!r && (p->flags & SEEK_HAS_HIGH))
		l->floor = lane_ticks(l, p->high_ticks, from);
	return r == -EBADMSG ? 0 : r;
}

int lane_start(struct lane *l, struct lane_keep *k, const struct seek_places *places)
{
	const struct filter_machine *fm = &l->filter->machines[l->pub.machine];
	const bool *wanted = l->tasks ? fm->decoded : fm->wanted;
	struct source_cursor *c;
	int r;

	l->item = l->end = NULL;
	l->floor = 0;
	l->ended = false;
	l->seq = 0;
	l->segment = 0;
	l->totals = (struct lane_totals){0};
	l->tie = (uint32_t)(l->machine->is_guest ? LANE_GUEST : LANE_HOST) << LANE_BITS | l->index;
	l->has_tests = filter_has_tests(l->filter, l->pub.machine);
	l->is_picky = l->tasks || l->has_tests || l->filter->ask.from_ticks ||
		      l->filter->ask.to_ticks != UINT64_MAX;
	choose_clock(l);
	r = source_cursor_new(l->machine->source, l->source_lane, l->plan.v.n ? NULL : wanted, &c);
	if (r)
		return r;
	r = places && lane_can_seek(l) ? seek(l, c, places) : 0;
	if (r) {
		source_cursor_free(c);
		return r;
	}
	feed_start(&k->feed, &l->feed, c);
	return lane_search(l, k);
}

void lane_stop(struct lane *l, struct lane_keep *k)
{
	if (l->feed.cursor)
		feed_stop(&k->feed, &l->feed);
}

int lane_first_ticks(const struct lane *l, uint64_t *ret)
{
	_cleanup_source_cursor_ struct source_cursor *c = NULL;
	struct source_item items[4];
	bool doubtful;
	int n;

	*ret = UINT64_MAX;
	n = source_cursor_new(l->machine->source, l->source_lane, NULL, &c);
	if (n)
		return n;
	n = source_cursor_read(c, items, 4);
	for (int i = 0; i < n; i++)
		if (!(items[i].flags & ITEM_LOST)) {
			struct tsc_range t = translate(l, items[i].raw_ticks, &doubtful);

			*ret = l->machine->clock ? t.lo + (t.hi - t.lo) / 2 : t.lo;
			return 0;
		}
	return n < 0 ? n : 0;
}
