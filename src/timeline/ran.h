/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When vCPUs ran, over parts of the host's recording: the windows from kvm_entry to kvm_exit of a
 * thread. Used inside timeline/ to place guest events whose stamp alone does not tell; the proof has
 * windows of its own. */
#pragma once

#include "base/array.h"
#include "clock/epoch.h"
#include "source/source.h"

enum ran_state {
	RAN_INSIDE,
	RAN_LOST,   /* host events are missing or were not kept: it may have run */
	RAN_UNSEEN, /* before or behind what was recorded of it */
	RAN_OUTSIDE,
};

struct ran_window {
	uint64_t from, to;
	enum ran_state state; /* not RAN_OUTSIDE */
};

struct ran {
	int tid;
	const struct tsc_epochs *epochs; /* windows up to reach_ticks from their borders are kept */
	uint64_t reach_ticks;		 /* made smaller when they do not fit into memory */
	struct ARRAY(struct ran_window) v; /* ascending, not overlapping */
	/* while collecting */
	struct ARRAY(struct ran_point) points;
	struct ARRAY(struct tsc_range) gaps; /* host events are missing, or were not kept */
	uint64_t first, last;		     /* points that were seen, kept or not */
	bool seen, full, done;
};

/* Fills n of them from the host's file, in one pass when memory suffices (16 MiB each); else the parts
 * away from the borders, or all of it, count as lost. */
must_check int ran_collect(struct source *host, struct ran *r, size_t n);
void ran_free(struct ran *r);

/* Where an event that happened somewhere in t stands. */
enum ran_state ran_at(const struct ran *r, const struct tsc_range *t);
