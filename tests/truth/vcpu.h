/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU of a made-up world: its clock, what it does, and where the simulation stands. */
#pragma once

#include "event.h"

struct truth_map { /* guest = ((host * ratio) >> frac) + offset */
	uint64_t offset, ratio;
	unsigned frac;
};
struct truth_epoch {
	uint64_t from;
	struct truth_map map;
};
struct truth_epochs ARRAY(struct truth_epoch);

struct truth_step {
	uint64_t at; /* done at the first exit after this tick */
	int64_t by;
};
struct truth_steps ARRAY(struct truth_step);

/* What a vCPU does from a tick on. */
enum truth_doing {
	DOES_GUEST,
	DOES_KVM,
	DOES_VMM,
	DOES_PREEMPTED,
	DOES_WAITING,
	DOES_HALTED,
	DOES_BLOCKED
};
struct truth_turn {
	uint64_t from;
	enum truth_doing doing;
};
struct truth_turns ARRAY(struct truth_turn);

struct truth_vcpu {
	unsigned id, guest_cpu;
	int tid;
	struct truth_epochs epochs;
	struct truth_steps steps;
	size_t step;
	/* simulation */
	uint64_t at, guest_at; /* next action, last guest event */
	int state, host_cpu, todo;
	uint64_t window;
	int task;	 /* that runs in the guest; 0 is idle */
	unsigned vector; /* injected, the guest has not seen it yet; 0 none */
	uint64_t msr_value;
	bool msr;
	bool left;	    /* off its CPU, and kvm_exit has not been traced */
	bool sleeps, woken; /* while off its CPU */
	bool in_vmm;
	unsigned user_reason, exit_reason;
	struct truth_turns turns;
};
