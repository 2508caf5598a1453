/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets the TSC offset of all vCPUs of a VM from outside, all or nothing, and reads it back. */
#pragma once

#include "base/journal.h"
#include "vm/inject.h"
#include "vm/judge.h"
#include "vm/vm.h"

struct offset_result {
	enum offset_refusal refusal;
	struct inject_why why; /* detail, one clause; "" when the refusal says it all */
	unsigned vcpus;	       /* how many were set and read back */
	int64_t read_back;     /* first value that differed, with OFFSET_PROTECTED */
	bool masterclock;      /* KVM_GET_CLOCK said KVM_CLOCK_TSC_STABLE afterwards */
	uint64_t stopped_ns;   /* how long the vCPU threads stood still */
};

/* Cheap checks that change nothing and stop nothing: clocksource, kernel support (probed on a
 * throw-away VM of our own, once per process), ratio of each vCPU as far as vm knows it. vm NULL:
 * the host only. */
enum offset_refusal offset_preflight(const struct vm_roots *roots, const struct vm *vm);

/* Stops all vCPU threads (all threads, when a vCPU's is not known); in each its own thread:
 * KVM_SET_DEVICE_ATTR(KVM_VCPU_TSC_OFFSET, target) back to back, which keeps one generation (else
 * the masterclock is lost, kvm_track_tsc_matching(), 6.1), KVM_KVMCLOCK_CTRL (-EINVAL ignored: no
 * kvmclock), KVM_GET_DEVICE_ATTR compared; then KVM_GET_CLOCK + KVM_SET_CLOCK with
 * KVM_CLOCK_REALTIME on the VM fd; all resumed. When one vCPU fails, those already changed are put
 * back to their old value (journaled before the change), if need be by offset_undo() once the
 * threads have been let go. Does offset_preflight() first.
 * Returns 0 with *ret filled (also for refusals, then nothing has changed); -EIO when the VM could
 * not be put back (result OFFSET_FAILED; the journal keeps the entry); other -errno: no memory, no
 * journal. Logs nothing. Takes any thread of the caller's: the work is done in one of its own. */
must_check int offset_set_all(const struct vm_roots *roots, const struct vm *vm, int64_t target,
			      struct journal *journal, struct offset_result *ret);

/* As offset_set_all(), but asks go(ctx), once, in the tracer thread, when all vCPU threads stand
 * still and before anything is changed: false refuses with OFFSET_UNWANTED. */
struct offset_check {
	bool (*go)(void *ctx);
	void *ctx;
};
must_check int offset_set_all_if(const struct vm_roots *roots, const struct vm *vm, int64_t target,
				 struct journal *journal, const struct offset_check *check,
				 struct offset_result *ret);

/* Undo handler of journal kind "offset": pid start vmfd target {vcpu:fd:old-offset}...
 * A change that reached some vCPUs only is taken back; one that reached all is completed (clock,
 * masterclock): undoing it would make the guest's clock jump a second time. */
int offset_undo(const char *text);
