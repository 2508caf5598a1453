// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>

#include "clock/conv.h"

typedef unsigned __int128 u128;

static uint64_t seed = 1;

static uint64_t rnd(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void choice(void **state)
{
	static const uint64_t khz[] = {1,	32,	 14318,	  99999,   999999,  1000000,
				       1000001, 2112000, 2893299, 3000000, 5800000, 8000000};
	struct tick_conv c;

	for (size_t i = 0; i < ARRAY_SIZE(khz); i++) {
		uint64_t hz = khz[i] * 1000, back;

		assert_int_equal(conv_from_khz(khz[i], &c), 0);
		assert_true(c.shift <= 32 && c.mult);
		/* one second of ticks shows as one second to 1 ns below 8 GHz */
		assert_in_range(conv_to_ns(&c, hz), 1000000000 - 1, 1000000000 + 1);
		back = conv_hz(&c);
		assert_true(back > hz ? back - hz <= hz / c.mult + 1
				      : hz - back <= hz / c.mult + 1);
	}
	assert_int_equal(conv_from_khz(3000000, &c), 0);
	assert_int_equal(c.shift, 32);
	assert_int_equal(c.mult, 1431655765); /* 2^32 / 3, rounded */
	assert_int_equal(conv_from_khz(0, &c), -EINVAL);
	assert_int_equal(conv_from_khz(UINT64_MAX, &c), -EINVAL);
	assert_int_equal(conv_from_hz(1, &c), 0);
	assert_int_equal(conv_hz(&(struct tick_conv){0, 5}), 0);
}

/* Beyond 64 bits in the product, where trace-cmd's 64-bit arithmetic wraps. */
static void whole_range(void **state)
{
	struct tick_conv c = {1431655765, 32}, big = {UINT32_MAX, 0}, one = {1u << 31, 31};

	assert_true(conv_to_ns(&c, UINT64_MAX) ==
		    (uint64_t)(((u128)UINT64_MAX * 1431655765) >> 32));
	assert_true(conv_to_ns(&c, UINT64_MAX) > UINT64_MAX / 4);
	assert_true(conv_to_ns(&big, UINT64_MAX) == UINT64_MAX);
	assert_true(conv_to_ns(&big, 2) == 2 * (uint64_t)UINT32_MAX);
	assert_true(conv_to_ns(&one, UINT64_MAX) == UINT64_MAX);
	assert_true(conv_from_ns(&one, UINT64_MAX).lo == UINT64_MAX);
}

static void round_trips(void **state)
{
	for (int i = 0; i < 300000; i++) {
		struct tick_conv c;
		uint64_t t = rnd() >> (rnd() % 64), ns;
		struct tsc_range r;

		assert_int_equal(conv_from_hz(1000 + rnd() % 9000000000, &c), 0);
		ns = conv_to_ns(&c, t);
		if (ns == UINT64_MAX)
			continue;
		r = conv_from_ns(&c, ns);
		assert_true(r.lo <= t && t <= r.hi);
		assert_true(conv_to_ns(&c, r.lo) == ns && conv_to_ns(&c, r.hi) == ns);
		if (r.lo)
			assert_true(conv_to_ns(&c, r.lo - 1) != ns);
		if (r.hi != UINT64_MAX)
			assert_true(conv_to_ns(&c, r.hi + 1) != ns);
	}
}

static void between_ticks(void **state)
{
	struct tick_conv c; /* 1 MHz: a tick is 1000 ns */
	struct tsc_range r;

	assert_int_equal(conv_from_khz(1000, &c), 0);
	r = conv_from_ns(&c, 1500);
	assert_true(r.lo == 1 && r.hi == 2);
	r = conv_from_ns(&c, 2000);
	assert_true(r.lo == 2 && r.hi == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choice),
		cmocka_unit_test(whole_range),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(between_ticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
