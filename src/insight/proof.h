/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proves or falsifies the order of a timeline against physics: the guest's events of a vCPU can only
 * have happened while the vCPU was in the guest. A consumer; memory is bounded by the number of
 * vCPUs and their epochs, not by the events. */
#pragma once

#include "insight/windows.h"
#include "timeline/event.h"
#include "timeline/input.h"

#define PROOF_WORST 20

/* One epoch of one vCPU. */
struct proof_span {
	uint64_t from_ticks;
	uint64_t inside, violations;
	/* By how many ticks all events could come earlier (down) or later (up) and still lie inside
	 * their windows; UINT64_MAX: nothing limits it. With violations 0 the true alignment lies in
	 * [-down, +up] around the one used. */
	uint64_t down, up;
};

struct proof_vcpu {
	uint16_t machine;
	const struct input_vcpu *vcpu;
	uint64_t events, windows, unpaired;
	uint64_t unjudged[PROOF_REASONS];
	struct proof_span *spans;
	size_t n_spans; /* 1 or more */
	struct proof_span all;
};

struct proof_violation { /* at host ticks [ticks, ticks + width], n alike */
	uint64_t distance, n;
	struct window_event event;
	uint16_t machine;
	unsigned vcpu; /* KVM's id */
};

struct proof_result {
	const struct proof_vcpu *vcpus; /* by machine, id */
	size_t n_vcpus;
	uint64_t events, inside, violations; /* of all guests */
	uint64_t unjudged[PROOF_REASONS];    /* also events without a vCPU */
	const struct proof_violation *worst; /* by falling distance */
	size_t n_worst;
	bool has_windows; /* the host's file knows kvm_entry and kvm_exit */
};

struct proof;
must_check int proof_new(struct proof **ret);
void proof_free(struct proof *p);
/* State is the struct proof. */
extern const struct consumer proof_consumer;
/* Valid after a run, as long as the proof and the input. */
const struct proof_result *proof_result(const struct proof *p);
/* A short phrase: "before the first host event of the vCPU". */
const char *proof_reason_text(enum proof_reason why);

#define _cleanup_proof_ _cleanup_(proof_cleanup)
static inline void proof_cleanup(struct proof **p)
{
	proof_free(*p);
}
