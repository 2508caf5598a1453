/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which offset epoch each record of a guest lane belongs to, when the offset changed. Used inside
 * timeline/ only.
 *
 * The place in the ring buffer decides, not the stamp: after a backward step guest ticks repeat. Where
 * order and stamp leave several readings, the cheapest one wins: a record outside its vCPU's
 * entry/exit windows costs most. Records that equally cheap readings put differently are doubtful and
 * carry both bounds. Runs of stamps that the ring buffer clamped are fitted as a whole. */
#pragma once

#include "base/array.h"
#include "clock/epoch.h"
#include "source/source.h"
#include "timeline/ran.h"

/* From record first_seq of the lane on (lost marks do not count). */
struct align_segment {
	uint64_t first_seq;
	size_t epoch;
	uint64_t add; /* to the ticks that the epoch's map gives, modulo 2^64 */
	uint64_t width;
	bool doubtful;
};

struct align_plan {
	struct ARRAY(struct align_segment) v; /* [0].first_seq is 0 */
};

/* A lane's circumstances. */
struct align_ctx {
	const struct tsc_epochs *e; /* two or more */
	const struct ran *ran;	    /* of the lane's vCPU, or NULL */
	uint64_t from, to;	    /* host ticks in which guest events can have been recorded */
};

/* Host ticks around the epochs' borders in which windows help; false: no step goes back. */
bool align_reach(const struct tsc_epochs *e, uint64_t *ret_ticks);
/* Whether the lane's first record can only be in the last epoch: no windows are needed. */
must_check int align_is_settled(struct source *s, size_t lane, const struct align_ctx *c,
				bool *ret);
must_check int align_lane(struct source *s, size_t lane, const struct align_ctx *c,
			  struct align_plan *ret);
void align_plan_free(struct align_plan *p);
/* Host ticks of a record that belongs to the segment; near as for tsc_inverse(). */
struct tsc_range align_ticks(const struct align_segment *g, const struct tsc_epochs *e,
			     uint64_t raw_ticks, uint64_t near);

/* --- shared by align.c and clamp.c --- */

#define NO_EPOCH SIZE_MAX

struct tsc_range align_inverse(const struct align_ctx *c, size_t epoch, uint64_t raw);
/* By how much the guest's clock jumped from one epoch to a later one. */
int64_t align_step(const struct tsc_epochs *e, size_t from, size_t to);
/* The first epoch at or behind index i in which the guest's clock is behind what it was in epoch. */
size_t align_backward(const struct tsc_epochs *e, size_t epoch, size_t i);
must_check int align_add(struct align_plan *p, struct align_segment g);

/* A run of clamped stamps: from where a TIME_EXTEND of 0 stands to the next one, an absolute stamp or
 * the page's end. All of them are too high by the same number of guest ticks. */
struct clamp_run {
	uint64_t first_seq;
	size_t epoch;	/* before the run */
	uint64_t floor; /* host ticks of the record before it */
	bool has_next;
	uint64_t next_raw; /* the record behind it, when its stamp can be trusted */
	struct ARRAY(uint64_t) raw;
};
struct clamp_end { /* the epoch behind the run: that one, or when !only it or a later one */
	size_t epoch;
	bool only;
};
/* Adds the run's segments; none when no epoch explains it. */
must_check int clamp_fit(const struct align_ctx *c, const struct clamp_run *run,
			 struct align_plan *plan, struct clamp_end *ret);
