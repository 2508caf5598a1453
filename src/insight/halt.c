// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/halt.h"

void halt_init(struct halt *h)
{
	*h = (struct halt){.least_ticks = UINT64_MAX, .pending_least = UINT64_MAX};
}

static void clear(struct halt *h)
{
	h->pending = 0;
	h->pending_least = UINT64_MAX;
}

/* The events before and behind the halts agree on the task, so no switch between them is missing. */
static void judge(struct halt *h)
{
	if (h->current) {
		if (!h->busy)
			h->busy_ticks = h->pending_ticks;
		h->busy += h->pending;
		return;
	}
	h->idle += h->pending;
	if (h->pending_least < h->least_ticks)
		h->least_ticks = h->pending_least;
}

void halt_guest(struct halt *h, int pid, int next_pid, bool is_switch, uint64_t high_ticks)
{
	h->has_switch |= is_switch;
	if (h->pending && h->known && h->has_switch && pid == h->current)
		judge(h);
	else
		h->unjudged += h->pending;
	clear(h);
	h->known = true;
	h->current = next_pid;
	h->current_ticks = high_ticks;
}

void halt_exit(struct halt *h, uint64_t ticks)
{
	uint64_t delay = ticks > h->current_ticks ? ticks - h->current_ticks : 0;

	if (!h->pending++)
		h->pending_ticks = ticks;
	if (delay < h->pending_least)
		h->pending_least = delay;
}

void halt_lost(struct halt *h)
{
	h->unjudged += h->pending;
	clear(h);
	h->known = false;
}
