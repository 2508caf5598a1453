/* SPDX-License-Identifier: GPL-2.0-or-later */
/* May TSC offsets be set here, and in this VM? Pure: from facts to a refusal and its sentence. What
 * `zero` refuses and what `doctor` says is decided here, so that they cannot disagree. */
#pragma once

#include <stdbool.h>

#include "vm/kvm_probe.h"
#include "vm/vm.h"

#define JUDGE_TOLERANCE_PPM 250 /* kvm.tsc_tolerance_ppm: KVM does not scale within it */

enum offset_refusal {
	OFFSET_OK,
	OFFSET_CLOCKSOURCE, /* host current_clocksource is not tsc: KVM rewrites offsets */
	OFFSET_NO_ATTR,	    /* kernel < 5.16: KVM_VCPU_TSC_CTRL missing */
	OFFSET_SCALED,	    /* ratio != 1, or the guest's kHz are not the host's */
	OFFSET_CATCHUP,	    /* KVM rewrites the offset at every exit (tsc_always_catchup) */
	OFFSET_PROTECTED,   /* set succeeded, read-back differs (TDX, SNP Secure TSC, PVM) */
	OFFSET_MANY_VMS,    /* its process holds several VMs: which thread runs which is a guess */
	OFFSET_RUNNING,	    /* the guest has run; not without force (for the caller to decide) */
	OFFSET_BACKWARD,    /* it would step back, force or not */
	OFFSET_GONE,	    /* the VM ended */
	OFFSET_PERM,	    /* no permission to trace the VMM, or traced by somebody else */
	OFFSET_FAILED,	    /* injection failed; VM put back */
	OFFSET_UNWANTED,    /* offset_check said no */
	OFFSET_REFUSALS
};

/* One clear sentence: why, and what works instead. */
const char *offset_refusal_text(enum offset_refusal r);

struct judge_host {
	char clocksource[64]; /* current_clocksource, "" unknown */
	int kvm_error;	      /* of facts_kvm(); else kvm is valid */
	struct kvm_probe kvm;
};

/* As far as it is known; unknown facts do not refuse. */
struct judge_vm {
	const struct vm *vm;
	unsigned fds;	   /* KVM VM descriptors in its process, vm_count_fds() */
	bool catchup;	   /* tsc_always_catchup of one of its vCPUs */
	bool is_protected; /* guest_tsc_protected of one of its vCPUs */
	uint64_t khz;	   /* at which KVM lets its TSC tick; 0 unknown */
};

/* Of the host alone. */
enum offset_refusal judge_host(const struct judge_host *h);
/* Of a VM that is new or has been reset. */
enum offset_refusal judge_vm(const struct judge_host *h, const struct judge_vm *v);
/* Of a VM as it is now, on top of judge_vm(): OFFSET_OK when it never ran, or when force and its TSC
 * would step forward. */
enum offset_refusal judge_now(const struct vm *vm, bool force);

/* Does a TSC of khz tick like the host's? Yes when one of both is 0 (unknown). */
bool judge_same_khz(uint64_t khz, uint64_t host_khz);
/* Are all vCPUs known to be at offset 0? */
bool judge_at_zero(const struct vm *vm);
bool judge_never_ran(const struct vm *vm);

/* What the BPF gate needs of the host. */
struct judge_gate {
	bool built; /* this onetsc has BPF */
	bool root;
	bool btf;	     /* /sys/kernel/btf/vmlinux */
	bool ringbuf_sleeps; /* PREEMPT_RT whose BPF ring buffer takes a sleeping lock */
	bool kvm;	     /* the module and /dev/kvm are there */
};

/* 0, or -errno with one sentence that is never freed. */
must_check int judge_gate(const struct judge_gate *g, const char **ret_why);

/* May `zero -- COMMAND` be used? 0, or -errno with one sentence. */
must_check int judge_launch(const struct judge_host *h, char *why, size_t n);
