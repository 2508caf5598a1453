/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which event kinds of the host tell what a vCPU does, and their fields. Used inside insight/ only. */
#pragma once

#include "timeline/input.h"

enum exitkind_action {
	KIND_NOTHING,
	KIND_ENTRY,
	KIND_EXIT,   /* exit_reason, guest_rip, info1, info2 */
	KIND_USER,   /* reason, errno */
	KIND_SWITCH, /* prev_pid, next_pid, prev_state */
	KIND_WAKING, /* pid */
	KIND_WAKEUP, /* ns, waited */
	KIND_IN_KVM, /* made in KVM_RUN alone, by the vCPU's own thread */
	KIND_FPU,    /* load: KVM_RUN begins or ends (kvm_load_guest_fpu(), arch/x86/kvm/x86.c) */
	KIND_PIO,    /* rw, port */
	KIND_MMIO,   /* type, gpa */
	KIND_FAST_MMIO,	 /* gpa */
	KIND_MSR,	 /* write, ecx */
	KIND_PAGE_FAULT, /* fault_address */
	KIND_CALL /* a probe in the VMM (record --vmm): text names what it reached, at f[0] */
};

#define EXITKIND_FIELDS 4

struct exitkind {
	uint8_t action;
	const struct source_field *f[EXITKIND_FIELDS]; /* integers, in the order above */
	const struct source_field *text;	       /* KIND_CALL */
};

struct exitkinds {
	const struct source *source; /* the host's; NULL: there is none */
	struct exitkind *v;	     /* by kind index */
	const struct source_kind *entry, *exit, *user, *sched;
	const struct source_field *isa, *prev_comm, *next_comm; /* may be NULL */
};

/* Of the input's host. Zero-initialise. -ENOMEM. */
must_check int exitkinds_find(struct exitkinds *k, const struct input *in);
void exitkinds_free(struct exitkinds *k);
