// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>

#include "clock/epoch.h"

static uint64_t seed = 7;

static uint64_t rnd(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void add(struct tsc_epochs *e, uint64_t from, int64_t offset)
{
	assert_int_equal(epochs_add(e, from, &(struct tsc_map){offset, 1, 0}), 0);
}

static void lookup(void **state)
{
	_cleanup_epochs_ struct tsc_epochs e = {0};

	add(&e, 1000, -5);
	assert_int_equal(epochs_at(&e, 0), 0);
	assert_int_equal(epochs_at(&e, UINT64_MAX), 0);
	add(&e, 3000, -7);
	add(&e, 2000, -6); /* late news goes to its place */
	assert_int_equal(e.n, 3);
	assert_int_equal(epochs_at(&e, 1999), 0);
	assert_int_equal(epochs_at(&e, 2000), 1);
	assert_int_equal(epochs_at(&e, 2999), 1);
	assert_int_equal(epochs_at(&e, 3000), 2);
	assert_true(epochs_forward(&e, 2500) == 2494);
	assert_true(epochs_span(&e, 0).lo == 0 && epochs_span(&e, 0).hi == 1999);
	assert_true(epochs_span(&e, 2).lo == 3000 && epochs_span(&e, 2).hi == UINT64_MAX);
	add(&e, 2000, -60);
	assert_int_equal(e.n, 3);
	assert_true(e.v[1].map.offset == -60);
	assert_int_equal(epochs_add(&e, 1, &(struct tsc_map){0, 0, 48}), -EINVAL);
}

static void squeeze(void **state)
{
	_cleanup_epochs_ struct tsc_epochs e = {0};
	struct tsc_map one = {-5, UINT64_C(1) << 32, 32}, scaled = {-5, UINT64_C(3) << 31, 32};

	add(&e, 0, -5);
	assert_int_equal(epochs_add(&e, 10, &one), 0); /* ratio 1 in another notation */
	assert_int_equal(epochs_add(&e, 20, &scaled), 0);
	assert_int_equal(epochs_add(&e, 30, &scaled), 0);
	add(&e, 40, -5);
	epochs_squeeze(&e);
	assert_int_equal(e.n, 3);
	assert_true(e.v[1].from_ticks == 20 && e.v[2].from_ticks == 40);
}

static void forward_step(void **state)
{
	_cleanup_epochs_ struct tsc_epochs e = {0};
	struct tsc_range r;
	bool amb;

	add(&e, 0, 0);
	add(&e, 1000, 500);
	/* guest ticks 1000..1499 never happen */
	assert_int_equal(epochs_inverse(&e, 0, 999, 0, 0, &r, &amb), 0);
	assert_true(r.lo == 999 && r.hi == 999 && !amb);
	assert_true(epochs_inverse(&e, 0, 1200, 0, 0, &r, &amb) == SIZE_MAX);
	assert_int_equal(epochs_inverse(&e, 0, 1500, 0, 0, &r, &amb), 1);
	assert_true(r.lo == 1000 && !amb);
}

static void backward_step(void **state)
{
	_cleanup_epochs_ struct tsc_epochs e = {0};
	struct tsc_range r;
	bool amb;

	add(&e, 0, 0);
	add(&e, 1000, -300);
	/* 800 comes twice, at 800 and at 1100: what was seen before decides */
	assert_int_equal(epochs_inverse(&e, 0, 800, 0, 0, &r, &amb), 0);
	assert_true(amb && r.lo == 800);
	assert_int_equal(epochs_inverse(&e, 0, 800, 801, 0, &r, &amb), 1);
	assert_true(!amb && r.lo == 1100);
	assert_int_equal(epochs_inverse(&e, 1, 800, 0, 0, &r, &amb), 1);
	assert_true(!amb);
	assert_int_equal(epochs_inverse(&e, 0, 600, 0, 0, &r, &amb), 0);
	assert_true(!amb && r.lo == 600);
}

/* Random lists, random ratios: every tick's guest stamp leads back to an interval around it. */
static void round_trips(void **state)
{
	for (int n = 0; n < 20000; n++) {
		_cleanup_epochs_ struct tsc_epochs e = {0};
		uint64_t base = rnd() >> (rnd() % 24), t = base;
		size_t first;

		for (int i = 0; i < 5; i++) {
			struct tsc_map m = {(int64_t)rnd(), 1, 0};

			if (rnd() & 1)
				m = (struct tsc_map){m.offset, (UINT64_C(1) << 31) + (rnd() >> 31),
						     32};
			assert_int_equal(epochs_add(&e, t, &m), 0);
			t += 1 + rnd() % 1000000;
			if (t < base)
				break;
		}
		for (int i = 0; i < 20; i++) {
			uint64_t h = base + rnd() % 5000000;
			struct tsc_range r;
			bool amb;

			if (h < base)
				continue;
			first = epochs_at(&e, h);
			assert_int_equal(
				epochs_inverse(&e, first, epochs_forward(&e, h), 0, base, &r, &amb),
				first);
			assert_true(r.lo <= h && h <= r.hi);
			assert_true(epochs_inverse(&e, 0, epochs_forward(&e, h), h, base, &r,
						   &amb) <= first);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookup),	cmocka_unit_test(squeeze),
		cmocka_unit_test(forward_step), cmocka_unit_test(backward_step),
		cmocka_unit_test(round_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
