/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events of one CPU on their way into bundles of the Perfetto trace. */
#pragma once

#include "sink/perfetto_impl.h"

#define PERFETTO_COMMS 64 /* names in one bundle */

struct perfetto_comm {
	char s[16];
};

/* CompactSched of one bundle: a column each. */
struct perfetto_sched {
	struct pb ticks, prev_state, next_pid, next_prio, next_comm;
	struct pb waking_ticks, waking_pid, target_cpu, waking_prio, waking_comm, waking_flags;
	uint64_t last_switch_ns, last_waking_ns;
	struct perfetto_comm comms[PERFETTO_COMMS];
	unsigned n_comms;
};

/* A CPU's events until they make a bundle. */
struct perfetto_lane {
	uint16_t machine, cpu;
	struct pb events;
	struct perfetto_sched *sched; /* NULL before the first */
	const struct input_vcpu *vcpu;
	struct perfetto_track *lost_track, *text_track; /* NULL before the first */
	bool lost;
	bool running_known; /* running is who runs there, as the reader of the trace has it */
	int running;
};

must_check int perfetto_lane_add(struct sink_perfetto *s, struct perfetto_lane *l,
				 const struct perfetto_kind *k, const struct event *ev);
/* Events are missing here. */
must_check int perfetto_lane_lost(struct sink_perfetto *s, struct perfetto_lane *l);
/* Writes what a lane has. */
must_check int perfetto_lane_flush(struct sink_perfetto *s, struct perfetto_lane *l);
void perfetto_lane_free(struct perfetto_lane *l);
