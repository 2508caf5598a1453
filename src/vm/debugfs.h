/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KVM's directory in debugfs: kvm/<tid>-<vmfd>/vcpu<id>/{tsc-offset,...,pid}. Silent. */
#pragma once

#include "vm/vm.h"

struct debugfs_dir {
	pid_t tid; /* thread that created the VM, in the init pid namespace */
	int vm_fd; /* at its creation */
};
struct debugfs_dirs ARRAY(struct debugfs_dir);

/* All VMs there. -ENOENT: no debugfs or no KVM in it; -EACCES. */
must_check int debugfs_list(const struct vm_roots *roots, struct debugfs_dirs *ret);
/* vCPU ids of one VM, appended unsorted. */
must_check int debugfs_vcpu_ids(const struct vm_roots *roots, const struct debugfs_dir *dir,
				struct vcpus *ret);
/* Fills offset, ratio, frac, and tid and has_run where the kernel tells (6.1+) and the thread is
 * one of process pid. What cannot be read stays as it is. */
void debugfs_read_vcpu(const struct vm_roots *roots, const struct debugfs_dir *dir, pid_t pid,
		       struct vcpu *vcpu);
