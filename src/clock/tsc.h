/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tick arithmetic between a guest's TSC and the host's. Pure: no I/O, no logging, no floats. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What KVM applies to one vCPU: guest = ((host * ratio) >> frac) + offset, modulo 2^64
 * (kvm_scale_tsc() and l1_tsc_offset, arch/x86/kvm/x86.c, 6.1). frac 0 means "no scaling":
 * ratio is then ignored. SVM uses frac 32, VMX 48. */
struct tsc_map {
	int64_t offset;
	uint64_t ratio;
	uint8_t frac;
};

#define TSC_MAP_IDENTITY ((struct tsc_map){0, 1, 0})

/* An interval of host ticks, both ends included. */
struct tsc_range {
	uint64_t lo, hi;
};

/* False for what KVM cannot have: ratio 0, frac over 63. The functions below want a valid map. */
bool tsc_map_is_valid(const struct tsc_map *m);

/* True when ratio is 1: the inverse is then exact, one tick wide. */
bool tsc_map_is_unscaled(const struct tsc_map *m);

uint64_t tsc_forward(const struct tsc_map *m, uint64_t host_ticks);

/* All host ticks h with forward(h) == guest_ticks, computed in 128 bits. near_ticks picks the
 * solution when wraps of the scaled product allow several: the one closest to it; it must be closer
 * to the truth than half a wrap, 2^63 guest ticks. Returns false and the enclosing pair of ticks
 * when no host tick near it maps to guest_ticks: at ratio > 1 lo + 1 == hi with forward(lo) before
 * and forward(hi) after; 0, 0 or UINT64_MAX, UINT64_MAX when guest_ticks is out of reach.
 * At ratio 1 always true, lo == hi. */
bool tsc_inverse(const struct tsc_map *m, uint64_t guest_ticks, uint64_t near_ticks,
		 struct tsc_range *ret);
