/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's structures as far as our programs read them: names and types only, places are relocated
 * when it is loaded (CO-RE). */
#pragma once

#include <linux/types.h>
#include <stdbool.h>

#define CO_RE __attribute__((preserve_access_index))

struct pid;
struct kvm_arch {
	__u64 last_tsc_write; /* dropped by a KVM series of July 2026: cur_tsc_write is it then */
	bool all_vcpus_matched_tsc; /* added by the same */
	__u64 cur_tsc_nsec, cur_tsc_write, cur_tsc_offset, cur_tsc_generation;
	int nr_vcpus_matched_tsc;
	bool use_master_clock;
	unsigned char vm_type; /* 6.8 */
} CO_RE;
struct count {
	int counter;
} CO_RE;
struct kvm {
	struct count online_vcpus; /* atomic_t */
	struct kvm_arch arch;
} CO_RE;
struct kvm_vcpu_arch {
	__u64 l1_tsc_offset, this_tsc_generation;
	__u64 last_guest_tsc, ia32_tsc_adjust_msr;
	bool tsc_catchup, tsc_always_catchup;
	__u32 virtual_tsc_khz;
	bool guest_tsc_protected; /* 6.17 */
} CO_RE;
struct kvm_vcpu {
	struct kvm *kvm;
	int vcpu_id;
	struct pid *pid; /* of its last KVM_RUN; NULL: it never ran */
	struct kvm_vcpu_arch arch;
} CO_RE;
struct file_operations;
struct file {
	const struct file_operations *f_op;
	void *private_data;
} CO_RE;
struct task_struct {
	struct task_struct *group_leader;
	__u64 start_boottime;
	int tgid;
} CO_RE;
struct pt_regs {
	unsigned long si, orig_ax;
} CO_RE;
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
} CO_RE;
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} CO_RE;
