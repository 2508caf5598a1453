// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/lane.h"

/* Places among events of one tick, before machine and lane. */
enum { TIE_HOST, TIE_GUEST, TIE_EXIT };

#define TIE(rank, lane) ((uint32_t)(rank) << 24 | (lane))

/* Host ticks of the raw stamp of record seq, which is the next one. */
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

static void set_time(struct lane *l, struct event *ev, struct tsc_range r)
{
	uint64_t width = r.hi - r.lo;

	/* the ring buffer's order is the truth, whatever the stamps say */
	if (r.lo < l->floor) {
		r.lo = l->floor;
		width = r.hi > r.lo ? r.hi - r.lo : 0;
		ev->doubtful = true;
	}
	ev->ticks = r.lo;
	ev->width = width;
}

/* Of a stamp that stands for an interval of another clock the middle counts. Middles may be out of
 * order by what the clock's readings differ. */
static void set_middle(const struct lane *l, struct event *ev, struct tsc_range r)
{
	ev->ticks = r.lo + (r.hi - r.lo) / 2;
	ev->err_ticks = (r.hi - ev->ticks) ?: 1;
	if (ev->ticks < l->floor) {
		ev->err_ticks += l->floor - ev->ticks;
		ev->ticks = l->floor;
	}
}

static void make_event(struct lane *l, const struct source_item *it)
{
	struct event *ev = &l->head;
	struct tsc_range t;
	bool doubtful;

	/* an interrupted one has the stamp of the next one */
	find_segment(l, l->seq + !!(it->flags & ITEM_INTERRUPTED));
	t = translate(l, it->raw_ticks, &doubtful);
	l->seq++;
	*ev = (struct event){
		.type = EVENT_RECORD,
		.machine = l->pub.machine,
		.cpu = l->pub.cpu,
		.lane = l->index,
		.raw_ticks = it->raw_ticks,
		.kind = it->kind,
		.data = it->data,
		.size = it->size,
		.doubtful = doubtful || (it->flags & (ITEM_CLAMPED | ITEM_INTERRUPTED)),
	};
	if (l->machine->clock)
		set_middle(l, ev, t);
	else
		set_time(l, ev, t);
	l->tie = TIE(it->kind == l->exit_kind && it->kind ? TIE_EXIT
		     : l->machine->is_guest		  ? TIE_GUEST
							  : TIE_HOST,
		     l->index);
}

static void take_record(struct lane *l, const struct source_item *it)
{
	if (l->tasks)
		tasks_learn(l->tasks, l->machine->source, it);
	make_event(l, it);
}

static void make_lost(struct lane *l, const struct source_item *it)
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
	l->head = (struct event){
		.type = EVENT_LOST,
		.machine = l->pub.machine,
		.cpu = l->pub.cpu,
		.lane = l->index,
		.raw_ticks = it->raw_ticks,
		.ticks = l->floor	     ? l->floor
			 : l->begin < end.lo ? l->begin
					     : end.lo,
		.end_ticks = end.hi,
		.lost = it->lost,
	};
	if (l->head.end_ticks < l->head.ticks)
		l->head.end_ticks = l->head.ticks;
	l->tie = TIE(l->machine->is_guest ? TIE_GUEST : TIE_HOST, l->index);
}

static int refill(struct lane *l, struct lane_flush *f)
{
	int n;

	if (l->flushes == f->count) {
		n = f->flush(f->state);
		if (n)
			return n;
	}
	l->flushes = f->count;
	n = source_cursor_read(l->cursor, l->items, LANE_ITEMS);
	l->pos = 0;
	l->n = n > 0 ? (unsigned)n : 0;
	l->ended = n <= 0;
	return n < 0 ? n : 0;
}

/* Whether the head is to be shown; sets ended behind the filter's time. */
static bool passes(struct lane *l)
{
	const struct timeline_filter *ask = &l->filter->ask;
	const struct event *ev = &l->head;

	if (ev->ticks > ask->to_ticks) {
		l->ended = true;
		return true;
	}
	if (ev->type == EVENT_LOST)
		return ev->end_ticks >= ask->from_ticks;
	return ev->ticks >= ask->from_ticks && filter_event(l->filter, l->machine, ev);
}

int lane_next(struct lane *l, struct lane_flush *f)
{
	for (;;) {
		const struct source_item *it;

		if (l->pos == l->n) {
			int r = refill(l, f);

			if (r || l->ended)
				return r;
		}
		it = &l->items[l->pos++];
		if (it->flags & ITEM_LOST)
			make_lost(l, it);
		else
			take_record(l, it);
		l->key = l->floor = l->head.ticks;
		if (passes(l))
			return 0;
	}
}

int lane_start(struct lane *l, struct lane_flush *f)
{
	const struct filter_machine *fm = &l->filter->machines[l->pub.machine];
	const bool *wanted = l->tasks ? fm->decoded : fm->wanted;
	int r;

	l->pos = l->n = 0;
	l->floor = 0;
	l->ended = false;
	l->seq = 0;
	l->segment = 0;
	l->flushes = UINT64_MAX;
	r = source_cursor_new(l->machine->source, l->source_lane, l->plan.v.n ? NULL : wanted,
			      &l->cursor);
	return r ? r : lane_next(l, f);
}

void lane_stop(struct lane *l)
{
	source_cursor_free(l->cursor);
	l->cursor = NULL;
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
