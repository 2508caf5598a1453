// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/demo_excerpt.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "timeline/timeline.h"

#define RING 2048

const char *const demo_excerpt_globs[] = {"block_rq_*", "kvm_*", "irq_handler_*", "sched_switch",
					  NULL};

struct seen {
	uint64_t ticks;
	const struct source_kind *kind;
	uint16_t machine;
};

struct finder {
	struct seen last[RING]; /* event number n is at n % RING */
	uint64_t n;
	unsigned best_kinds;
	struct demo_excerpt best;
};

static const struct seen *seen_at(const struct finder *f, uint64_t n)
{
	return &f->last[n % RING];
}

/* Different kinds from event number from to the newest. */
static unsigned count_kinds(const struct finder *f, uint64_t from)
{
	unsigned kinds = 0;

	for (uint64_t i = from; i < f->n; i++) {
		uint64_t k = from;

		while (k < i && seen_at(f, k)->kind != seen_at(f, i)->kind)
			k++;
		kinds += k == i;
	}
	return kinds;
}

/* Number of the issue that belongs to the newest event, a completion; f->n: not in the ring. */
static uint64_t find_issue(const struct finder *f)
{
	const struct seen *done = seen_at(f, f->n - 1);
	uint64_t oldest = f->n > RING ? f->n - RING : 0;

	for (uint64_t i = f->n - 1; i-- > oldest;) {
		const struct seen *s = seen_at(f, i);

		if (s->machine == done->machine && !strcmp(s->kind->name, "block_rq_issue"))
			return i;
	}
	return f->n;
}

static void take_request(struct finder *f)
{
	uint64_t from = find_issue(f);
	unsigned events = (unsigned)(f->n - from), kinds = 0;
	bool better = !f->best.events || events < f->best.events;

	if (!events)
		return;
	if (events <= DEMO_LINES) {
		kinds = count_kinds(f, from);
		better = kinds > f->best_kinds;
	} else if (f->best_kinds) {
		return;
	}
	if (!better)
		return;
	f->best_kinds = kinds;
	f->best =
		(struct demo_excerpt){seen_at(f, from)->ticks, seen_at(f, f->n - 1)->ticks, events};
}

static bool is_shown(const char *name)
{
	for (const char *const *g = demo_excerpt_globs; *g; g++)
		if (!fnmatch(*g, name, 0))
			return true;
	return false;
}

static int take_events(void *state, const struct event *ev, size_t n)
{
	struct finder *f = state;

	for (; n; n--, ev++) {
		if (ev->type != EVENT_RECORD || !ev->kind->name || !is_shown(ev->kind->name))
			continue;
		f->last[f->n++ % RING] = (struct seen){ev->ticks, ev->kind, ev->machine};
		if (ev->machine && !strcmp(ev->kind->name, "block_rq_complete"))
			take_request(f);
	}
	return 0;
}

int demo_excerpt_find(const char *session, struct demo_excerpt *ret)
{
	static const struct consumer finder = {"excerpt", NULL, take_events, NULL};
	_cleanup_input_ struct input *in = NULL;
	_cleanup_timeline_ struct timeline *t = NULL;
	_cleanup_free_ struct finder *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return log_err_r(-ENOMEM, "cannot look through \"%s\": %m", session);
	r = input_open(&session, 1, &in);
	if (!r)
		r = timeline_new(in, NULL, &t);
	if (!r)
		r = timeline_run(t, &(struct timeline_use){&finder, f}, 1);
	if (r)
		return r;
	if (!f->best.events)
		return -ENODATA;
	*ret = f->best;
	return 0;
}
