/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the parts of solve; used inside insight/ only.
 *
 * A shift is what must be added to a guest stamp, told in host ticks from the machine's first stamp,
 * to give host ticks from the host's first one. Each event leaves only the shifts that put it into a
 * window; after some hundred events one short interval is left. */
#pragma once

#include "insight/solve.h"
#include "insight/when.h"

struct solve_machine {
	const struct input_machine *m;
	struct when *when;
	struct tsc_map scale; /* offset 0 */
	uint64_t origin;      /* a guest stamp */
	int64_t first, last;  /* stamps of all lanes from there, in host ticks */
	uint64_t events;
};

/* Stops at the first non-zero result. Lost marks are left out. */
typedef int (*solve_event_fn)(void *arg, const struct source_item *it);
must_check int solve_for_events(const struct solve_machine *g, const struct input_vcpu *v,
				solve_event_fn fn, void *arg);

/* Tick 0 of the host, from the host's first one: nothing was before. */
int64_t solve_zero(const struct solve_machine *g);
/* Host ticks between the origin and the stamp: an interval when scaled. */
struct span solve_at(const struct solve_machine *g, uint64_t stamp);
/* Narrows by one event. -E2BIG: too many intervals. */
must_check int solve_keep(const struct when_vcpu *w, struct spans *shifts, struct span at,
			  struct spans *tmp);
const struct span *solve_widest(const struct spans *s);
/* The widest of the shifts becomes an answer. */
must_check int solve_add_epoch(const struct solve_machine *g, struct solve_vcpu *out,
			       const struct spans *shifts, uint64_t from_ticks, uint64_t events);

struct solve_count {
	uint64_t n, inside;
};
/* Adds the vCPU's events, and those that lie inside at the middle of the widest shifts. */
must_check int solve_count_inside(const struct solve_machine *g, const struct when_vcpu *w,
				  const struct spans *shifts, struct solve_count *sum);
/* A single offset fits many a lane whose offset changed, with a large part of the events where the
 * host's recording tells of nothing. */
bool solve_is_suspect(const struct solve_count *c);
/* Not by luck. */
bool solve_is_solid(const struct solve_vcpu *v);

/* Whether an event at that shift lies where windows could have ruled it out. */
static inline bool solve_is_inside(const struct when_vcpu *w, struct span at, int64_t shift)
{
	return at.lo + shift >= w->first && at.lo + shift <= w->last;
}

/* A vCPU whose offset changed: an epoch for each stretch of its lane that one shift fits. */
must_check int solve_steps(const struct solve_machine *g, const struct when_vcpu *w,
			   struct solve_vcpu *out);
