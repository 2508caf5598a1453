/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be known of one VM from outside without touching it. Silent. */
#pragma once

#include "vm/hostfacts.h"
#include "vm/look.h"
#include "vm/writer.h"

/* May its threads be worked on with ptrace? */
enum vm_access {
	ACCESS_YES,
	ACCESS_DENIED,	/* not for this user (credentials, Yama, another security module) */
	ACCESS_TRACED,	/* by process tracer */
	ACCESS_SHSTK,	/* a user shadow stack: our code would break it */
	ACCESS_SECCOMP, /* under a filter that this user may not suspend: it could kill the VM */
	ACCESS_32BIT,
	ACCESS_GONE,
};

enum vm_type {
	VM_TYPE_NORMAL,
	VM_TYPE_SNP = 4,
	VM_TYPE_TDX = 5
}; /* KVM_X86_*_VM; others: normal */

struct vmfacts {
	const struct vm *vm;
	unsigned fds; /* vm_count_fds() */
	enum vm_access access;
	pid_t tracer;
	bool has_kvm; /* KVM's own record was read for all vCPUs: what follows is valid */
	bool masterclock, catchup, always_catchup, is_protected;
	unsigned vm_type;
	uint64_t khz;			     /* virtual_tsc_khz of the first vCPU */
	struct ARRAY(struct look_vcpu) look; /* as vm->vcpus */
};

/* looks may be NULL: KVM's own record could not be read. -ENOMEM. */
must_check int vmfacts_read(const struct vm_roots *roots, const struct vm *vm,
			    const struct looks *looks, struct vmfacts *ret);
void vmfacts_free(struct vmfacts *f);

/* The part that decides about setting offsets. */
struct judge_vm vmfacts_judge(const struct vmfacts *f);
/* Have all vCPUs the same offset? True when offsets are not known. */
bool vmfacts_same_offset(const struct vmfacts *f);
