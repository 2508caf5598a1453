/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything about this host that decides what can be done with its VMs' TSCs. Reads only, but for a
 * throw-away VM of our own. Silent. */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "vm/judge.h"
#include "vm/vm.h"

enum tsc_flag {
	TSC_FLAG_CONSTANT,   /* one speed whatever the CPU's */
	TSC_FLAG_NONSTOP,    /* also in deep sleep */
	TSC_FLAG_KNOWN_FREQ, /* the kernel was told the frequency and did not measure it */
	TSC_FLAG_RELIABLE,   /* the kernel does not watch it against another clock */
	TSC_FLAG_ADJUST,     /* the TSC_ADJUST register */
	TSC_FLAG_DEADLINE,
	TSC_FLAG_SCALE, /* of guests: AMD tsc_scale, Intel tsc_scaling */
	TSC_FLAG_RDTSCP,
	TSC_FLAG_HYPERVISOR, /* this host is a VM itself */
	TSC_FLAGS
};

/* As /proc/cpuinfo spells it. */
const char *tsc_flag_name(enum tsc_flag f);

enum khz_source {
	KHZ_UNKNOWN,
	KHZ_KVM,   /* KVM_GET_TSC_KHZ: the kernel's tsc_khz */
	KHZ_PERF,  /* from the multiplier that perf_event_open(2) gives */
	KHZ_CPUID, /* leaf 0x15 or 0x40000010 */
};

#define HOSTFACTS_NOT_THERE LONG_MIN /* this kernel has no such sysctl */

struct hostfacts {
	char kernel[65];
	struct judge_host judge; /* clocksource and what KVM does with offsets */
	struct judge_gate gate;
	char clocksources[128]; /* available ones */
	char tsc_option[64];	/* tsc= of the kernel's command line, "" none */
	bool has_flags;
	unsigned flags; /* 1 << TSC_FLAG_x */
	uint64_t tsc_khz;
	enum khz_source khz_source;
	char kvm_module[16]; /* "kvm_amd", "" none */
	int debugfs;	     /* vm_debugfs_state() */
	bool realtime, preemptible;
	char lockdown[32]; /* "none", "integrity", ...; "" unknown */
	/* or HOSTFACTS_NOT_THERE */
	long ptrace_scope, perf_paranoid, bpf_unprivileged, kptr_restrict;
	uid_t uid;
	uint64_t caps;	 /* effective, 1 << CAP_x */
	int vhost_vsock; /* 0, -ENOENT, -EACCES */
};

void hostfacts_read(const struct vm_roots *roots, struct hostfacts *ret);
/* Flags from the text of /proc/cpuinfo. Pure. */
unsigned hostfacts_flags(const char *cpuinfo);
bool hostfacts_has(const struct hostfacts *h, enum tsc_flag f);
