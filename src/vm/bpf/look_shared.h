/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What look.bpf.c tells of each vCPU: KVM's own record of its TSC (struct kvm_arch and kvm_vcpu_arch,
 * arch/x86/include/asm/kvm_host.h). */
#pragma once

#include <linux/types.h>

#define LOOK_MASTERCLOCK (1u << 0) /* kvm->arch.use_master_clock */
#define LOOK_CATCHUP	 (1u << 1) /* its offset is corrected at each scheduling in */
#define LOOK_ALWAYS	 (1u << 2) /* at each exit: it is asked to run faster than the CPU */
#define LOOK_PROTECTED	 (1u << 3) /* guest_tsc_protected (Linux 6.17+) */
#define LOOK_RAN	 (1u << 4)

struct look_vcpu {
	__u64 kvm; /* address of struct kvm: a name for the VM */
	__u32 tgid, fd;
	__u32 id, flags;
	__u64 offset;	     /* L1's */
	__u64 adjust;	     /* TSC_ADJUST: what the guest's own writes sum up to */
	__u64 generation;    /* its own */
	__u64 vm_generation; /* the VM's current one, begun by writing vm_write */
	__u64 vm_write, vm_offset;
	__u32 khz;     /* virtual_tsc_khz */
	__u32 vm_type; /* KVM_X86_*_VM, 0 where KVM does not know (before 6.8) */
};
