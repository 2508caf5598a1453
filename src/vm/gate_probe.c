// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/gate_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/log.h"
#include "vm/judge.h"

#define PROBE_OFFSET 0x123456789abcll

#ifndef KVM_VCPU_TSC_CTRL /* arch/x86/include/uapi/asm/kvm.h, since 5.16 */
#define KVM_VCPU_TSC_CTRL   0
#define KVM_VCPU_TSC_OFFSET 0
#endif

struct probe_vm {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	size_t run_bytes;
};

static void probe_vm_free(struct probe_vm *p)
{
	if (p->run)
		munmap(p->run, p->run_bytes);
	cleanup_fd(&p->vcpu);
	cleanup_fd(&p->vm);
	cleanup_fd(&p->kvm);
}

static int probe_vm_make(struct probe_vm *p)
{
	int n;
	void *run;

	p->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (p->kvm < 0)
		return log_err_r(-errno, "cannot open /dev/kvm: %m");
	p->vm = ioctl(p->kvm, KVM_CREATE_VM, 0);
	p->vcpu = p->vm < 0 ? -1 : ioctl(p->vm, KVM_CREATE_VCPU, 0);
	if (p->vcpu < 0)
		return log_err_r(-errno, "cannot make a throw-away VM on /dev/kvm: %m");
	n = ioctl(p->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	run = n < 0 ? MAP_FAILED
		    : mmap(NULL, (size_t)n, PROT_READ | PROT_WRITE, MAP_SHARED, p->vcpu, 0);
	if (run == MAP_FAILED)
		return log_err_r(-errno, "cannot map a vCPU of a throw-away VM: %m");
	p->run = run;
	p->run_bytes = (size_t)n;
	return 0;
}

/* Sets PROBE_OFFSET and reads back what took effect. */
static int set_offset(const struct probe_vm *p)
{
	uint64_t v = PROBE_OFFSET;
	struct kvm_device_attr attr = {
		.group = KVM_VCPU_TSC_CTRL,
		.attr = KVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&v,
	};

	if (ioctl(p->vcpu, KVM_SET_DEVICE_ATTR, &attr))
		return log_err_r(-EOPNOTSUPP, "%s", offset_refusal_text(OFFSET_NO_ATTR));
	v = 0;
	if (ioctl(p->vcpu, KVM_GET_DEVICE_ATTR, &attr))
		return log_err_r(-errno, "cannot read a vCPU's TSC offset back: %m");
	if (v != PROBE_OFFSET)
		return log_err_r(
			-EOPNOTSUPP,
			"KVM on this host ignores TSC offsets (%lld read back after setting %lld): its TSC "
			"is protected, or KVM runs without hardware support; nothing to zero here",
			(long long)v, PROBE_OFFSET);
	return 0;
}

int gate_probe_run(const volatile struct gate_probe *seen)
{
	_cleanup_(probe_vm_free) struct probe_vm p = {-1, -1, -1, NULL, 0};
	int r = probe_vm_make(&p);

	r = r ?: set_offset(&p);
	if (r)
		return r;
	/* Should the gate not catch it, KVM returns at once all the same. */
	p.run->immediate_exit = 1;
	ioctl(p.vcpu, KVM_RUN, 0);
	if (!seen->seen)
		return log_err_r(
			-EPROTO,
			"the gate does not see KVM_RUN of this process; onetsc must run in the host's pid "
			"namespace, not in a container's");
	log_debug(
		"gate: own vCPU has offset %#llx, generation %llu begun by write %#llx, fops %#llx",
		(unsigned long long)seen->offset, (unsigned long long)seen->generation,
		(unsigned long long)seen->write, (unsigned long long)seen->fops);
	/* Creation opens a generation with TSC 0, the attribute one with the TSC of that moment. */
	if (seen->offset != PROBE_OFFSET || seen->generation - 1 > 15 || seen->write <= 1 ||
	    seen->vcpu || !seen->fops)
		return log_err_r(
			-EPROTO,
			"this kernel's KVM keeps its TSC state in a way that this onetsc does not know; "
			"start a VM by \"onetsc zero -- COMMAND\" instead");
	return 0;
}
