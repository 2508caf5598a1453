/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CLOCK_MONOTONIC, for deadlines and for how long something took. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t mono_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline int64_t mono_ms(void)
{
	return (int64_t)(mono_ns() / 1000000);
}
