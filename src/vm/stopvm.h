/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM whose vCPU threads all stand still, so that no vCPU's mutex is held and each can be asked
 * and told things by ioctls of its own process. Within one inject_run(), as vm/inject.h. */
#pragma once

#include "vm/inject.h"
#include "vm/vm.h"

struct stopvm {
	struct inject *inj;
	struct inject_why *why;
	struct vm vm;		       /* a copy, read again while stopped */
	struct inject_thread **thread; /* of vm.vcpus.v[i] */
	uint64_t begin_ns;	       /* CLOCK_MONOTONIC when the first thread was stopped */
};

/* -ESRCH the VM ended; -ENODEV a vCPU's descriptor cannot be told; else as inject_open(). */
must_check int stopvm_open(const struct vm_roots *roots, const struct vm *vm,
			   struct journal *journal, struct inject_why *why, struct stopvm **ret);
/* As inject_close(). NULL is fine. */
must_check int stopvm_close(struct stopvm *s);

/* cmd(arg 0) on every vCPU; results to result[]. 0, or -errno when one could not be made. */
must_check int stopvm_ioctl(struct stopvm *s, unsigned long cmd, long result[]);
/* KVM_GET_DEVICE_ATTR of the TSC offset of every vCPU. */
must_check int stopvm_get_offsets(struct stopvm *s, int64_t offset[], long result[]);
/* KVM_SET_DEVICE_ATTR of those with which[i] (NULL: all), back to back; result[] of the others is
 * 0. */
must_check int stopvm_set_offsets(struct stopvm *s, const bool which[], const int64_t offset[],
				  long result[]);
/* Has every vCPU recompute its kvmclock before it runs again, and the VM its masterclock now; the
 * clock itself goes on without a step where KVM can tell (KVM_CLOCK_REALTIME).
 * *ret_masterclock: is it on? */
must_check int stopvm_renew_clock(struct stopvm *s, bool *ret_masterclock);
