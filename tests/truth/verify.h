/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was found when a made-up world was read back. */
#pragma once

#include "insight/exits.h"
#include "insight/laws.h"
#include "insight/proof.h"
#include "timeline/timeline.h"
#include "truth.h"

struct lane_state {
	const struct truth_lane *lane;
	size_t next, gap;
};

struct verify {
	const struct world *w;
	struct lane_state *lanes; /* by timeline lane */
	size_t n_lanes;
	uint64_t last, latest_lo;
	uint64_t open[VMS_MAX][VCPUS_MAX]; /* window in the order of the output, 0, UNKNOWN */
	bool *has_entry, *has_exit;	   /* by window: the file holds it */
	unsigned faults;
	uint64_t events, exact, bounded, clamped, interrupted, ambiguous, misordered, solved,
		effects, bounds;
	uint64_t whole; /* events whose window is recorded */
	struct {	/* the event before */
		uint64_t ticks;
		uint32_t lane;
		int rank;
		bool any;
	} prev;
	uint64_t states, unknown; /* ticks of vCPUs whose state was right, and that are not known */
	uint64_t vm_exits;	  /* whose parts are right */
	bool silent;		  /* a loss that the files do not tell of */
	uint64_t ties;		  /* events of the same tick as the one before, in another lane */
};

/* Notes that something is wrong; the first few are printed. */
void fault(struct verify *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* compare.c: holds each event of the timeline against what happened; state is the struct verify. */
extern const struct consumer compare_consumer;

/* cover.c: what the worlds had in them. A suite of many worlds in which something never happens proves
 * nothing about it. */
enum cover {
	COVER_VMS,     /* several */
	COVER_MIGRATE, /* a vCPU entered the guest on two host CPUs */
	COVER_SCALE_32,
	COVER_SCALE_48,
	COVER_STEP,
	COVER_STEP_BACK,
	COVER_STEPS_CLOSE, /* two of one vCPU less than 50 events apart */
	COVER_STEP_ALONE,  /* one vCPU of several */
	COVER_WRAP,	   /* of a guest's counter */
	COVER_HIGH,	   /* host counter above 2^59 */
	COVER_GUEST_LOSS,
	COVER_HOST_LOSS,
	COVER_CLAMP,
	COVER_HALT,
	COVER_DOES,				    /* and one for each of enum truth_doing */
	COVER_LEFT = COVER_DOES + DOES_BLOCKED + 1, /* off its CPU before kvm_exit */
	COVER_V7_PLAIN,
	COVER_V7_ZLIB,
	COVER_V7_ZSTD,
	COVER_INSTANCE,
	COVER_NARROW,
	COVERS,
};
/* Adds a world whose files are written. */
void cover_add(uint64_t *counts, const struct world *w);
/* Prints them; how many never happened. */
unsigned cover_print(const uint64_t *counts);

/* prove.c: what check says of the world, and what it must say when something is changed. */
void check_proof(struct verify *v, const struct proof_result *r);
void check_laws(struct verify *v, const struct laws_result *l);
void check_bounds(struct verify *v, struct input *in, const struct proof_result *r);
void check_solve(struct verify *v, struct input *in);

/* states.c: what exits says each vCPU did. Before a run; state of the ops is the struct verify. */
void states_begin(struct verify *v);
extern const struct exits_ops states_ops;
void check_states(struct verify *v, const struct exits_result *r);
