// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/judge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const texts[OFFSET_REFUSALS] = {
	[OFFSET_OK] = "done",
	[OFFSET_CLOCKSOURCE] =
		"the host's clocksource is not tsc, so KVM itself keeps rewriting TSC offsets; boot "
		"the host with clocksource=tsc (tsc=reliable where it is), or use \"onetsc record\", "
		"which translates every stamp",
	[OFFSET_NO_ATTR] =
		"this kernel cannot set a TSC offset from outside (KVM_VCPU_TSC_OFFSET, "
		"Linux 5.16); use \"onetsc record\", which translates every stamp exactly",
	[OFFSET_SCALED] =
		"the guest's TSC runs at another frequency than the host's, so no offset makes them "
		"equal; start the VM without tsc-frequency=, or use \"onetsc record\", which "
		"translates every stamp",
	[OFFSET_CATCHUP] =
		"its vCPUs are asked to run faster than this CPU, so KVM rewrites the offset at "
		"each exit; onetsc record translates it",
	[OFFSET_PROTECTED] =
		"the CPU or this kind of KVM protects this VM's TSC: the new offset was accepted and "
		"not used; use \"onetsc record\", which translates every stamp",
	[OFFSET_MANY_VMS] = "its process runs several VMs",
	[OFFSET_RUNNING] =
		"the guest runs already, and its clocks would jump; use \"onetsc record\", which "
		"translates every stamp exactly, or \"onetsc zero --vm X --at-reset\"",
	[OFFSET_BACKWARD] =
		"the TSC would step back (or its offset cannot be read) and the guest's time stand "
		"still meanwhile; use \"onetsc record\", which merges it exactly as it is",
	[OFFSET_GONE] = "the VM has ended",
	[OFFSET_PERM] =
		"no permission to work on the VM's process; run as root, and end any debugger "
		"on it",
	[OFFSET_FAILED] = "the VM's process could not be worked on; it runs on unchanged; use "
			  "\"onetsc record\", which translates every stamp exactly",
	[OFFSET_UNWANTED] = "it was let go before it could be worked on",
};

const char *offset_refusal_text(enum offset_refusal r)
{
	return r < OFFSET_REFUSALS ? texts[r] : texts[OFFSET_FAILED];
}

enum offset_refusal judge_host(const struct judge_host *h)
{
	if (*h->clocksource && strcmp(h->clocksource, "tsc") != 0)
		return OFFSET_CLOCKSOURCE;
	/* Where /dev/kvm is not for us, the VM itself will tell. */
	if (h->kvm_error)
		return OFFSET_OK;
	if (h->kvm.support == KVM_OFFSET_NO_ATTR)
		return OFFSET_NO_ATTR;
	return h->kvm.support == KVM_OFFSET_IGNORED ? OFFSET_PROTECTED : OFFSET_OK;
}

bool judge_same_khz(uint64_t khz, uint64_t host_khz)
{
	uint64_t far = khz > host_khz ? khz - host_khz : host_khz - khz;

	return !khz || !host_khz ||
	       (unsigned __int128)far * 1000000 <=
		       (unsigned __int128)host_khz * JUDGE_TOLERANCE_PPM;
}

enum offset_refusal judge_vm(const struct judge_host *h, const struct judge_vm *v)
{
	enum offset_refusal r;

	if (v->catchup)
		return OFFSET_CATCHUP;
	if (v->fds > 1)
		return OFFSET_MANY_VMS;
	r = judge_host(h);
	if (r != OFFSET_OK)
		return r;
	if (v->is_protected)
		return OFFSET_PROTECTED;
	if (!h->kvm_error && !judge_same_khz(v->khz, h->kvm.tsc_khz))
		return OFFSET_SCALED;
	array_for_each(c, &v->vm->vcpus)
		if (vcpu_is_scaled(c))
			return OFFSET_SCALED;
	return OFFSET_OK;
}

bool judge_at_zero(const struct vm *vm)
{
	array_for_each(v, &vm->vcpus)
		if (!v->has_offset || v->offset)
			return false;
	return vm->vcpus.n > 0;
}

bool judge_never_ran(const struct vm *vm)
{
	array_for_each(v, &vm->vcpus)
		if (v->has_run)
			return false;
	return vm->vcpus.n > 0;
}

/* Guests stand a step forward (as after a suspend), not one back: time would stop for as long. */
static bool steps_forward(const struct vm *vm)
{
	array_for_each(v, &vm->vcpus)
		if (!v->has_offset || v->offset > 0)
			return false;
	return true;
}

enum offset_refusal judge_now(const struct vm *vm, bool force)
{
	if (judge_never_ran(vm))
		return OFFSET_OK;
	if (!force)
		return OFFSET_RUNNING;
	return steps_forward(vm) ? OFFSET_OK : OFFSET_BACKWARD;
}

int judge_gate(const struct judge_gate *g, const char **ret_why)
{
	int r = 0;

	if (!g->built) {
		r = -EOPNOTSUPP;
		*ret_why =
			"this onetsc was built without BPF, so it cannot watch for VMs; start a VM "
			"by \"onetsc zero -- COMMAND\" instead";
	} else if (!g->root) {
		r = -EPERM;
		*ret_why =
			"watching VMs needs root (BPF and ptrace); as a plain user start one VM by "
			"\"onetsc zero -- COMMAND\"";
	} else if (!g->btf) {
		r = -EOPNOTSUPP;
		*ret_why =
			"this kernel has no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF), which "
			"the gate needs; start a VM by \"onetsc zero -- COMMAND\" instead";
	} else if (g->ringbuf_sleeps) {
		r = -EOPNOTSUPP;
		*ret_why =
			"this PREEMPT_RT kernel's BPF ring buffer may sleep (mended in Linux 6.12, "
			"6.6.84 and 6.1.115), so watching could bring the host down; start a VM by "
			"\"onetsc zero -- COMMAND\" instead";
	} else if (!g->kvm) {
		r = -ENODEV;
		*ret_why = "KVM is not loaded: modprobe kvm_intel or kvm_amd first";
	}
	return r;
}

int judge_launch(const struct judge_host *h, char *why, size_t n)
{
	enum offset_refusal r;

	if (h->kvm_error) {
		snprintf(why, n, "cannot use /dev/kvm: %s%s", strerror(-h->kvm_error),
			 h->kvm_error == -EACCES ? "; add your user to the group kvm" : "");
		return h->kvm_error;
	}
	r = judge_host(h);
	if (r == OFFSET_OK)
		return 0;
	snprintf(why, n, "%s", offset_refusal_text(r));
	return -EOPNOTSUPP;
}
