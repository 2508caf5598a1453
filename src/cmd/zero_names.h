/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of the VMs behind process ids, kept also when the process has ended. Not thread-safe. */
#pragma once

#include "cmd/zero.h"

struct zero_name {
	pid_t pid;
	uint64_t start_ns; /* of the process, CLOCK_BOOTTIME */
	char name[64];	   /* printable */
	bool found;	   /* it really is a VM's name */
	bool wanted;	   /* zero_wanted() */
	unsigned guest_writes;
};

struct zero_names;

must_check int zero_names_new(const struct zero_options *o, struct zero_names **ret);
void zero_names_free(struct zero_names *n);
/* Looks the process up when it is new. Valid until the next call; NULL without memory. */
struct zero_name *zero_names_get(struct zero_names *n, pid_t pid, uint64_t start_ns);

/* Is this the process that the BPF programs saw? Its start is known in clock ticks here. */
bool zero_same_start(const struct vm *vm, uint64_t start_ns);
/* The same for field 22 of /proc/PID/stat. */
bool zero_same_ticks(uint64_t start_ticks, uint64_t start_ns);
