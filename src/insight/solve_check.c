// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether an answer is to be believed. */
#include "insight/solve_parts.h"

#define SOLID_EVENTS 64 /* after so many hardly a wrong shift is left */

struct count {
	const struct solve_machine *g;
	const struct when_vcpu *w;
	int64_t shift;
	uint64_t n, inside;
};

static int count_event(void *arg, const struct source_item *it)
{
	struct count *c = arg;

	if (it->flags & ITEM_CLAMPED)
		return 0;
	c->n++;
	c->inside += solve_is_inside(c->w, solve_at(c->g, it->raw_ticks), c->shift);
	return 0;
}

int solve_count_inside(const struct solve_machine *g, const struct when_vcpu *w,
		       const struct spans *shifts, struct solve_count *sum)
{
	const struct span *s = solve_widest(shifts);
	struct count c = {.g = g, .w = w, .shift = s->lo + (s->hi - s->lo) / 2};
	int r = solve_for_events(g, w->vcpu, count_event, &c);

	sum->n += c.n;
	sum->inside += c.inside;
	return r;
}

bool solve_is_suspect(const struct solve_count *c)
{
	return c->inside < c->n - c->n / 10;
}

bool solve_is_solid(const struct solve_vcpu *v)
{
	for (size_t i = 0; i < v->n_epochs; i++)
		if (v->epochs[i].events < SOLID_EVENTS || v->epochs[i].others)
			return false;
	return v->n_epochs != 0;
}
