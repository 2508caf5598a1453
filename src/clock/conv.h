/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ticks to nanoseconds and back by multiply and shift, exact over all 64 bits. Pure. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "clock/tsc.h"

/* ns = (ticks * mult) >> shift: what trace.dat's TSC2NSEC and perf's mmap page hold. */
struct tick_conv {
	uint32_t mult, shift;
};

/* The most precise pair for a frequency, shift at most 32 (trace-cmd's limit). The error is at most
 * 0.5 / mult of the time shown, under 1 ns/s up to 8 GHz. -EINVAL: 0, or more ns a tick than 32 bits
 * hold. */
must_check int conv_from_hz(uint64_t hz, struct tick_conv *ret);
must_check int conv_from_khz(uint64_t khz, struct tick_conv *ret);

/* The frequency that a pair stands for, rounded; 0 when mult is 0. */
uint64_t conv_hz(const struct tick_conv *c);

/* Rounded down; UINT64_MAX when it does not fit 64 bits. The product has 96 bits inside. shift must
 * be below 64. */
uint64_t conv_to_ns(const struct tick_conv *c, uint64_t ticks);

/* All ticks that are shown as ns. Where ns lies between two ticks (below 1 GHz) the pair around it:
 * lo + 1 == hi. Cut at UINT64_MAX. mult must not be 0. */
struct tsc_range conv_from_ns(const struct tick_conv *c, uint64_t ns);
