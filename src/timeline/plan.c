// SPDX-License-Identifier: GPL-2.0-or-later
/* Plans for the guest lanes whose vCPU's offset changed. */
#include "timeline/lane.h"

#include <errno.h>

#include "base/log.h"

#define SLACK	      (1ull << 36) /* guests may be recorded somewhat before and after their host */
#define RECORDING_MAX (1ull << 54) /* of which the end is not known: two months at 3.5 GHz */

static bool needs_plan(const struct lane *l)
{
	return l->pub.vcpu && l->pub.vcpu->epochs.n > 1;
}

static int find_bounds(const struct input *in, struct align_ctx *ret)
{
	const struct source *host = in->machines.v[0].source;
	uint64_t from = in->begin_ticks ?: UINT64_MAX;

	for (size_t i = 0; host && i < source_facts(host)->n_lanes; i++) {
		_cleanup_source_cursor_ struct source_cursor *c = NULL;
		struct source_item items[4];
		int n = source_cursor_new((struct source *)host, i, NULL, &c);

		if (!n)
			n = source_cursor_read(c, items, 4);
		if (n < 0)
			return n;
		for (int k = 0; k < n; k++)
			if (!(items[k].flags & ITEM_LOST) && items[k].raw_ticks < from)
				from = items[k].raw_ticks;
	}
	ret->from = from != UINT64_MAX && from > SLACK ? from - SLACK : 0;
	ret->to = in->end_ticks ?: ret->from + RECORDING_MAX;
	ret->to = ret->to < UINT64_MAX - SLACK ? ret->to + SLACK : UINT64_MAX;
	return 0;
}

static struct align_ctx lane_ctx(const struct lane *l, const struct align_ctx *bounds,
				 const struct ran *ran)
{
	struct align_ctx c = *bounds;

	c.e = &l->pub.vcpu->epochs;
	c.ran = ran;
	if (l->machine->from_ticks > c.from)
		c.from = l->machine->from_ticks;
	if (l->machine->to_ticks && l->machine->to_ticks < c.to)
		c.to = l->machine->to_ticks;
	return c;
}

/* Windows for the lanes that need them: of_lane[i] is lane i's. */
static int collect(const struct input *in, struct lane *const *lanes, size_t n,
		   const struct align_ctx *bounds, struct ran *rans, struct ran **of_lane)
{
	struct source *host = in->machines.v[0].source;
	size_t n_rans = 0;

	for (size_t i = 0; i < n && host; i++) {
		struct ran *ran = &rans[n_rans];
		struct align_ctx c;
		bool settled;
		int r;

		if (!needs_plan(lanes[i]) || !lanes[i]->pub.vcpu->tid ||
		    !align_reach(&lanes[i]->pub.vcpu->epochs, &ran->reach_ticks))
			continue;
		c = lane_ctx(lanes[i], bounds, NULL);
		r = align_is_settled(lanes[i]->machine->source, lanes[i]->source_lane, &c,
				     &settled);
		if (r)
			return r;
		if (settled)
			continue;
		ran->tid = lanes[i]->pub.vcpu->tid;
		ran->epochs = c.e;
		of_lane[i] = ran;
		n_rans++;
	}
	return n_rans ? ran_collect(host, rans, n_rans) : 0;
}

static int plan_lane(struct lane *l, const struct align_ctx *bounds, const struct ran *ran)
{
	struct align_ctx c = lane_ctx(l, bounds, ran);

	return align_lane(l->machine->source, l->source_lane, &c, &l->plan);
}

int plans_make(const struct input *in, struct lane *const *lanes, size_t n)
{
	struct align_ctx bounds = {0};
	struct ran *rans, **of_lane;
	bool any = false;
	int r;

	for (size_t i = 0; i < n; i++)
		any |= needs_plan(lanes[i]);
	if (!any)
		return 0;
	rans = calloc(n, sizeof(*rans));
	of_lane = calloc(n, sizeof(*of_lane));
	r = rans && of_lane ? find_bounds(in, &bounds) : -ENOMEM;
	if (!r)
		r = collect(in, lanes, n, &bounds, rans, of_lane);
	for (size_t i = 0; i < n && !r; i++)
		if (needs_plan(lanes[i]))
			r = plan_lane(lanes[i], &bounds, of_lane[i]);
	for (size_t i = 0; i < n && rans; i++)
		ran_free(&rans[i]);
	free(rans);
	free(of_lane);
	return r;
}
