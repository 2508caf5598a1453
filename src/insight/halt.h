/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does a vCPU halt only while its guest idles? Pure state machine of one vCPU, told guest events and
 * HLT exits in the order of the timeline.
 *
 * HLT is privileged, and a Linux guest executes it in the idle task (pid 0): arch_cpu_idle(),
 * arch/x86/kernel/process.c. Other tasks halt only when they wait for a paravirtual spinlock
 * (kvm_wait(), arch/x86/kernel/kvm.c), which a hypercall ends, or when they run a guest of their own;
 * whether the VM made such exits is for the caller to see. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct halt {
	bool known; /* current is what runs: every switch since the last loss was seen */
	bool has_switch;
	int current;
	uint64_t current_ticks; /* of the last guest event */
	uint64_t pending, pending_ticks, pending_least;
	/* results */
	uint64_t idle, busy, unjudged; /* HLT exits */
	uint64_t least_ticks; /* from the guest event before to the exit; UINT64_MAX none */
	uint64_t busy_ticks;  /* of the first busy one */
};

/* What an exit tells: isa and exit_reason of kvm_exit. */
enum halt_kind {
	HALT_OTHER,
	HALT_HLT,
	HALT_EXCUSE, /* a hypercall or a nested guest: not the idle task alone may halt */
};
enum halt_kind halt_kind_of(uint64_t isa, uint64_t reason);

void halt_init(struct halt *h);
void halt_judge(struct halt *h, int pid);
/* A guest event at host ticks up to high_ticks: pid was running, next_pid is from now on. */
static inline void halt_guest(struct halt *h, int pid, int next_pid, bool is_switch,
			      uint64_t high_ticks)
{
	h->has_switch |= is_switch;
	if (h->pending)
		halt_judge(h, pid);
	h->known = true;
	h->current = next_pid;
	h->current_ticks = high_ticks;
}
void halt_exit(struct halt *h, uint64_t ticks);
/* Guest events are missing here, or their order is not certain. */
void halt_lost(struct halt *h);
