/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events of a made-up world, as they happened and as records. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"

#define DATA_MAX 160

enum truth_kind {
	T_ENTRY,
	T_EXIT,
	T_OFFSET,
	T_MSR,
	T_USERSPACE,
	T_INJ,
	T_SWITCH,
	T_WAKING,
	T_IRQ,
	T_PRINT,
	T_VECTOR, /* in the guest, for an injection */
	T_WRMSR,  /* in the guest, for a kvm_msr */
	T_KINDS,
};

enum truth_flag {
	T_LOST = 1,	   /* happened, but is not in the file */
	T_CLAMPED = 2,	   /* the file's stamp is wrong: the ring buffer clamped it */
	T_INTERRUPTED = 8, /* the file's stamp is that of the event before; the next one is known */
	T_AMBIGUOUS = 4,   /* stamp and place in the lane fit an earlier epoch too */
};

struct truth_event {
	uint64_t ticks;	 /* host tick at which it happened */
	uint64_t lo, hi; /* all host ticks that the stamp may stand for */
	uint64_t stamp;	 /* in the machine's own clock */
	uint64_t
		window; /* kvm_entry, kvm_exit and the guest events between: the same number; or 0 */
	uint16_t machine, cpu;
	int8_t vm, vcpu; /* indices; guest events, and host events of a vCPU's thread; else -1 */
	uint8_t kind, flags;
	uint8_t size;
	uint8_t data[DATA_MAX];
};
struct truth_events ARRAY(struct truth_event);

struct truth_gap {
	size_t before; /* the event of the lane that follows */
	uint64_t lost; /* UINT64_MAX: not told in the file */
};
struct truth_gaps ARRAY(struct truth_gap);

struct truth_lane {
	struct truth_events events;
	struct truth_gaps gaps;
	uint64_t dropped; /* lost events, as the kernel counts them */
};

/* payload.c: fills e->data and e->size. a and b are what the kind's fields want. */
void payload_fill(struct truth_event *e, int pid, uint64_t a, uint64_t b);
/* Format text, as in events/SYSTEM/NAME/format. */
const char *payload_format(enum truth_kind k);
const char *payload_system(enum truth_kind k);
const char *payload_name(enum truth_kind k);
