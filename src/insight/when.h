/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When vCPUs may have run, over a whole host recording: their entry/exit windows, and all time of
 * which it does not tell. In memory, 16 bytes a window. */
#pragma once

#include "insight/spans.h"
#include "timeline/input.h"

struct when_vcpu {
	const struct input_machine *machine;
	struct input_vcpu *vcpu;
	struct spans spans;  /* of host ticks less origin */
	bool seen;	     /* has windows */
	int64_t first, last; /* of its host events */
	int64_t open;	     /* while reading a lane: last entry, or -1 */
};

struct when {
	struct ARRAY(struct when_vcpu) vcpus; /* those with a thread, by thread */
	uint64_t origin;		      /* the host's first tick */
	int64_t span;			      /* ticks to its last one */
};

/* One pass over the host's file. -ENODATA: it has no kvm_entry and kvm_exit; silent. -ERANGE: it
 * spans more than 2^61 ticks. */
must_check int when_collect(struct input *in, struct when *ret);
struct when_vcpu *when_find(struct when *w, const struct input_vcpu *v);
void when_free(struct when *w);
#define _cleanup_when_ _cleanup_(when_free)
