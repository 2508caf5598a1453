// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <stdlib.h>

#include "clock/tsc.h"

typedef unsigned __int128 u128;

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t rnd(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* Random numbers with many leading zeros, many ones, or near a power of two. */
static uint64_t rnd_edgy(void)
{
	uint64_t r = rnd();

	switch (rnd() % 6) {
	case 0:
		return r >> (rnd() % 64);
	case 1:
		return ~(r >> (rnd() % 64));
	case 2:
		return (UINT64_C(1) << (rnd() % 64)) + rnd() % 5 - 2;
	case 3:
		return rnd() % 4 - 2;
	default:
		return r;
	}
}

static struct tsc_map rnd_map(void)
{
	static const uint8_t fracs[] = {32, 48, 32, 48, 1, 63, 20};
	struct tsc_map m = {.offset = (int64_t)rnd_edgy(), .frac = fracs[rnd() % 7]};
	uint64_t one = UINT64_C(1) << m.frac;

	switch (rnd() % 8) {
	case 0:
		m.ratio = one;
		break;
	case 1: /* slightly off, as crystals differ */
		m.ratio = one + rnd() % 2000 - 1000;
		break;
	case 2:
		m.ratio = one << (rnd() % 3);
		break;
	case 3:
		m.ratio = one >> (rnd() % 3);
		break;
	case 4:
		m.ratio = rnd_edgy();
		break;
	case 5:
		return TSC_MAP_IDENTITY;
	default: /* 1/4 .. 4 */
		m.ratio = (uint64_t)(((u128)one * (rnd() % 4000 + 250)) / 1000);
		break;
	}
	if (!m.ratio)
		m.ratio = 1;
	return m;
}

/* Every host tick near near_ticks that maps to forward(h) is inside, and nothing else is. */
static void check_round_trip(const struct tsc_map *m, uint64_t h, uint64_t near_ticks)
{
	uint64_t x = tsc_forward(m, h);
	struct tsc_range r;

	assert_true(tsc_inverse(m, x, near_ticks, &r));
	assert_true(r.lo <= h && h <= r.hi);
	assert_true(tsc_forward(m, r.lo) == x);
	assert_true(tsc_forward(m, r.hi) == x);
	if (r.lo)
		assert_true(tsc_forward(m, r.lo - 1) != x);
	if (r.hi != UINT64_MAX)
		assert_true(tsc_forward(m, r.hi + 1) != x);
	if (tsc_map_is_unscaled(m))
		assert_true(r.lo == r.hi);
}

/* A tick less than half a wrap of the scaled product away from h. */
static uint64_t rnd_near(const struct tsc_map *m, uint64_t h)
{
	u128 half = tsc_map_is_unscaled(m) ? UINT64_MAX : ((u128)1 << (63 + m->frac)) / m->ratio;
	uint64_t reach, d;

	if (half < 4)
		return h;
	reach = half - 4 > UINT64_MAX ? UINT64_MAX : (uint64_t)(half - 4);
	d = reach ? rnd_edgy() % reach : 0;
	if (rnd() & 1)
		return d > h ? 0 : h - d;
	return d > UINT64_MAX - h ? UINT64_MAX : h + d;
}

/* Or as ONETSC_TSC_ROUNDS says. */
static uint64_t rounds(uint64_t n)
{
	const char *text = getenv("ONETSC_TSC_ROUNDS");

	return text ? strtoull(text, NULL, 10) : n;
}

static void round_trips(void **state)
{
	for (uint64_t i = rounds(10000000); i--;) {
		struct tsc_map m = rnd_map();
		uint64_t h = rnd_edgy();

		assert_true(tsc_map_is_valid(&m));
		check_round_trip(&m, h, rnd_near(&m, h));
	}
}

/* Any guest tick: either the interval maps to it exactly, or the pair encloses it. */
static void any_guest_tick(void **state)
{
	unsigned misses = 0;

	for (uint64_t i = rounds(1000000); i--;) {
		struct tsc_map m = rnd_map();
		uint64_t x = rnd_edgy(), near_ticks = rnd_edgy(), before, after;
		struct tsc_range r;

		if (tsc_inverse(&m, x, near_ticks, &r)) {
			assert_true(tsc_forward(&m, r.lo) == x && tsc_forward(&m, r.hi) == x);
			continue;
		}
		misses++;
		assert_false(tsc_map_is_unscaled(&m));
		if (r.lo == r.hi) {
			assert_true(!r.lo || r.lo == UINT64_MAX);
			continue;
		}
		assert_true(m.ratio > UINT64_C(1) << m.frac);
		assert_true(r.lo + 1 == r.hi);
		before = x - tsc_forward(&m, r.lo);
		after = tsc_forward(&m, r.hi) - x;
		assert_true(before && after);
		assert_true((u128)before + after <= (m.ratio >> m.frac) + 1);
	}
	assert_true(misses > 1000); /* or the branch above was not tested */
}

static void boundaries(void **state)
{
	static const uint64_t ticks[] = {0,
					 1,
					 2,
					 3,
					 (UINT64_C(1) << 63) - 1,
					 UINT64_C(1) << 63,
					 (UINT64_C(1) << 63) + 1,
					 UINT64_MAX - 1,
					 UINT64_MAX};
	static const int64_t offsets[] = {0, 1, -1, INT64_MIN, INT64_MAX, -5000000000000};
	static const uint8_t fracs[] = {32, 48};

	for (int f = 0; f < 2; f++) {
		uint64_t one = UINT64_C(1) << fracs[f];
		uint64_t ratios[] = {one,     one + 1, one - 1,	 one * 2, one / 2,    one * 2 + 1,
				     one / 3, one * 3, one + 77, 1,	  UINT64_MAX, one << 7};

		for (int r = 0; r < 12; r++)
			for (int o = 0; o < 6; o++)
				for (int t = 0; t < 9; t++) {
					struct tsc_map m = {offsets[o], ratios[r], fracs[f]};

					check_round_trip(&m, ticks[t], ticks[t]);
				}
	}
}

/* Figures worked out by hand. */
static void by_hand(void **state)
{
	struct tsc_map x2 = {-10, UINT64_C(2) << 32, 32}, half = {7, UINT64_C(1) << 47, 48};
	struct tsc_map id = {-5, 1, 0};
	struct tsc_range r;

	assert_true(tsc_forward(&x2, 100) == 190);
	assert_true(tsc_inverse(&x2, 190, 0, &r));
	assert_true(r.lo == 100 && r.hi == 100);
	/* the same guest tick comes again half a host counter later */
	assert_true(tsc_inverse(&x2, 190, UINT64_MAX, &r));
	assert_true(r.lo == 100 + (UINT64_C(1) << 63));
	assert_false(tsc_inverse(&x2, 191, 0, &r));
	assert_true(r.lo == 100 && r.hi == 101);

	assert_true(tsc_forward(&half, 100) == 57 && tsc_forward(&half, 101) == 57);
	assert_true(tsc_inverse(&half, 57, 0, &r));
	assert_true(r.lo == 100 && r.hi == 101);
	/* 2^63 + 7 and above is never reached at half speed */
	assert_false(tsc_inverse(&half, (UINT64_C(1) << 63) + 7, UINT64_MAX, &r));
	assert_true(r.lo == UINT64_MAX && r.hi == UINT64_MAX);
	assert_false(tsc_inverse(&half, 3, 0, &r));
	assert_true(r.lo == 0 && r.hi == 0);

	assert_true(tsc_forward(&id, 3) == UINT64_MAX - 1);
	assert_true(tsc_inverse(&id, UINT64_MAX - 1, 3, &r));
	assert_true(r.lo == 3 && r.hi == 3);
}

static void validity(void **state)
{
	assert_true(tsc_map_is_valid(&TSC_MAP_IDENTITY));
	assert_false(tsc_map_is_valid(&(struct tsc_map){0, 0, 32}));
	assert_false(tsc_map_is_valid(&(struct tsc_map){0, 1, 64}));
	assert_true(tsc_map_is_unscaled(&(struct tsc_map){0, UINT64_C(1) << 48, 48}));
	assert_false(tsc_map_is_unscaled(&(struct tsc_map){0, (UINT64_C(1) << 48) + 1, 48}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),     cmocka_unit_test(boundaries),
		cmocka_unit_test(round_trips), cmocka_unit_test(any_guest_tick),
		cmocka_unit_test(validity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
