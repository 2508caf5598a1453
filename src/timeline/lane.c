// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/lane.h"

#include <errno.h>

/* Places among events of one tick, before machine and lane. */
enum { TIE_HOST, TIE_GUEST, TIE_EXIT };

#define TIE(rank, lane) ((uint32_t)(rank) << 24 | (lane))

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

static void find_segment(struct lane *l, uint64_t seq)
{
	while (l->segment + 1 < l->plan.v.n && l->plan.v.v[l->segment + 1].first_seq <= seq)
		l->segment++;
}

static void set_time(struct lane *l, struct tsc_range r)
{
	uint64_t width = r.hi - r.lo;

	/* the ring buffer's order is the truth, whatever the stamps say */
	if (r.lo < l->floor) {
		r.lo = l->floor;
		width = r.hi > r.lo ? r.hi - r.lo : 0;
		l->doubtful = true;
	}
	l->ticks = r.lo;
	l->width = width;
}

/* Of a stamp that stands for an interval of another clock the middle counts. Middles may be out of
 * order by what the clock's readings differ. */
static void set_middle(struct lane *l, struct tsc_range r)
{
	l->ticks = r.lo + (r.hi - r.lo) / 2;
	l->err_ticks = (r.hi - l->ticks) ?: 1;
	if (l->ticks < l->floor) {
		l->err_ticks += l->floor - l->ticks;
		l->ticks = l->floor;
	}
}

static void set_translated(struct lane *l, const struct source_item *it)
{
	struct tsc_range t;
	bool doubtful;

	/* an interrupted one has the stamp of the next one */
	find_segment(l, l->seq + !!(it->flags & ITEM_INTERRUPTED));
	t = translate(l, it->raw_ticks, &doubtful);
	l->doubtful |= doubtful;
	if (l->machine->clock)
		set_middle(l, t);
	else
		set_time(l, t);
}

static inline void take_record(struct lane *l, const struct source_item *it)
{
	if (l->tasks)
		tasks_learn(l->tasks, l->machine->source, it);
	l->doubtful = it->flags & (ITEM_CLAMPED | ITEM_INTERRUPTED);
	if (l->is_shifted)
		set_time(l, (struct tsc_range){it->raw_ticks - l->shift, it->raw_ticks - l->shift});
	else
		set_translated(l, it);
	l->seq++;
	l->tie = TIE(it->kind == l->exit_kind && it->kind ? TIE_EXIT
		     : l->machine->is_guest		  ? TIE_GUEST
							  : TIE_HOST,
		     l->index);
}

static void take_lost(struct lane *l, const struct source_item *it)
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
	l->ticks = l->floor ? l->floor : l->begin < end.lo ? l->begin : end.lo;
	l->end_ticks = end.hi < l->ticks ? l->ticks : end.hi;
	l->tie = TIE(l->machine->is_guest ? TIE_GUEST : TIE_HOST, l->index);
}

void lane_event(const struct lane *l, struct event *ev)
{
	const struct source_item *it = l->item;
	bool lost = it->flags & ITEM_LOST;

	*ev = (struct event){
		.ticks = l->ticks,
		.raw_ticks = it->raw_ticks,
		.machine = l->pub.machine,
		.cpu = l->pub.cpu,
		.lane = l->index,
	};
	if (lost) {
		ev->type = EVENT_LOST;
		ev->end_ticks = l->end_ticks;
		ev->lost = it->lost;
		return;
	}
	ev->type = EVENT_RECORD;
	ev->width = l->width;
	ev->err_ticks = l->err_ticks;
	ev->doubtful = l->doubtful;
	ev->kind = it->kind;
	ev->data = it->data;
	ev->size = it->size;
}

static int refill(struct lane *l, struct lane_keep *k)
{
	struct block *old;
	int r = feed_next(&k->feed, &l->feed, &old);

	if (old) {
		int e = k->retire(k->state, old);

		r = r ? r : e;
	}
	if (!r && l->feed.now->n < 0)
		r = l->feed.now->n;
	l->pos = 0;
	l->n = r ? 0 : (unsigned)l->feed.now->n;
	l->ended = !l->n;
	return r;
}

/* Whether the next event is to be shown; sets ended behind the filter's time. */
static inline bool passes(struct lane *l)
{
	const struct timeline_filter *ask = &l->filter->ask;

	if (l->ticks > ask->to_ticks) {
		l->ended = true;
		return true;
	}
	if (l->item->flags & ITEM_LOST)
		return l->end_ticks >= ask->from_ticks;
	return l->ticks >= ask->from_ticks &&
	       (!l->has_tests || filter_item(l->filter, l->pub.machine, l->machine, l->item));
}

int lane_next(struct lane *l, struct lane_keep *k)
{
	for (;;) {
		if (l->pos == l->n) {
			int r = refill(l, k);

			if (r || l->ended)
				return r;
		}
		l->item = &l->feed.now->items[l->pos++];
		if (l->item->flags & ITEM_LOST)
			take_lost(l, l->item);
		else
			take_record(l, l->item);
		l->floor = l->ticks;
		if (passes(l))
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

	l->pos = l->n = 0;
	l->floor = l->width = l->err_ticks = 0;
	l->ended = false;
	l->seq = 0;
	l->segment = 0;
	l->has_tests = filter_has_tests(l->filter, l->pub.machine);
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
	return lane_next(l, k);
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
