/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which VMs run here: found by their KVM file descriptors, whatever the VMM is and however its
 * threads are named. Reads /proc and debugfs only; changes nothing. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"

/* Injectable for tests; NULL, or NULL members, mean the real ones. */
struct vm_roots {
	const char *proc;    /* "/proc" */
	const char *debugfs; /* "/sys/kernel/debug" */
	const char *sys;     /* "/sys" */
};

/* One row of the table in kinds.c per VMM. Functions may be NULL: nothing to be found there. */
struct vmm_kind {
	const char *name; /* "qemu" */
	/* Is this executable (basename of /proc/PID/exe, or of argv[0]) of that kind? */
	bool (*match)(const char *exe);
	/* Name of the VM from its command line; false: none there. argv ends with NULL. */
	bool (*vm_name)(char *const argv[], char *buf, size_t n);
	/* Its vsock context id, -1 when it has none. */
	int (*vsock_cid)(char *const argv[]);
	/* TSC frequency that its user asked for, 0 when left to the VMM. */
	uint64_t (*guest_khz)(char *const argv[]);
};

struct vcpu {
	unsigned id;	 /* KVM's vCPU id = APIC id; not always 0..n-1 */
	int fd;		 /* in the VMM's table, -1 unknown */
	pid_t tid;	 /* thread that runs it, 0 unknown (never ran, or not readable) */
	int has_run;	 /* 1: was in KVM_RUN; 0: never; -1: unknown (debugfs "pid", 6.1+) */
	int host_cpu;	 /* where that thread last ran, -1 unknown */
	bool has_offset; /* debugfs was readable: offset, ratio and frac are valid */
	int64_t offset;	 /* current TSC offset */
	uint64_t ratio;	 /* tsc-scaling-ratio; 1 with frac 0 where KVM has no scaling files */
	unsigned frac;
};

struct vcpus ARRAY(struct vcpu);

struct vm {
	pid_t pid;	      /* VMM process (thread group) */
	uint64_t start_ticks; /* its start time (proc stat 22): pid + start names it for good */
	int vm_fd;	      /* KVM VM fd in the VMM; a process may have several VMs */
	pid_t creator_tid;    /* thread in the name of its debugfs directory, 0 unknown */
	const struct vmm_kind *vmm; /* never NULL: the last kind is "unknown" */
	char *name;		    /* from the command line, else "vm-PID" */
	char *exe;		    /* path of the executable, may be NULL */
	int vsock_cid;		    /* from the command line, -1 unknown */
	struct vcpus vcpus;	    /* sorted by id */
	uint64_t guest_khz;	    /* frequency asked for on the command line, 0 = the host's */
};

struct vms ARRAY(struct vm);

/* All VMs that this user may see, sorted by pid and fd. roots may be NULL. *ret_hidden counts
 * processes whose descriptors could not be read (no permission); may be NULL. */
must_check int vm_find_all(const struct vm_roots *roots, struct vms *ret, unsigned *ret_hidden);
/* The VMs of one process, appended to *ret. -ENOENT when it has none or is gone; -EACCES. */
must_check int vm_find_process(const struct vm_roots *roots, pid_t pid, struct vms *ret);
/* The (first) VM of a process. */
must_check int vm_find_pid(const struct vm_roots *roots, pid_t pid, struct vm *ret);
/* By name or decimal pid in a found list. -ENOENT; -EEXIST when several match (message printed). */
must_check int vm_select(const struct vms *vms, const char *name_or_pid, const struct vm **ret);
/* Reads descriptors, offsets, threads and ratios again. -ENOENT when the VM has ended. */
must_check int vm_refresh(const struct vm_roots *roots, struct vm *vm);

void vm_free(struct vm *vm);
void vms_free(struct vms *vms);
#define _cleanup_vms_ _cleanup_(vms_free)
#define _cleanup_vm_  _cleanup_(vm_free)

/* Same process still? (pid and start time) */
bool vm_alive(const struct vm_roots *roots, const struct vm *vm);

/* Does KVM scale its TSC? Not when that is unknown. */
bool vcpu_is_scaled(const struct vcpu *v);
/* kHz at which the VM's TSC ticks, from its ratio, else what its command line asks for; 0 unknown. */
uint64_t vm_guest_khz(const struct vm *vm, uint64_t host_khz);
/* Number of KVM VM descriptors in a process, 0 when that cannot be seen. */
unsigned vm_count_fds(const struct vm_roots *roots, pid_t pid);

/* Can offsets be read? 0; -ENOENT debugfs or its kvm directory is missing, -EACCES not for us. */
int vm_debugfs_state(const struct vm_roots *roots);
