/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The merge: all lanes of all machines of an input in the order of host TSC ticks, in one pass, to
 * any number of consumers.
 *
 * Ties are put in physical order. Among events of one tick: host events but kvm_exit, then guest
 * events, then kvm_exit; within these by machine, lane, sequence. So a guest event that carries the
 * tick of its vCPU's entry or exit lies inside the window. The order of a lane's own ring buffer is
 * never changed. */
#pragma once

#include "timeline/event.h"
#include "timeline/input.h"

struct timeline_lane {
	uint16_t machine, cpu;
	const char *buffer;
	const struct input_vcpu *vcpu; /* guests; NULL unknown */
};

/* All members AND-ed; a zeroed one selects everything. Texts and arrays stay the caller's. */
struct timeline_filter {
	const char *machine; /* glob */
	const char *vm;	     /* glob: leaves out the guests with other names; the host stays */
	const char *const *events; /* globs: "kvm:*", "sched_switch"; any may match */
	size_t n_events;
	const char *task; /* glob on the task name */
	bool has_vcpu, has_cpu, has_pid;
	unsigned vcpu, cpu; /* vcpu: guest events of it, and host events of its thread */
	int pid;
	uint64_t from_ticks, to_ticks; /* host ticks, both included; to_ticks 0: no end */
	uint64_t max_events;	       /* 0: all */
};

struct timeline_totals {
	uint64_t events, doubtful;
	uint64_t gaps, lost; /* EVENT_LOST marks, and events they stand for as far as told */
	uint64_t gaps_uncounted;
};

/* in and filter (may be NULL) outlive the timeline. */
must_check int timeline_new(const struct input *in, const struct timeline_filter *filter,
			    struct timeline **ret);
void timeline_free(struct timeline *t);

const struct input *timeline_input(const struct timeline *t);
const struct timeline_lane *timeline_lanes(const struct timeline *t, size_t *ret_n);
/* Of the lanes that pass the filter; valid in the consumers' end and after a run. */
const struct timeline_totals *timeline_totals(const struct timeline *t, unsigned machine);
/* Host ticks of the first event of all machines: the zero of displayed time. 0 without events. */
uint64_t timeline_first_ticks(const struct timeline *t);

struct timeline_use {
	const struct consumer *consumer;
	void *state;
	/* batch may be called in other threads than begin and end, one call at a time; what it uses
	 * beyond its state and the events no other consumer changes. */
	bool apart;
};
/* One pass. 0, or the first -errno of a source or a consumer (-EPIPE included). */
must_check int timeline_run(struct timeline *t, const struct timeline_use *uses, size_t n);

#define _cleanup_timeline_ _cleanup_(timeline_cleanup)
static inline void timeline_cleanup(struct timeline **t)
{
	timeline_free(*t);
}
