/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads this machine's TSC and its clocks at the same moment; which APIC id each CPU has. x86 only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "session/session.h"

/* lfence; rdtsc; lfence: as ordered as the kernel's rdtsc_ordered(), which stamps x86-tsc. */
uint64_t clockpair_rdtsc(void);

/* The narrowest of several bracketed reads: each clock was read while the TSC went from tsc to
 * tsc + width_ticks. */
void clockpair_read(struct session_pair *ret);

/* kHz from two pairs (CLOCK_BOOTTIME), rounded; 0 when they are closer than a millisecond. */
uint64_t clockpair_khz(const struct session_pair *first, const struct session_pair *last);

struct cpu_apic {
	unsigned cpu;
	uint32_t apic_id;
};
struct cpu_apics ARRAY(struct cpu_apic);

/* For each online CPU its x2APIC id (CPUID leaf 0xB, else leaf 1), read on that CPU. CPUs that this
 * process may not run on are left out. 0 or -errno, silent. */
must_check int apic_ids_read(struct cpu_apics *ret);
