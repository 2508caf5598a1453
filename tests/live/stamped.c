// SPDX-License-Identifier: GPL-2.0-or-later
/* To preload into QEMU, whose log takes its stamps by gettimeofday(): each call is passed on, and then
 * stamped(BEFORE, AFTER) is called with the TSC just before and after, for a uprobe to record. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/time.h>
#include <x86intrin.h>

#include "stamped.h"

static int (*real_gettimeofday)(struct timeval *restrict tv, void *restrict tz);

__attribute__((noinline)) void stamped(uint64_t before, uint64_t after)
{
	__asm__ volatile("" ::"r"(before), "r"(after) : "memory");
}

uint64_t stamped_now(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	uint64_t before;
	int r;

	/* Constructors of other libraries may call it before any of ours. */
	if (!real_gettimeofday)
		*(void **)&real_gettimeofday = dlsym(RTLD_NEXT, "gettimeofday");
	if (!real_gettimeofday)
		abort();
	before = stamped_now();
	r = real_gettimeofday(tv, tz);
	stamped(before, stamped_now());
	return r;
}
