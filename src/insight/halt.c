// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/halt.h"

enum { KVM_ISA_SVM = 2 }; /* 1 is VMX (arch/x86/kvm/trace.h) */
/* arch/x86/include/uapi/asm/vmx.h, svm.h */
enum { VMX_HLT = 12, VMX_VMCALL = 18, VMX_VMLAUNCH = 20, VMX_VMRESUME = 24 };
enum { SVM_HLT = 0x78, SVM_VMRUN = 0x80, SVM_VMMCALL = 0x81 };

enum halt_kind halt_kind_of(uint64_t isa, uint64_t reason)
{
	if (isa == KVM_ISA_SVM) {
		if (reason == SVM_VMRUN || reason == SVM_VMMCALL)
			return HALT_EXCUSE;
		return reason == SVM_HLT ? HALT_HLT : HALT_OTHER;
	}
	reason &= 0xffff; /* flags above */
	if (reason == VMX_VMCALL || reason == VMX_VMLAUNCH || reason == VMX_VMRESUME)
		return HALT_EXCUSE;
	return reason == VMX_HLT ? HALT_HLT : HALT_OTHER;
}

void halt_init(struct halt *h)
{
	*h = (struct halt){.least_ticks = UINT64_MAX, .pending_least = UINT64_MAX};
}

static void clear(struct halt *h)
{
	h->pending = 0;
	h->pending_least = UINT64_MAX;
}

/* The events before and behind the halts agree on the task, so no switch between them is missing. */
static void judge(struct halt *h)
{
	if (h->current) {
		if (!h->busy)
			h->busy_ticks = h->pending_ticks;
		h->busy += h->pending;
		return;
	}
	h->idle += h->pending;
	if (h->pending_least < h->least_ticks)
		h->least_ticks = h->pending_least;
}

void halt_judge(struct halt *h, int pid)
{
	if (h->known && h->has_switch && pid == h->current)
		judge(h);
	else
		h->unjudged += h->pending;
	clear(h);
}

void halt_exit(struct halt *h, uint64_t ticks)
{
	uint64_t delay = ticks > h->current_ticks ? ticks - h->current_ticks : 0;

	if (!h->pending++)
		h->pending_ticks = ticks;
	if (delay < h->pending_least)
		h->pending_least = delay;
}

void halt_lost(struct halt *h)
{
	h->unjudged += h->pending;
	clear(h);
	h->known = false;
}
