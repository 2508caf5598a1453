/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The uprobes that show where a VMM handles an exit to user space: found in its binary by their
 * symbols, whatever the VMM is called. */
#pragma once

#include "capture/uprobes.h"
#include "vm/vm.h"

enum vmmprobe_level {
	VMMPROBE_CALLS,	  /* entry and return of the function that carries out a guest's access */
	VMMPROBE_REGIONS, /* and each device region that such an access reaches */
	VMMPROBE_NONE,
};

enum { /* which of them */
       VMMPROBE_SET_CALLS = 1,
       VMMPROBE_SET_REGIONS = 2,
};

struct vmmprobe_target {
	const struct binary *binary;
	pid_t pid; /* a process that runs it, whose structs may be looked at; 0 none */
};

/* Names of the events; a second binary's are followed by _2 … */
#define VMMPROBE_PREFIX "vmm_"
#define VMMPROBE_ENTER	VMMPROBE_PREFIX "enter"
#define VMMPROBE_LEAVE	VMMPROBE_PREFIX "leave"

/* Creates them and appends them to events. Number of probes; 0 after a warning when the binary has no
 * such symbols; -errno after a message. */
must_check int vmmprobe_add(struct uprobes *u, const struct vmmprobe_target *t,
			    enum vmmprobe_level level, struct events *events);
