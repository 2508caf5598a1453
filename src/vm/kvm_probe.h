/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this host's KVM can do, tried on a throw-away VM of our own. Silent. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

enum kvm_offset_support {
	KVM_OFFSET_KEPT,    /* an offset that is set reads back the same */
	KVM_OFFSET_IGNORED, /* set says yes, the value is another one (PVM; protected TSC) */
	KVM_OFFSET_NO_ATTR, /* KVM_VCPU_TSC_CTRL is not there: kernel before 5.16 */
};

/* What both questions below are answered from. */
struct kvm_probe {
	enum kvm_offset_support support;
	bool scaling;	  /* KVM_CAP_TSC_CONTROL: guests may have another frequency */
	uint64_t tsc_khz; /* KVM_GET_TSC_KHZ of a new vCPU: the host's; 0 where KVM does not say */
};

/* Creates a VM with one vCPU that never runs, sets KVM_VCPU_TSC_OFFSET and reads it back (about
 * 5 ms). -ENOENT: no /dev/kvm or no KVM behind it; -EACCES: not for this user; other -errno. */
must_check int kvm_probe_run(struct kvm_probe *ret);
must_check int kvm_probe_offset(enum kvm_offset_support *ret);
