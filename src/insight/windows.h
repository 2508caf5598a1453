/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When one vCPU really ran, and whether its guest's events lie there. Pure state machine: it is told
 * entries, exits, losses and guest events in the order of the timeline and hands out judgements.
 *
 * A window reaches from kvm_entry to the next kvm_exit of the vCPU's thread; both come on the same
 * host CPU (preemption is off between them: vcpu_enter_guest(), arch/x86/kvm/x86.c). What a loss of
 * host events may have hidden is not judged. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_kind;

enum proof_reason {		  /* why a guest event could not be judged */
		    PROOF_BEFORE, /* before the first host event of its vCPU */
		    PROOF_AFTER,  /* after the last one */
		    PROOF_GAP,	  /* host events are missing there */
		    PROOF_UNPAIRED, /* entry without exit, or exit without entry, and no events missing */
		    PROOF_DOUBTFUL, /* the ring buffer clamped the stamp */
		    PROOF_NO_VCPU,  /* the guest CPU's thread is not known */
		    PROOF_NO_CLOCK, /* the relation to the host's clock is not known */
		    PROOF_REASONS,
};

struct window_event { /* of a guest, at host ticks [ticks, ticks + width] */
	uint64_t ticks, raw_ticks;
	uint64_t width;
	uint16_t cpu;
	const struct source_kind *kind;
};

/* n events lie inside a window that opened at entry. down: by how many ticks all of them could come
 * earlier and still be inside, up: how many later; UINT64_MAX when that edge is not known. */
struct window_inside {
	uint64_t n, entry, down, up;
};

struct windows_ops {
	void (*inside)(void *arg, const struct window_inside *in);
	/* n events like e, distance ticks from the nearest edge of a window */
	void (*violation)(void *arg, const struct window_event *e, uint64_t distance, uint64_t n);
	void (*unjudged)(void *arg, enum proof_reason why, uint64_t n);
};

#define WINDOWS_MANY	UINT16_MAX /* more than one CPU */
#define WINDOWS_PENDING 64	   /* guest events outside, the window after them not yet seen */

enum windows_state {
	WINDOWS_NOTHING, /* no host event of the vCPU yet */
	WINDOWS_IN,	 /* in the guest since entry */
	WINDOWS_OUT,	 /* out of it since exit */
	WINDOWS_MAYBE, /* a loss may have hidden entry or exit; past gap_end the next event tells */
};

struct windows {
	const struct windows_ops *ops;
	void *arg;
	uint8_t state;	  /* enum windows_state */
	uint16_t cpu;	  /* where the open window is */
	uint16_t gap_cpu; /* where host events are or were missing; WINDOWS_MANY */
	bool has_exit, has_entry;
	uint64_t entry, exit; /* of the open or last window */
	uint64_t gap_end;     /* host events are missing up to here */
	/* events in the open window: how many, smallest ticks + width, largest ticks */
	uint64_t n, first_high, last_low;
	/* events outside, oldest first; evicted: n more before them */
	struct window_event pending[WINDOWS_PENDING];
	unsigned pend_first, n_pending;
	uint64_t evicted;
	uint64_t n_windows, n_unpaired;
};

void windows_init(struct windows *w, const struct windows_ops *ops, void *arg);
void windows_entry(struct windows *w, uint64_t ticks, unsigned cpu);
void windows_exit(struct windows *w, uint64_t ticks, unsigned cpu);
/* Events of that host CPU are missing between the ticks. */
void windows_lost(struct windows *w, unsigned cpu, uint64_t from_ticks, uint64_t to_ticks);
void windows_guest(struct windows *w, const struct window_event *e);
/* Nothing follows. */
void windows_end(struct windows *w);

/* What windows_guest() does most of the time: while the window is open, add to it. */
static inline bool windows_is_open(const struct windows *w)
{
	return w->state == WINDOWS_IN;
}

static inline void windows_add(struct windows *w, uint64_t ticks, uint64_t width)
{
	uint64_t high = ticks > UINT64_MAX - width ? UINT64_MAX : ticks + width;

	w->n++;
	w->first_high = high < w->first_high ? high : w->first_high;
	w->last_low = ticks > w->last_low ? ticks : w->last_low;
}
