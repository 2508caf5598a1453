/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the Perfetto writer share. Field numbers are those of protos/perfetto/trace in
 * github.com/google/perfetto, which never change once given. */
#pragma once

#include "clock/fit.h"
#include "insight/threads.h"
#include "sink/pb.h"
#include "sink/perfetto.h"

enum { /* TracePacket */
       PACKET_FTRACE_EVENTS = 1,
       PACKET_PROCESS_TREE = 2,
       PACKET_CLOCK_SNAPSHOT = 6,
       PACKET_TIMESTAMP = 8,
       PACKET_SEQUENCE_ID = 10,
       PACKET_TRACK_EVENT = 11,
       PACKET_INTERNED_DATA = 12,
       PACKET_SEQUENCE_FLAGS = 13,
       PACKET_SYSTEM_INFO = 45,
       PACKET_TIMESTAMP_CLOCK_ID = 58,
       PACKET_DEFAULTS = 59,
       PACKET_TRACK_DESCRIPTOR = 60,
       PACKET_MACHINE_ID = 98,
};

enum { CLOCK_ID_REALTIME = 1, CLOCK_ID_MONOTONIC = 3, CLOCK_ID_BOOTTIME = 6 };

#define PERFETTO_EVENT_FIELDS 31    /* field numbers in a described event are below 32 */
#define PERFETTO_DESCRIBED    65536 /* and numbers of such events begin here */

enum perfetto_role {
	ROLE_UNUSED, /* not yet seen */
	ROLE_PLAIN,
	ROLE_SWITCH, /* sched_switch and sched_waking that have all that CompactSched wants */
	ROLE_WAKING,
};

struct perfetto_field {
	const struct source_field *f;
	uint32_t number;
	enum { PUT_NUMBER, PUT_TEXT, PUT_HEX, PUT_WORDS } put;
};

/* How records of one kind of one machine are written. */
struct perfetto_kind {
	uint8_t role; /* enum perfetto_role */
	uint32_t number;
	const struct source_field *flags; /* common_flags; NULL unknown */
	uint8_t irq;			  /* enum perfetto_irq */
	const struct source_field *irq_field;
	/* SWITCH: prev_pid, prev_prio, prev_state, next_comm, next_pid, next_prio;
	 * WAKING: comm, pid, prio, target_cpu */
	const struct source_field *sched[6];
	struct perfetto_field *fields;
	unsigned n_fields;
};

struct perfetto_machine {
	uint32_t id;		     /* machine_id */
	bool skip;		     /* its clock cannot be told in the host's */
	struct perfetto_kind *kinds; /* by index */
	size_t n_kinds;
	struct perfetto_track *track; /* of a VM, above its vCPUs'; NULL before the first */
};

struct perfetto_lane;
struct perfetto_vcpu;

struct sink_perfetto {
	const struct input *in;
	struct out *out;
	struct fit_walk walk; /* l NULL: conv counts */
	struct perfetto_machine *machines;
	struct perfetto_lane *lanes;
	size_t n_lanes;
	uint32_t next_described;
	uint64_t since_flush; /* events */
	struct pb packet, interned;
	struct perfetto_track *tracks;
	uint32_t n_tracks, next_flow;
	struct threads threads;
	struct perfetto_vcpu *vcpus; /* as threads counts */
	size_t n_vcpus;
	uint64_t last_ticks;
	uint64_t skipped; /* events of machines that are skipped */
};

/* ns of the trace. */
uint64_t perfetto_ns(struct sink_perfetto *s, uint64_t ticks);
/* Begins a packet in s->packet, of a machine and with its sequence. */
struct pb *perfetto_packet(struct sink_perfetto *s, unsigned machine);
/* Writes it. -ENOMEM after a message, or what stuck in out. */
must_check int perfetto_packet_end(struct sink_perfetto *s);

/* Works out how a kind is written when its first event comes; writes its description if the reader does not
 * know it. */
must_check int perfetto_kind_use(struct sink_perfetto *s, unsigned machine,
				 const struct source_kind *kind, struct perfetto_kind *k);
/* Ends what is open. */
must_check int perfetto_vcpus_end(struct sink_perfetto *s, uint64_t ticks);
void perfetto_tracks_free(struct sink_perfetto *s);
void perfetto_kinds_free(struct perfetto_machine *m);

/* What is known of the machines before the first event. */
must_check int perfetto_head(struct sink_perfetto *s, const struct timeline *t);
