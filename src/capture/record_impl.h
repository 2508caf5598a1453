/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A recording under way. Private to record*.c. */
#pragma once

#include "capture/guest.h"
#include "capture/hostrec.h"
#include "capture/qemutrace.h"
#include "capture/record.h"
#include "capture/record_child.h"
#include "capture/uprobes.h"
#include "vm/vm.h"

/* A guest of the session. Its struct session_machine has the same index + 1. */
struct rec_guest {
	char *name;
	bool has_vm, gone;	 /* the VM was found; has ended since */
	struct vm vm;		 /* as last read */
	struct guest *link;	 /* agent, NULL: none could be addressed */
	struct qemutrace *trace; /* of QEMU itself, NULL: off */
	unsigned trace_tries;
	int64_t refresh_ms; /* when the VM is to be read again */
	unsigned refreshes;
};
struct rec_guests ARRAY(struct rec_guest);

struct rec_binary { /* of a VMM, that has its probes */
	dev_t dev;
	ino_t ino;
	unsigned missing; /* VMMPROBE_SET_*: wait for a process, whose structs tell names */
	bool has_log;	  /* its qemu_log is probed */
};
struct rec_binaries ARRAY(struct rec_binary);

struct record {
	const struct record_config *cfg;
	char *dir;
	int dirfd;
	char *tracefs;
	struct events events;
	struct session session;
	struct hostrec *host;
	struct uprobes *uprobes; /* NULL: none */
	struct rec_binaries probed;
	char *probe_filter; /* of the VMMs' probes, NULL none */
	struct rec_guests guests;
	const char **patterns; /* of the guests */
	size_t n_patterns;
	char **guest_probes; /* of userprobe_request() in the guests */
	size_t n_guest_probes;
	uint64_t buffer_bytes;
	struct record_child child;
	int signal_fd, notify_fd;
	int64_t begin_ms, end_ms;	   /* of the recording proper */
	uint64_t begin_cpu_us, end_cpu_us; /* our own CPU time then */
	int64_t pair_ms, pair_every_ms;	   /* next clock pair, and from then on */
	char *vm_listing;		   /* of debugfs/kvm at the last search */
	int64_t search_ms;		   /* next search for VMs */
	bool running, dirty, vm_seen;	   /* dirty: session.json is older than what is known */
	bool host_on;			   /* the host's instances run */
	bool asked_early;		   /* a signal came before the recording proper began */
	bool cut;			   /* a part of the session could not be finished */
};

uint64_t record_cpu_us(void);

/* record_vms.c: VMs and guests */
/* Finds VMs, reads those that are known again when it is time, starts their agents' links. */
must_check int record_vms_tick(struct record *r);
/* Last reading of all offsets and threads. */
void record_vms_end(struct record *r);
/* Guests named by --guest that are no VM (yet). */
must_check int record_guests_begin(struct record *r);
/* Have all agents that answer begun to record? */
bool record_guests_settled(struct record *r);
/* Stops all agents and waits for their data. */
void record_guests_end(struct record *r);

/* Is it one of those asked for? */
bool record_is_wanted(const struct record *r, const struct vm *vm);

/* record_probes.c: uprobes */
/* Those asked for and those of the VMMs that run. One message on failure. */
must_check int record_probes_begin(struct record *r);
/* A VM was found (NULL: vCPUs were): probes its binary when that is new, restricts the probes. */
must_check int record_probes_vm(struct record *r, const struct vm *vm);
/* Calls of its function qemu_log. One message on failure. */
must_check int record_probes_log(struct record *r, const struct vm *vm);
/* Deletes them; the host's instances must be gone. */
int record_probes_end(struct record *r);
/* guest_probes from the configuration. One message on failure. */
must_check int record_guestprobes(struct record *r);
void record_guestprobes_free(struct record *r);
/* --usdt (record_usdt.c). One message on failure. */
must_check int record_usdt(struct record *r, const char *text);

/* record_qemutrace.c: --qemu-trace */
/* Switches them on for a VM, when that is asked for and was not done. Only -ENOMEM ends a recording. */
must_check int record_qemutrace_vm(struct record *r, struct rec_guest *g);
/* All off again; while the host's instances are still there. Idempotent. */
int record_qemutrace_end(struct record *r);
/* Will the command be without a monitor? */
void record_qemutrace_hint(const struct record *r);

/* record_session.c: what is written down */
must_check int record_session_begin(struct record *r);
/* A clock pair when it is time; thinned out so that there are never more than about a thousand. */
must_check int record_session_pair(struct record *r, bool now);
/* session.json as known now. */
must_check int record_session_save(struct record *r);
/* Copies VMs, vCPUs and what the agents said into the session. */
must_check int record_session_update(struct record *r);
/* Joins all files; complete when that worked. */
must_check int record_session_finish(struct record *r);
struct datfile_links record_links(const struct record *r);
