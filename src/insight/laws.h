/* SPDX-License-Identifier: GPL-2.0-or-later */
/* More that physics demands of a merged order than the windows: effects in the guest come after their
 * causes in the host. A consumer. */
#pragma once

#include "timeline/event.h"
#include "timeline/input.h"

enum law {
	/* irq_vectors:*_entry in the guest (local timer, reschedule, call function …) follows a
	 * kvm_inj_virq of its vector on its vCPU, one for each */
	LAW_VECTOR,
	/* msr:write_msr, which the guest traces behind the WRMSR, follows the kvm_msr of the exit that
	 * carried it out: same MSR, same value. MSRs that the host never shows do not exit. */
	LAW_MSR,
	/* a HLT exit comes while the guest's idle task runs on the vCPU. In a VM that made hypercalls
	 * or ran guests of its own others may halt too (insight/halt.h): then those do not break it. */
	LAW_HALT,
	LAWS,
};

struct law_sum {
	uint64_t kept, broken;
	uint64_t
		unjudged; /* before the host's first event of the vCPU, after a loss of host events,
			    * clamped stamps, MSRs that do not exit */
	uint64_t least_ticks; /* smallest distance from cause to effect; UINT64_MAX: none */
	uint64_t first_broken_ticks;
	uint16_t broken_machine;
	unsigned broken_vcpu; /* KVM's id */
};

struct laws_result {
	struct law_sum sums[LAWS];
	uint64_t broken;
};

struct laws;
must_check int laws_new(struct laws **ret);
void laws_free(struct laws *l);
/* State is the struct laws. */
extern const struct consumer laws_consumer;
/* Valid after a run, as long as the laws. */
const struct laws_result *laws_result(const struct laws *l);
/* "injected vector → guest irq entry" */
const char *law_text(enum law law);

#define _cleanup_laws_ _cleanup_(laws_cleanup)
static inline void laws_cleanup(struct laws **l)
{
	laws_free(*l);
}
