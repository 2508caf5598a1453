// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/kvm_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* A small offset could be what the vCPU has by chance. */
#define PROBE_OFFSET 0x123456789abll

static int new_vcpu(int *ret_vm)
{
	_cleanup_fd_ int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vcpu;

	if (kvm < 0)
		return errno == ENODEV || errno == ENXIO ? -ENOENT : -errno;
	*ret_vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (*ret_vm < 0)
		return -errno;
	vcpu = ioctl(*ret_vm, KVM_CREATE_VCPU, 0);
	return vcpu < 0 ? -errno : vcpu;
}

int kvm_probe_run(struct kvm_probe *ret)
{
	int64_t offset = PROBE_OFFSET;
	struct kvm_device_attr attr = {.group = KVM_VCPU_TSC_CTRL,
				       .attr = KVM_VCPU_TSC_OFFSET,
				       .addr = (uintptr_t)&offset};
	_cleanup_fd_ int vm = -1, vcpu = -1;
	int khz;

	vcpu = new_vcpu(&vm);
	if (vcpu < 0)
		return vcpu;
	/* KVM_CHECK_EXTENSION is there for VMs too. */
	ret->scaling = ioctl(vm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL) > 0;
	khz = ioctl(vcpu, KVM_GET_TSC_KHZ);
	ret->tsc_khz = khz > 0 ? (uint64_t)khz : 0;
	if (ioctl(vcpu, KVM_HAS_DEVICE_ATTR, &attr)) {
		ret->support = KVM_OFFSET_NO_ATTR;
		return 0;
	}
	if (ioctl(vcpu, KVM_SET_DEVICE_ATTR, &attr))
		return -errno;
	offset = 0;
	if (ioctl(vcpu, KVM_GET_DEVICE_ATTR, &attr))
		return -errno;
	ret->support = offset == PROBE_OFFSET ? KVM_OFFSET_KEPT : KVM_OFFSET_IGNORED;
	return 0;
}

int kvm_probe_offset(enum kvm_offset_support *ret)
{
	struct kvm_probe probe;
	int r = kvm_probe_run(&probe);

	if (!r)
		*ret = probe.support;
	return r;
}
