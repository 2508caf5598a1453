/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has each exit to user space the call of the VMM that handled it (the probes of record --vmm)? A
 * consumer. An exit for port or memory I/O must be followed, on its thread and before the vCPU's next
 * kvm_entry, by vmm_enter. */
#pragma once

#include "timeline/event.h"

struct handlers_result {
	bool has_probes;   /* the recording has such events */
	uint64_t io, mmio; /* exits to user space of these reasons */
	uint64_t handled, missing;
	uint64_t
		unjudged; /* before the thread's first call or probe, at a loss of events, at the end */
	uint64_t calls, returns; /* of the handler on threads of vCPUs */
	uint64_t first_missing_ticks;
};

/* One vCPU's thread. Pure; told its events in the order of the timeline. */
struct handlers_track {
	bool known;    /* the probes are there, and nothing is missing since */
	bool open;     /* an exit waits for its call */
	bool answered; /* and had it */
	uint64_t ticks;
};

/* error is the field errno of kvm_userspace_exit. */
void handlers_exit(struct handlers_track *t, struct handlers_result *r, uint64_t reason,
		   int32_t error, uint64_t ticks);
void handlers_call(struct handlers_track *t, struct handlers_result *r);
void handlers_entry(struct handlers_track *t, struct handlers_result *r);
/* Events are missing here, or the recording ends. */
void handlers_lost(struct handlers_track *t, struct handlers_result *r);

struct handlers;
must_check int handlers_new(struct handlers **ret);
void handlers_free(struct handlers *h);
/* State is the struct handlers. */
extern const struct consumer handlers_consumer;
/* Valid after a run, as long as the handlers. */
const struct handlers_result *handlers_result(const struct handlers *h);

#define _cleanup_handlers_ _cleanup_(handlers_cleanup)
static inline void handlers_cleanup(struct handlers **h)
{
	handlers_free(*h);
}
