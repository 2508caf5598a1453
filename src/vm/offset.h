/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets the TSC offset of all vCPUs of a VM from outside, all or nothing, and reads it back. */
#pragma once

#include "base/journal.h"
#include "vm/vm.h"

enum offset_refusal {
	OFFSET_OK,
	OFFSET_CLOCKSOURCE, /* host current_clocksource is not tsc: KVM rewrites offsets */
	OFFSET_NO_ATTR,	    /* kernel < 5.16: KVM_VCPU_TSC_CTRL missing */
	OFFSET_SCALED,	    /* ratio != 1 */
	OFFSET_PROTECTED,   /* set succeeded, read-back differs (TDX, SNP Secure TSC, PVM) */
	OFFSET_RUNNING,	    /* the guest has run; not without force */
	OFFSET_GONE,	    /* the VM ended */
	OFFSET_PERM,	    /* no permission to trace the VMM */
	OFFSET_FAILED,	    /* injection failed; VM put back */
	OFFSET_REFUSALS
};

/* One clear sentence: why, and what works instead. */
const char *offset_refusal_text(enum offset_refusal r);

struct offset_result {
	enum offset_refusal refusal;
	unsigned vcpus;	     /* how many were set and read back */
	int64_t read_back;   /* first value that differed, with OFFSET_PROTECTED */
	bool masterclock;    /* KVM_GET_CLOCK said KVM_CLOCK_TSC_STABLE afterwards */
	uint64_t stopped_ns; /* how long the vCPU threads stood still */
};

/* Cheap checks that change nothing and stop nothing: clocksource, kernel support (probed on a
 * throw-away VM of our own, once), ratio of each vCPU, permission. */
enum offset_refusal offset_preflight(const struct vm_roots *roots, const struct vm *vm);

/* Stops all vCPU threads; in each its own thread: KVM_SET_DEVICE_ATTR(KVM_VCPU_TSC_OFFSET, target),
 * KVM_KVMCLOCK_CTRL (-EINVAL ignored), back to back over all vCPUs (else the masterclock is lost,
 * kvm_arch_tsc_set_attr/kvm_track_tsc_matching); KVM_GET_CLOCK + KVM_SET_CLOCK with
 * KVM_CLOCK_REALTIME on the VM fd; GET_DEVICE_ATTR of each vCPU compared; all resumed. When one
 * vCPU fails, those already changed are put back to their old value (journaled before the change).
 * Returns 0 with *ret filled (also for refusals), -errno for the unexpected after one message. */
must_check int offset_set_all(const struct vm_roots *roots, const struct vm *vm, int64_t target,
			      struct journal *journal, struct offset_result *ret);

/* Undo handler of journal kind "offset": pid start vcpu fd tid old-offset. */
int offset_undo(const char *text);
