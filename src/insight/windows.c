// SPDX-License-Identifier: GPL-2.0-or-later
/* The entry/exit windows of one vCPU. */
#include "insight/windows.h"

#include <string.h>

void windows_init(struct windows *w, const struct windows_ops *ops, void *arg)
{
	*w = (struct windows){.ops = ops, .arg = arg, .first_high = UINT64_MAX};
}

static uint64_t high(const struct window_event *e)
{
	return e->ticks > UINT64_MAX - e->width ? UINT64_MAX : e->ticks + e->width;
}

static void unjudged(struct windows *w, enum proof_reason why, uint64_t n)
{
	if (n)
		w->ops->unjudged(w->arg, why, n);
}

/* --- events in a window --- */

static void window_add(struct windows *w, const struct window_event *e)
{
	windows_add(w, e->ticks, e->width);
}

/* Judges the events of the window so far. exit: its end; UINT64_MAX when that is not known. */
static void window_commit(struct windows *w, uint64_t exit)
{
	if (w->n)
		w->ops->inside(w->arg,
			       &(struct window_inside){
				       .n = w->n,
				       .entry = w->has_entry ? w->entry : w->first_high,
				       .down = w->has_entry ? w->first_high - w->entry : UINT64_MAX,
				       .up = exit == UINT64_MAX ? UINT64_MAX : exit - w->last_low,
			       });
	w->n = 0;
	w->first_high = UINT64_MAX;
	w->last_low = 0;
}

static void window_drop(struct windows *w, enum proof_reason why)
{
	unjudged(w, why, w->n);
	w->n = 0;
	w->first_high = UINT64_MAX;
	w->last_low = 0;
}

/* --- events outside of windows, until the next window is known --- */

static void pend(struct windows *w, const struct window_event *e)
{
	if (w->n_pending == WINDOWS_PENDING) {
		w->pend_first = (w->pend_first + 1) % WINDOWS_PENDING;
		w->n_pending--;
		w->evicted++;
	}
	w->pending[(w->pend_first + w->n_pending++) % WINDOWS_PENDING] = *e;
}

static const struct window_event *pending_at(const struct windows *w, unsigned i)
{
	return &w->pending[(w->pend_first + i) % WINDOWS_PENDING];
}

static void pending_clear(struct windows *w)
{
	w->n_pending = w->pend_first = 0;
	w->evicted = 0;
}

static void pending_drop(struct windows *w, enum proof_reason why)
{
	unjudged(w, why, w->evicted + w->n_pending);
	pending_clear(w);
}

static uint64_t to_nearest_edge(const struct windows *w, const struct window_event *e,
				uint64_t next_entry)
{
	uint64_t before = w->has_exit ? e->ticks - w->exit : UINT64_MAX;
	uint64_t after = next_entry - high(e);

	return before < after ? before : after;
}

/* The vCPU was out until entry: violations, but for those whose interval reaches into the window. */
static void pending_convict(struct windows *w, uint64_t entry)
{
	for (unsigned i = 0; i < w->n_pending; i++) {
		const struct window_event *e = pending_at(w, i);

		/* those that found no place any more count as the oldest that did */
		if (high(e) < entry)
			w->ops->violation(w->arg, e, to_nearest_edge(w, e, entry),
					  i ? 1 : 1 + w->evicted);
		else
			window_add(w, e);
	}
	pending_clear(w);
}

/* --- what happens --- */

static void unpaired(struct windows *w)
{
	w->n_unpaired++;
	window_drop(w, PROOF_UNPAIRED);
	pending_drop(w, PROOF_UNPAIRED);
}

void windows_entry(struct windows *w, uint64_t ticks, unsigned cpu)
{
	if (w->state == WINDOWS_IN)
		unpaired(w);
	else if (w->state == WINDOWS_NOTHING)
		pending_drop(w, PROOF_BEFORE);
	else /* after a loss too: had it hidden an entry, the exit would have come first */
		pending_convict(w, ticks);
	w->state = WINDOWS_IN;
	w->cpu = (uint16_t)cpu;
	w->entry = ticks;
	w->has_entry = true;
	w->n_windows++;
}

/* An exit whose entry a loss has hidden: the vCPU was in the guest from the loss on, so what came
 * since lies inside. */
static void exit_after_loss(struct windows *w, uint64_t ticks)
{
	w->has_entry = false;
	for (unsigned i = 0; i < w->n_pending; i++)
		window_add(w, pending_at(w, i));
	w->n += w->evicted;
	pending_clear(w);
	window_commit(w, ticks);
	w->n_windows++;
}

void windows_exit(struct windows *w, uint64_t ticks, unsigned cpu)
{
	switch (w->state) {
	case WINDOWS_NOTHING:
		pending_drop(w, PROOF_BEFORE);
		w->has_entry = false;
		break;
	case WINDOWS_IN:
		if (w->cpu == cpu)
			window_commit(w, ticks);
		else
			unpaired(w);
		break;
	case WINDOWS_MAYBE:
		/* only a loss on this very CPU can have hidden the entry */
		if (w->gap_cpu == cpu)
			exit_after_loss(w, ticks);
		else
			pending_drop(w, PROOF_GAP);
		break;
	default:
		unpaired(w);
		w->has_entry = false;
		break;
	}
	/* a loss elsewhere may go on, and hide where the vCPU went next */
	w->state = ticks < w->gap_end ? WINDOWS_MAYBE : WINDOWS_OUT;
	w->exit = ticks;
	w->has_exit = true;
}

void windows_lost(struct windows *w, unsigned cpu, uint64_t from_ticks, uint64_t to_ticks)
{
	if (w->gap_cpu != cpu &&
	    (w->state == WINDOWS_MAYBE || (w->gap_end && from_ticks <= w->gap_end)))
		w->gap_cpu = WINDOWS_MANY;
	else
		w->gap_cpu = (uint16_t)cpu;
	if (to_ticks > w->gap_end)
		w->gap_end = to_ticks;
	if (w->state == WINDOWS_NOTHING || (w->state == WINDOWS_IN && w->cpu != cpu))
		return;
	/* Up to here nothing is missing: in the window, the exit would have been seen; out of it,
	 * the entry. After an earlier loss nothing is known. */
	if (w->state == WINDOWS_IN)
		window_commit(w, UINT64_MAX);
	else if (w->state == WINDOWS_MAYBE)
		pending_drop(w, PROOF_GAP);
	while (w->n_pending && high(pending_at(w, w->n_pending - 1)) >= from_ticks) {
		w->n_pending--;
		unjudged(w, PROOF_GAP, 1);
	}
	pending_convict(w, from_ticks);
	w->state = WINDOWS_MAYBE;
}

void windows_guest(struct windows *w, const struct window_event *e)
{
	switch (w->state) {
	case WINDOWS_NOTHING:
		unjudged(w, PROOF_BEFORE, 1);
		break;
	case WINDOWS_IN:
		window_add(w, e);
		break;
	case WINDOWS_OUT:
		if (e->ticks > w->exit) {
			pend(w, e);
			break;
		}
		/* a tie that the order of the lanes put behind the exit */
		window_add(w, e);
		window_commit(w, w->exit);
		break;
	default:
		if (e->ticks <= w->gap_end)
			unjudged(w, PROOF_GAP, 1);
		else
			pend(w, e);
		break;
	}
}

void windows_end(struct windows *w)
{
	window_drop(w, PROOF_AFTER);
	pending_drop(w, PROOF_AFTER);
}
