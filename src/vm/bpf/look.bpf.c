// SPDX-License-Identifier: GPL-2.0-or-later
/* Visits the open vCPU files of all processes and writes down what KVM keeps about the TSC of each.
 * Reads only. */
#include <linux/bpf.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "gate_kernel.h"
#include "look_shared.h"

char LICENSE[] SEC("license") = "GPL";

const volatile __u32 self_tgid; /* whose descriptor self_fd is a vCPU of its own */
const volatile __u32 self_fd;

__u64 kvm_vcpu_fops; /* learnt from it: a name alone could be anybody's */

static __always_inline void look_at(struct kvm_vcpu *vcpu, struct look_vcpu *l)
{
	struct kvm *kvm = BPF_CORE_READ(vcpu, kvm);

	l->kvm = (__u64)kvm;
	l->id = BPF_CORE_READ(vcpu, vcpu_id);
	l->offset = BPF_CORE_READ(vcpu, arch.l1_tsc_offset);
	l->adjust = BPF_CORE_READ(vcpu, arch.ia32_tsc_adjust_msr);
	l->generation = BPF_CORE_READ(vcpu, arch.this_tsc_generation);
	l->khz = BPF_CORE_READ(vcpu, arch.virtual_tsc_khz);
	l->vm_generation = BPF_CORE_READ(kvm, arch.cur_tsc_generation);
	l->vm_write = BPF_CORE_READ(kvm, arch.cur_tsc_write);
	l->vm_offset = BPF_CORE_READ(kvm, arch.cur_tsc_offset);
	if (BPF_CORE_READ(kvm, arch.use_master_clock))
		l->flags |= LOOK_MASTERCLOCK;
	if (bpf_core_field_exists(vcpu->arch.tsc_catchup) && BPF_CORE_READ(vcpu, arch.tsc_catchup))
		l->flags |= LOOK_CATCHUP;
	if (BPF_CORE_READ(vcpu, arch.tsc_always_catchup))
		l->flags |= LOOK_ALWAYS;
	if (BPF_CORE_READ(vcpu, pid))
		l->flags |= LOOK_RAN;
	if (bpf_core_field_exists(vcpu->arch.guest_tsc_protected) &&
	    BPF_CORE_READ(vcpu, arch.guest_tsc_protected))
		l->flags |= LOOK_PROTECTED;
	/* unsigned long at first, then u8: the low byte is it in both */
	if (bpf_core_field_exists(kvm->arch.vm_type))
		l->vm_type = BPF_CORE_READ(kvm, arch.vm_type);
}

SEC("iter/task_file")
int look(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct look_vcpu l;

	if (!file || !task)
		return 0;
	if ((__u32)task->tgid == self_tgid) {
		if (ctx->fd == self_fd)
			kvm_vcpu_fops = (__u64)file->f_op;
		return 0;
	}
	if (!kvm_vcpu_fops || (__u64)file->f_op != kvm_vcpu_fops)
		return 0;
	__builtin_memset(&l, 0, sizeof(l));
	l.tgid = task->tgid;
	l.fd = ctx->fd;
	look_at(file->private_data, &l);
	bpf_seq_write(ctx->meta->seq, &l, sizeof(l));
	return 0;
}
