/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recovers unknown TSC offsets from the entry/exit windows alone: all offsets that put every guest
 * event of a vCPU where the vCPU may have run. What comes out is an interval; its width is the bound.
 * The ratio must be known (1 when nothing says otherwise). */
#pragma once

#include "timeline/input.h"

struct solve_epoch {
	uint64_t from_ticks; /* host ticks; 0: the first */
	uint64_t events;     /* that had a say */
	int64_t offset;	     /* KVM's: guest = scaled host + offset; the middle of [lo, hi] */
	int64_t lo, hi;
	uint64_t others; /* further intervals that fit as well: then the answer is not unique */
};

struct solve_vcpu {
	uint16_t machine;
	const struct input_vcpu *vcpu;
	struct solve_epoch *epochs;
	size_t n_epochs; /* 0: no answer */
	bool shared;   /* one offset fits all vCPUs of the machine: each of them has this answer */
	uint64_t seen; /* events, when there is one answer; if shared, of all vCPUs */
	uint64_t inside; /* events between the vCPU's first and last host event: those that count */
	const char *why_not;
};

struct solve {
	struct ARRAY(struct solve_vcpu) vcpus;
};

/* Of all guests with known vCPU threads. Offsets in the input are not looked at. One message on
 * failure. */
must_check int solve_offsets(struct input *in, struct solve *ret);
/* Puts the answers in place of the epochs of the input. */
must_check int solve_apply(const struct solve *s, struct input *in);
void solve_free(struct solve *s);
#define _cleanup_solve_ _cleanup_(solve_free)
