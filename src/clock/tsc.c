// SPDX-License-Identifier: GPL-2.0-or-later
/* Forward map and interval inverse between host and guest TSC. */
#include "clock/tsc.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

bool tsc_map_is_valid(const struct tsc_map *m)
{
	return !m->frac || (m->ratio && m->frac < 64);
}

bool tsc_map_is_unscaled(const struct tsc_map *m)
{
	return !m->frac || m->ratio == UINT64_C(1) << m->frac;
}

/* The scaled product before it is cut to 64 bits. */
static u128 scale(const struct tsc_map *m, uint64_t host_ticks)
{
	return ((u128)host_ticks * m->ratio) >> m->frac;
}

uint64_t tsc_forward(const struct tsc_map *m, uint64_t host_ticks)
{
	uint64_t scaled = tsc_map_is_unscaled(m) ? host_ticks : (uint64_t)scale(m, host_ticks);

	return scaled + (uint64_t)m->offset;
}

/* Picks, of all scaled products that are low64 modulo 2^64 and that some host tick can reach, the
 * one closest to near. False when there is none; *ret_edge is then the reachable end next to it. */
static bool choose_product(const struct tsc_map *m, uint64_t low64, u128 near, u128 *ret,
			   uint64_t *ret_edge)
{
	const s128 wrap = (s128)1 << 64;
	/* frac >= 1, so products have at most 127 bits and fit a signed 128-bit number */
	s128 max = (s128)scale(m, UINT64_MAX);
	s128 s = (s128)near + (int64_t)(low64 - (uint64_t)near);

	if (s < 0) {
		*ret_edge = 0;
		s += wrap;
		if (s > max)
			return false;
	} else if (s > max) {
		*ret_edge = UINT64_MAX;
		s -= wrap;
		if (s < 0)
			return false;
	}
	*ret = (u128)s;
	return true;
}

bool tsc_inverse(const struct tsc_map *m, uint64_t guest_ticks, uint64_t near_ticks,
		 struct tsc_range *ret)
{
	uint64_t low64 = guest_ticks - (uint64_t)m->offset;
	uint64_t edge;
	u128 s, first, last, lo, hi;

	if (tsc_map_is_unscaled(m)) {
		*ret = (struct tsc_range){low64, low64};
		return true;
	}
	if (!choose_product(m, low64, scale(m, near_ticks), &s, &edge)) {
		*ret = (struct tsc_range){edge, edge};
		return false;
	}
	/* h * ratio must lie in [s << frac, (s << frac) + 2^frac - 1] */
	first = s << m->frac;
	last = first | (((u128)1 << m->frac) - 1);
	lo = first / m->ratio + (first % m->ratio != 0);
	hi = last / m->ratio;
	if (lo > hi) {
		/* lo == hi + 1; s is at most the largest product, so hi + 1 is a host tick */
		*ret = (struct tsc_range){(uint64_t)hi, (uint64_t)lo};
		return false;
	}
	*ret = (struct tsc_range){(uint64_t)lo, hi > UINT64_MAX ? UINT64_MAX : (uint64_t)hi};
	return true;
}
