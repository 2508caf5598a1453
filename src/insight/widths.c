// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/widths.h"

#include "base/array.h"
#include "timeline/input.h"
#include "timeline/timeline.h"

struct widths {
	const struct input *in;
	struct ARRAY(struct widths_machine) v;
	size_t *of_machine; /* index + 1 */
};

const uint64_t widths_bounds_ns[WIDTHS_BOUNDS] = {100,	  600,	   1000,      10000,
						  100000, 1000000, 1000000000};

static int begin(void *state, const struct timeline *t)
{
	struct widths *w = state;

	w->in = timeline_input(t);
	w->of_machine = calloc(w->in->machines.n + 1, sizeof(*w->of_machine));
	if (!w->of_machine)
		return -ENOMEM;
	for (size_t i = 0; i < w->in->machines.n; i++) {
		struct widths_machine *m;

		if (!w->in->machines.v[i].clock)
			continue;
		m = array_add(&w->v);
		if (!m)
			return -ENOMEM;
		*m = (struct widths_machine){.machine = (uint16_t)i, .least_ticks = UINT64_MAX};
		w->of_machine[i] = w->v.n;
	}
	return 0;
}

static void count(struct widths *w, struct widths_machine *m, uint64_t err_ticks)
{
	uint64_t ns = w->in->conv.mult ? conv_to_ns(&w->in->conv, err_ticks) : err_ticks;
	size_t i = 0;

	while (i < WIDTHS_BOUNDS && ns > widths_bounds_ns[i])
		i++;
	m->events++;
	m->n[i]++;
	if (err_ticks < m->least_ticks)
		m->least_ticks = err_ticks;
	if (err_ticks > m->most_ticks)
		m->most_ticks = err_ticks;
}

static int batch(void *state, const struct event *ev, size_t n)
{
	struct widths *w = state;

	for (size_t i = 0; i < n && w->v.n; i++) {
		size_t of = w->of_machine[ev[i].machine];

		if (of && ev[i].type == EVENT_RECORD)
			count(w, &w->v.v[of - 1], ev[i].err_ticks);
	}
	return 0;
}

const struct consumer widths_consumer = {"widths", begin, batch};

int widths_new(struct widths **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

void widths_free(struct widths *w)
{
	if (!w)
		return;
	array_free(&w->v);
	free(w->of_machine);
	free(w);
}

struct widths_result widths_result(const struct widths *w)
{
	return (struct widths_result){w->v.v, w->v.n};
}
