/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gate.bpf.c and user space share. All times are CLOCK_MONOTONIC ns (bpf_ktime_get_ns). */
#pragma once

#include <linux/types.h>

#define GATE_STACK_DEPTH 32
#define GATE_COPIES	 8

enum gate_mode {
	GATE_LEARN,  /* every VM that runs is old: remember its generation, hold nothing */
	GATE_ACTIVE, /* hold VMs that are new or were reset */
	GATE_DRAIN,  /* hold no further ones */
};

enum gate_event_kind {
	GATE_HELD,     /* a VM is being held: zero it, then gate_release(); repeated every 100 ms */
	GATE_RESTORED, /* its generation comes from saved state (or its VMM's own attribute): left */
	GATE_PARTIAL,  /* only some of its vCPUs got a new TSC: left */
	GATE_TIMEOUT,  /* the deadline opened it */
	GATE_SLIPPED,  /* a vCPU ran before it could be held: left */
};

struct gate_event {
	__u32 kind;
	__u32 tgid, tid; /* of the initial pid namespace */
	__u32 vcpu;
	__u64 kvm;	/* address of struct kvm: a name for the VM, nothing else */
	__u64 start_ns; /* start of the VMM (CLOCK_BOOTTIME): tgid + start name it for good */
	__u64 held_ns;	/* since when it is held; names this holding */
	__u64 offset;	/* of the vCPU that asked to run */
	__u64 write;	/* the TSC value whose write began the generation */
	__u32 ask;	/* not yet known whether this VM is wanted (--vm) */
	__u32 catchup;	/* KVM rewrites the offset at every exit (tsc_always_catchup) */
};

/* One kvm_write_tsc_offset. */
struct gate_write {
	__u64 time_ns;
	__u64 start_ns;
	__u64 previous, next;
	__u32 tgid, tid;
	__u32 vcpu;
	__u32 ioctl;   /* the ioctl command the thread is in, 0: none */
	__s32 n_stack; /* valid entries, < 0: -errno */
	__u32 pad;
	__u64 stack[GATE_STACK_DEPTH];
};

enum gate_state { GATE_OPEN, GATE_CLOSING, GATE_CLOSED };
enum gate_wanted { GATE_WANTED_UNKNOWN, GATE_WANTED_YES, GATE_WANTED_NO };

/* One VM. `settled` is the TSC generation (number and begin: together unique, also when the memory
 * of a struct kvm is used again) for which it has been decided what to do. */
struct gate_vm {
	__u64 settled, settled_ns;
	__u64 closing, closing_ns; /* generation for which it was closed */
	__u64 held_ns, until_ns, told_ns;
	__u64 passed, passed_ns; /* generation in which it was let run last */
	__u64 joining_ns;	 /* begin of a generation that not all vCPUs have joined yet */
	__u64 start_ns;
	__u64 denied;
	__u32 tgid;
	__u32 state;   /* enum gate_state */
	__u32 wanted;  /* enum gate_wanted */
	__u32 epoch;   /* last sweep that saw it */
	__u32 done;    /* the last decision was GATE_DONE, and no other TSC was restored since */
	__u32 slipped; /* while it is held: a vCPU has run nevertheless */
	__u32 left; /* the last decision was GATE_LEAVE: putting back may have made a generation */
};

struct gate_thread_key {
	__u64 kvm;
	__u32 vcpu, pad;
};

enum gate_op {
	GATE_CLAIM,  /* work begins: the deadline runs anew */
	GATE_DONE,   /* zeroed: open */
	GATE_LEAVE,  /* not possible: open, and leave this generation alone */
	GATE_IGNORE, /* not wanted: open, and never hold it again */
};

/* Context of the `decide` program. */
struct gate_decision {
	__u64 kvm, held_ns;
	__u64 extend_ns; /* with GATE_CLAIM */
	__u32 op, pad;
};

/* What the gate saw in KVM_RUN of our own throw-away VM. */
struct gate_probe {
	__u64 fops;
	__u64 offset, generation, write;
	__u32 vcpu, seen;
};
