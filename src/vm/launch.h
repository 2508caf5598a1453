/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts a VMM so that its VM has TSC offset 0, with no more rights than the VMM itself: by a
 * preloaded shim (vm/shim), or, where nothing can be preloaded, by ptrace until its first vCPU. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/journal.h"
#include "vm/inject.h"

enum launch_way { LAUNCH_SHIM, LAUNCH_TRACE };

struct launch_plan {
	char *path; /* of the program, found as a shell would */
	enum launch_way way;
	bool script; /* the program is a script; way is that of its interpreter */
};

/* Looks the program up and at its file. -ENOENT, -EACCES; -EPERM: set-user-id or with file
 * capabilities (the loader would ignore the shim); -EOPNOTSUPP: not for this CPU, or a script of a
 * static interpreter. *why says which. */
must_check int launch_plan_make(const char *file, struct launch_plan *ret, struct inject_why *why);
void launch_plan_free(struct launch_plan *p);

/* Becomes the program, with the shim preloaded; returns only on failure, with -errno and *why.
 * host_khz: the host's TSC frequency, 0 unknown. quiet: only what goes wrong. */
int launch_exec(const struct launch_plan *p, char *const argv[], uint64_t host_khz, bool quiet,
		struct inject_why *why);

struct launch_traced {
	volatile pid_t pid; /* the program; for other threads too, as soon as it is not 0 */
	bool ended;	    /* it ended while traced: status is valid */
	int status;	    /* as from waitpid(2) */
	bool zeroed;	    /* a vCPU was created, set to 0 and read back */
};

/* Starts the program as a child, follows it and its children until the first KVM_CREATE_VCPU, sets
 * that vCPU's TSC offset to 0 (which all later ones inherit) and lets everything go untraced. The
 * caller waits for the child. 0; -errno with *why when it could not be started; when only the
 * offset could not be set, 0 with *why and zeroed false. */
must_check int launch_trace(const struct launch_plan *p, char *const argv[], uint64_t host_khz,
			    struct journal *journal, struct inject_why *why,
			    struct launch_traced *ret);
