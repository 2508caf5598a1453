/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gave a vCPU the TSC offset that it has, told afterwards from what KVM keeps: the write that
 * began the TSC generation (__kvm_synchronize_tsc(), arch/x86/kvm/x86.c), and TSC_ADJUST, which sums
 * up the guest's own writes (kvm_set_msr_common()). Pure. */
#pragma once

#include <stdbool.h>

#include "vm/bpf/look_shared.h"

enum writer {
	WRITER_UNKNOWN,
	WRITER_CREATION, /* KVM_CREATE_VCPU, or the VMM writing TSC 0, which KVM takes as the same */
	WRITER_RESET,	 /* the VMM writing TSC 1: QEMU's reset */
	WRITER_ZEROED,	 /* the VMM's process setting the offset to 0: onetsc zero */
	WRITER_RESTORED, /* the VMM: a saved TSC, or another offset by KVM_SET_DEVICE_ATTR */
	WRITER_GUEST,	 /* the guest's own WRMSR of TSC or TSC_ADJUST, after one of the above */
	WRITER_KVM,   /* KVM by itself, after one of the above: unstable TSC, catch-up, suspend */
	WRITER_FIXED, /* nobody can: the CPU or this kind of KVM fixes it */
	WRITER_OLDER, /* as above, in an earlier generation than other vCPUs of its VM */
	WRITERS
};

enum writer writer_of(const struct look_vcpu *v);
/* "guest-wrmsr": stable, for programs. */
const char *writer_name(enum writer w);
/* A clause: "set by the guest itself (WRMSR of TSC or TSC_ADJUST)". */
const char *writer_text(enum writer w);
