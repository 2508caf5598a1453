/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One recording from the first check to the finished session directory: host instance, guests,
 * clock pairs, VMs that come and go. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/journal.h"
#include "capture/preset.h"
#include "capture/vmmprobe.h"

struct record_guest { /* --guest NAME[=ADDR][,agent=KIND] */
	const char *name;
	const char *addr;  /* NULL: where the VM's vsock is */
	const char *agent; /* see guest_agent_find(); NULL: whichever answers */
};

struct record_config {
	const char *dir;	/* NULL: onetsc-YYYYmmdd-HHMMSS.onetsc here */
	const char *command;	/* for people: what was asked, one line */
	uint64_t duration_ns;	/* 0: until a signal or the end of argv's command */
	const char *const *vms; /* --vm; none: all */
	size_t n_vms;
	const struct preset *preset;
	const char *const *host_events, *const *guest_events; /* in addition to the preset */
	size_t n_host_events, n_guest_events;
	enum vmmprobe_level vmm;
	const char *const *uprobes, *const *usdt; /* --uprobe, --usdt */
	size_t n_uprobes, n_usdt;
	const char *const *guest_uprobes, *const *guest_usdt; /* the same in the guests */
	size_t n_guest_uprobes, n_guest_usdt;
	const char *const *qemu_trace, *const *qmp; /* --qemu-trace, one pattern each; --qmp */
	size_t n_qemu_trace, n_qmp;
	const struct record_guest *guests;
	size_t n_guests;
	uint64_t buffer_bytes;	    /* per CPU, host and guests; 0: chosen from the memory */
	uint64_t guest_limit_bytes; /* of each guest's file */
	const char *token;	    /* for agents that want one; NULL: none */
	char *const *argv;	    /* command to run meanwhile, NULL: none */
	struct journal *journal;
};

/* Records. 0 when the session is complete; *ret_status is then the command's exit status (128 + n
 * for signal n), 0 without a command. -errno after its message; a session that was begun is left
 * readable. */
must_check int record_run(const struct record_config *cfg, int *ret_status);
