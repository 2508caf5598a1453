// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/clockpair.h"

#include <cpuid.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#define TRIES	 64
#define CPUS_MAX 4096

uint64_t clockpair_rdtsc(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void clockpair_read(struct session_pair *ret)
{
	struct session_pair best = {.width_ticks = UINT64_MAX}, p;

	for (int i = 0; i < TRIES; i++) {
		p.tsc = clockpair_rdtsc();
		p.realtime_ns = clock_ns(CLOCK_REALTIME);
		p.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
		p.boottime_ns = clock_ns(CLOCK_BOOTTIME);
		p.width_ticks = clockpair_rdtsc() - p.tsc;
		if (p.width_ticks < best.width_ticks)
			best = p;
	}
	*ret = best;
}

uint64_t clockpair_khz(const struct session_pair *first, const struct session_pair *last)
{
	int64_t ns = last->boottime_ns - first->boottime_ns;
	uint64_t ticks = last->tsc - first->tsc;

	if (ns < 1000000 || last->tsc < first->tsc)
		return 0;
	return (uint64_t)(((unsigned __int128)ticks * 1000000 + (uint64_t)ns / 2) / (uint64_t)ns);
}

static uint32_t apic_id_here(void)
{
	unsigned a, b, c, d;

	if (__get_cpuid_count(0xb, 0, &a, &b, &c, &d) && b)
		return d;
	return __get_cpuid(1, &a, &b, &c, &d) ? b >> 24 : UINT32_MAX;
}

static int read_on(unsigned cpu, size_t set_bytes, cpu_set_t *set, struct cpu_apics *ret)
{
	struct cpu_apic *e;

	CPU_ZERO_S(set_bytes, set);
	CPU_SET_S(cpu, set_bytes, set);
	if (sched_setaffinity(0, set_bytes, set))
		return errno == EINVAL ? 0 : -errno; /* offline, or not ours */
	e = array_add(ret);
	if (!e)
		return -ENOMEM;
	*e = (struct cpu_apic){cpu, apic_id_here()};
	return 0;
}

int apic_ids_read(struct cpu_apics *ret)
{
	size_t bytes = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *saved = CPU_ALLOC(CPUS_MAX), *one = CPU_ALLOC(CPUS_MAX);
	int r = saved && one ? 0 : -ENOMEM;

	if (!r && sched_getaffinity(0, bytes, saved))
		r = -errno;
	if (!r) {
		for (unsigned c = 0; !r && c < (unsigned)sysconf(_SC_NPROCESSORS_CONF); c++)
			r = c < CPUS_MAX ? read_on(c, bytes, one, ret) : 0;
		if (sched_setaffinity(0, bytes, saved) && !r)
			r = -errno;
	}
	CPU_FREE(saved);
	CPU_FREE(one);
	return r;
}
