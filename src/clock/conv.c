// SPDX-License-Identifier: GPL-2.0-or-later
/* Ticks to nanoseconds and back by multiply and shift. */
#include "clock/conv.h"

#include <errno.h>

#define NS_PER_S 1000000000

typedef unsigned __int128 u128;

int conv_from_hz(uint64_t hz, struct tick_conv *ret)
{
	if (!hz)
		return -EINVAL;
	for (uint32_t shift = 32;; shift--) {
		u128 mult = (((u128)NS_PER_S << shift) + hz / 2) / hz;

		if (mult && mult <= UINT32_MAX) {
			*ret = (struct tick_conv){(uint32_t)mult, shift};
			return 0;
		}
		if (!shift)
			return -EINVAL;
	}
}

int conv_from_khz(uint64_t khz, struct tick_conv *ret)
{
	return khz > UINT64_MAX / 1000 ? -EINVAL : conv_from_hz(khz * 1000, ret);
}

uint64_t conv_hz(const struct tick_conv *c)
{
	u128 hz;

	if (!c->mult)
		return 0;
	hz = (((u128)NS_PER_S << c->shift) + c->mult / 2) / c->mult;
	return hz > UINT64_MAX ? UINT64_MAX : (uint64_t)hz;
}

uint64_t conv_to_ns(const struct tick_conv *c, uint64_t ticks)
{
	u128 ns = ((u128)ticks * c->mult) >> c->shift;

	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

static uint64_t cut(u128 v)
{
	return v > UINT64_MAX ? UINT64_MAX : (uint64_t)v;
}

struct tsc_range conv_from_ns(const struct tick_conv *c, uint64_t ns)
{
	/* ticks * mult must lie in [ns << shift, (ns << shift) + 2^shift - 1] */
	u128 first = (u128)ns << c->shift;
	u128 last = first | (((u128)1 << c->shift) - 1);
	u128 lo = first / c->mult + (first % c->mult != 0);
	u128 hi = last / c->mult;

	if (lo > hi) /* then lo == hi + 1 */
		return (struct tsc_range){cut(hi), cut(lo)};
	return (struct tsc_range){cut(lo), cut(hi)};
}
