/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tick arithmetic between a guest's TSC and the host's. Pure: no I/O, no logging, no floats. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What KVM applies to one vCPU: guest = ((host * ratio) >> frac) + offset, modulo 2^64
 * (kvm_scale_tsc() and l1_tsc_offset, arch/x86/kvm/x86.c, 6.1). frac 0 means "no scaling". */
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

/* True when ratio is 1: the inverse is then exact, one tick wide. */
bool tsc_map_is_unscaled(const struct tsc_map *m);

uint64_t tsc_forward(const struct tsc_map *m, uint64_t host_ticks);

/* All host ticks h with forward(h) == guest_ticks, computed in 128 bits. near_ticks picks the
 * solution when wraps of the scaled product allow several: the one closest to it. Returns false and
 * the nearest enclosing pair of ticks when no host tick maps to guest_ticks (possible at ratio > 1).
 * At ratio 1 always true, lo == hi. */
bool tsc_inverse(const struct tsc_map *m, uint64_t guest_ticks, uint64_t near_ticks,
		 struct tsc_range *ret);
