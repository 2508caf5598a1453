/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The states and exits of one vCPU. Pure state machine: it is told what the events of the host say, in
 * the order of the timeline, and hands out slices and exits. Used inside insight/ only. */
#pragma once

#include "insight/exits.h"

#define TRACK_PENDING 32 /* slices whose meaning a later event tells */
#define TRACK_COMM    17

struct track_ops { /* what is not known here (names) is filled in by the callee */
	int (*slice)(void *arg, struct vcpu_slice *s);
	int (*vm_exit)(void *arg, struct vcpu_exit *e);
};

struct track_slice {
	uint64_t from, to;
	uint8_t state, within;
	uint16_t cpu;
	int by_pid;
	char by_comm[TRACK_COMM];
};

struct vcputrack {
	const struct track_ops *ops;
	void *arg;
	bool has_sched;
	int err; /* of the first callback that failed; then nothing more is handed out */
	/* now */
	bool seen;
	uint8_t state, base; /* base: GUEST, KVM, VMM or UNKNOWN: where its thread is or was */
	uint16_t cpu;
	uint64_t since, gap_end;
	int by_pid;
	char by_comm[TRACK_COMM];
	bool left; /* off its CPU since kvm_entry, and kvm_exit has not come yet */
	uint64_t left_ticks;
	/* of the exit that is open */
	bool open;
	struct vcpu_exit exit;
	uint32_t user_reason; /* of the VMM's turn */
	char handler[64];
	struct track_slice pending[TRACK_PENDING];
	unsigned first, n_pending;
	struct exits_vcpu *sum;
};

struct track_exit { /* what kvm_exit says */
	uint32_t isa, reason;
	uint64_t info1, info2, rip;
	int guest_pid;
};
struct track_who { /* another thread */
	int pid;
	const char *comm;
	size_t n; /* bytes at comm */
};
enum track_off { TRACK_RUNNABLE, TRACK_SLEEPS, TRACK_DEAD };

/* The host's first event. sum gets ticks and counts. */
void track_init(struct vcputrack *t, const struct track_ops *ops, void *arg,
		struct exits_vcpu *sum);
void track_begin(struct vcputrack *t, uint64_t ticks);
void track_entry(struct vcputrack *t, uint64_t ticks, unsigned cpu);
void track_exit(struct vcputrack *t, uint64_t ticks, unsigned cpu, const struct track_exit *e);
/* HLT or MWAIT. */
bool track_is_halt(uint32_t isa, uint32_t reason);
/* kvm_userspace_exit; reason KVM_EXIT_* or EXIT_USER_* */
void track_user(struct vcputrack *t, uint64_t ticks, unsigned cpu, uint32_t reason);
/* Any other event that only KVM_RUN makes, on the vCPU's thread. */
void track_kvm(struct vcputrack *t, uint64_t ticks, unsigned cpu);
/* What the exit is about; the first of an exit counts. */
void track_address(struct vcputrack *t, enum exit_address kind, uint64_t address, bool write);
/* What the VMM does about it. */
void track_handler(struct vcputrack *t, const char *text);
/* kvm_vcpu_wakeup: it had been halted since from_ticks. */
void track_halted(struct vcputrack *t, uint64_t from_ticks, uint64_t ticks, unsigned cpu);
void track_off(struct vcputrack *t, uint64_t ticks, unsigned cpu, enum track_off how,
	       const struct track_who *next);
void track_on(struct vcputrack *t, uint64_t ticks, unsigned cpu, const struct track_who *prev);
void track_woken(struct vcputrack *t, uint64_t ticks);
/* Events of that host CPU are missing between the ticks. */
void track_lost(struct vcputrack *t, unsigned cpu, uint64_t from_ticks, uint64_t to_ticks);
/* Nothing follows; up to ticks all was seen. */
void track_end(struct vcputrack *t, uint64_t ticks);
