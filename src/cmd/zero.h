/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `onetsc zero`. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/options.h"
#include "vm/vm.h"

struct zero_options {
	struct opt_strv vms; /* names or pids; empty: all */
	bool now, force_live, at_reset, rezero;
	bool stack, json;
	uint64_t duration_ns; /* 0: until a signal */
	uint64_t deadline_ns;
};

/* Watches VMs until a signal. Returns an exit code. */
int zero_watch(const struct zero_options *o);
/* One running VM, at once. Returns an exit code. */
int zero_now(const struct zero_options *o);
/* Starts argv (NULL-terminated) so that its VM has offset 0. Returns its exit code, or ours. */
int zero_launch(const struct zero_options *o, char **argv);

/* The VM of that name or pid; 0, or -errno after one message. vms must be freed in any case. */
must_check int zero_find(const char *which, struct vms *vms, const struct vm **ret);
/* Is this VM one of those asked for? */
bool zero_wanted(const struct zero_options *o, const struct vm *vm);
