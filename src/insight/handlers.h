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
