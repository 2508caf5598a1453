/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The BPF side of zeroing: holds VMs that are new or were reset before their first KVM_RUN until
 * told what to do with them, and reports every TSC offset that KVM writes. See bpf/gate.bpf.c.
 *
 * Nothing is pinned: when this process ends, however it ends, the kernel removes the programs and
 * every VM runs on. Needs root (CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN for the module's BTF). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "vm/bpf/gate_shared.h"
#include "vm/judge.h"

struct gate;

struct gate_config {
	int64_t target;	      /* the wanted offset */
	uint64_t deadline_ns; /* a VM is held at most so long */
	bool ask;	      /* not every VM is wanted: events say `ask` until it is decided */
	bool observe_only;    /* no gate, only on_write */
	bool try_only;	      /* is proved to work, and then holds nothing */
	void (*on_event)(void *ctx, const struct gate_event *e);
	void (*on_write)(void *ctx, const struct gate_write *w);
	void *ctx;
};

/* What judge_gate() wants to know. Silent. */
void gate_read_host(struct judge_gate *ret);
/* Loads and attaches the programs, and proves on a throw-away VM of our own that they read the
 * right fields, can refuse KVM_RUN, and that offsets take effect. Then learns which VMs run already
 * (those are left alone until their next reset). From the return on VMs are held.
 * One clear sentence for each failure; nothing stays behind. */
must_check int gate_open(const struct gate_config *config, struct gate **ret);
/* From now on no further VM is held; those being held still are. */
void gate_drain(struct gate *g);
/* The programs are gone, all VMs run on; what was reported can still be read. */
void gate_detach(struct gate *g);
/* Detaches and frees. NULL is fine. */
void gate_close(struct gate *g);

/* Readable when there are events or writes. Each is consumed by one thread of the caller's. */
int gate_events_fd(const struct gate *g);
int gate_writes_fd(const struct gate *g);
/* Calls on_event or on_write for what is there. 0 or -errno. */
int gate_read_events(struct gate *g);
int gate_read_writes(struct gate *g);

/* Decision on the held VM that e named; safe from any thread. GATE_CLAIM gives extend_ns more from
 * now on. False: it is not held any more (deadline passed, or it ended). */
bool gate_decide(struct gate *g, const struct gate_event *e, enum gate_op op, uint64_t extend_ns);
/* Has a vCPU of the held VM that e named run since its TSC was written, although it is held? To be
 * asked when all of its threads stand still. */
must_check int gate_has_slipped(struct gate *g, const struct gate_event *e, bool *ret);
/* Thread that last tried to run that vCPU of a held VM; 0 unknown. */
pid_t gate_thread(struct gate *g, uint64_t kvm, unsigned vcpu);

/* Forgets VMs that have ended, when many new ones were seen since the last time. Cheap otherwise. */
int gate_sweep(struct gate *g);

struct gate_counts {
	unsigned vms;	      /* seen so far */
	unsigned remembered;  /* of these; others have been forgotten */
	uint64_t lost_events; /* repeated by the gate: harmless */
	uint64_t lost_writes; /* not reported by on_write */
	uint64_t unknown_vms; /* not held for want of room */
};
void gate_get_counts(const struct gate *g, struct gate_counts *ret);
