/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From kvm_write_tsc_offset events to the epochs of each vCPU. */
#pragma once

#include "timeline/crew.h"
#include "timeline/input.h"

/* One event: {vcpu_id, previous_tsc_offset, next_tsc_offset}, the same from 4.4 to 7.3. It is fired
 * before the offset is stored, by a thread of the VMM (kvm_vcpu_write_tsc_offset(),
 * arch/x86/kvm/x86.c); it does not name the VM. */
struct offset_write {
	uint64_t ticks;
	int pid;
	uint32_t vcpu;
	int64_t previous, next;
};

/* kvm_entry tells which vCPU a thread runs. */
struct offset_thread {
	int pid;
	uint32_t vcpu;
};

struct offset_scan {
	struct ARRAY(struct offset_write) writes;   /* by ticks */
	struct ARRAY(struct offset_thread) threads; /* the first entry of each */
	uint32_t *slots;			    /* while adding: index + 1 by pid */
};

/* Reads all lanes of a host's source; threads only when asked for. */
must_check int offset_scan(struct source *s, bool with_threads, struct crew *crew,
			   struct offset_scan *ret);
void offset_scan_free(struct offset_scan *scan);

/* What is known besides the writes of one vCPU. */
struct offset_known {
	bool has_start, has_end;
	int64_t start, end;
	uint64_t end_ticks; /* when end was read, UINT64_MAX unknown */
	uint64_t ratio;
	uint8_t frac;
};

/* Fills v->epochs from the writes to it by threads in m->tids, and what is known. 0; -ENODATA: nothing is known, epochs
 * stay empty; -EBADMSG: sources disagree (said, naming the vCPU), epochs follow the events. */
must_check int offset_epochs(const struct input_machine *m, struct input_vcpu *v,
			     const struct offset_scan *scan, const struct offset_known *known);
