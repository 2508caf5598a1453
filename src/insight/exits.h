/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each vCPU did, and its VM exits: from events of the host to states and exits. A consumer; it
 * streams to callbacks, in memory bounded by the number of vCPUs. The only place that knows how
 * events tell a vCPU's state; every view uses it.
 *
 * Per vCPU (with a known thread) slices follow each other without gap or overlap from the first to
 * the last event of the pass: their sums are exact, to the tick. Without sched_switch in the host's
 * recording nothing is preempted, waiting or blocked, and a vCPU counts as halted from a HLT exit on
 * until it is woken or enters; without kvm_userspace_exit the VMM's time is KVM's. */
#pragma once

#include "timeline/event.h"
#include "timeline/input.h"

enum vcpu_state {
	VCPU_UNKNOWN,	/* before its first event, or a loss of events may hide what it did */
	VCPU_GUEST,	/* from kvm_entry to kvm_exit */
	VCPU_KVM,	/* in the kernel, on a CPU */
	VCPU_VMM,	/* in user space or in a system call other than KVM_RUN, on a CPU */
	VCPU_PREEMPTED, /* taken off its CPU while it could run */
	VCPU_WAITING,	/* woken, not on a CPU yet */
	VCPU_HALTED,	/* sleeps until an event for the guest: HLT, MWAIT */
	VCPU_BLOCKED,	/* sleeps for another cause: a lock, a page, in the VMM */
	VCPU_STATES,
};
#define EXIT_NO_REASON	UINT32_MAX /* of exits, and of exits to user space */
#define EXIT_USER_INTR	0xfffe	   /* KVM_RUN was interrupted by a signal */
#define EXIT_USER_ERROR 0xfffd	   /* KVM_RUN failed */
#define EXIT_ISA_VMX	1
#define EXIT_ISA_SVM	2

/* Pointers are valid in the callback only, but for vcpu and the texts of reasons, which live as long
 * as the exits. Texts of the trace are NUL-terminated and else as hostile as it is. */
struct vcpu_slice {
	uint16_t machine; /* index of the guest */
	uint16_t cpu;	  /* of the host: where it is or last was; SOURCE_NO_CPU unknown */
	const struct input_vcpu *vcpu;
	size_t index; /* of the vCPU among all of the input, by machine and then vCPU */
	uint64_t from_ticks, to_ticks; /* to > from */
	enum vcpu_state state;
	enum vcpu_state within;	 /* off its CPU: where it was, GUEST, KVM or VMM; else == state */
	uint32_t isa, reason;	 /* of the exit that this is part of; isa 0: none known */
	const char *reason_text; /* "hlt"; "" */
	uint32_t user_reason;	 /* VMM: KVM_EXIT_* or EXIT_USER_*; EXIT_NO_REASON */
	const char *user_text;	 /* "IO"; "" */
	const char *handler;	 /* VMM: what it was about, "io 0x3f8", or its device; "" unknown */
	int by_pid;	     /* PREEMPTED: who got the CPU; WAITING: who had it until then; -1 */
	const char *by_comm; /* ""; "swapper/N" of pid 0: the CPU was idle */
};

enum exit_address {
	EXIT_ADDRESS_NONE,
	EXIT_ADDRESS_PIO,
	EXIT_ADDRESS_MMIO,
	EXIT_ADDRESS_MSR,
	EXIT_ADDRESS_GPA /* of a page fault */
};

struct vcpu_exit {
	uint16_t machine, cpu; /* cpu: of the host, of kvm_exit */
	const struct input_vcpu *vcpu;
	size_t index; /* as in vcpu_slice */
	/* It begins with kvm_exit, or with the switch off its CPU that came before kvm_exit was
	 * traced (AMD before Linux 6.3 handles the host's interrupt first). */
	uint64_t exit_ticks;
	uint64_t event_ticks; /* of kvm_exit */
	uint64_t entry_ticks; /* of the next kvm_entry; incomplete: up to where it is known */
	bool complete;	      /* it has a re-entry; others count, but have no duration */
	uint32_t isa, reason;
	const char *reason_text;
	uint64_t info1, info2, guest_rip;
	enum exit_address address_kind; /* by kvm_pio, kvm_mmio, kvm_msr, kvm_page_fault or info */
	uint64_t address;
	bool write;
	uint32_t user_reason; /* of the first exit to user space; EXIT_NO_REASON: none */
	const char *user_text, *handler;
	uint32_t user_exits;
	int guest_pid;			   /* task that ran in the guest; -1 unknown */
	const char *guest_comm;		   /* "" unknown */
	uint64_t state_ticks[VCPU_STATES]; /* sum to entry_ticks - exit_ticks */
};

/* In order of completion; of one vCPU in order of time, an exit behind its slices. NULL: not wanted.
 * Not 0 stops the pass. */
struct exits_ops {
	int (*slice)(void *state, const struct vcpu_slice *s);
	int (*vm_exit)(void *state, const struct vcpu_exit *e);
};

struct exits_vcpu { /* sums of one vCPU */
	uint16_t machine;
	const struct input_vcpu *vcpu;
	uint64_t ticks[VCPU_STATES];
	uint64_t exits, entries, user_exits;
	uint64_t unpaired; /* entry without exit or exit without entry, and no loss */
};
struct exits_result {
	const struct exits_vcpu *vcpus; /* by index */
	size_t n_vcpus;
	uint64_t from_ticks, to_ticks;	     /* of the pass */
	bool has_exits, has_sched, has_user; /* what the host's recording can tell */
};

struct exits;
/* ops and state outlive it. */
must_check int exits_new(const struct exits_ops *ops, void *state, struct exits **ret);
void exits_free(struct exits *e);
/* Before a run: only the guests of that name (glob, --vm); NULL: all. Stays the caller's. */
void exits_limit(struct exits *e, const char *vm);
/* State is the struct exits. */
extern const struct consumer exits_consumer;
/* Valid after a run, as long as the exits and the input. */
const struct exits_result *exits_result(const struct exits *e);
const char *exits_state_name(enum vcpu_state s); /* "guest", "KVM" … */

#define _cleanup_exits_ _cleanup_(exits_cleanup)
static inline void exits_cleanup(struct exits **e)
{
	exits_free(*e);
}
