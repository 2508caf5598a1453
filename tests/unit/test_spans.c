// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include "insight/spans.h"

static uint64_t seed = 11;

static uint64_t rnd(uint64_t n)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (z ^ (z >> 31)) % n;
}

static void add(struct spans *s, int64_t lo, int64_t hi)
{
	assert_int_equal(spans_add(s, lo, hi), 0);
}

static void by_hand(void **state)
{
	_cleanup_spans_ struct spans s = {0}, w = {0}, tmp = {0};

	add(&s, 0, 100);
	add(&w, 10, 20);
	add(&w, 21, 30); /* touches */
	add(&w, 50, 60);
	assert_int_equal(w.n, 2);
	/* an event at 5 must come to lie in w: shifts 5..25 and 45..55 */
	assert_int_equal(spans_keep(&s, &w, 5, 5, &tmp), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.v[0].lo, 5);
	assert_int_equal(s.v[0].hi, 25);
	assert_int_equal(s.v[1].lo, 45);
	assert_int_equal(s.v[1].hi, 55);
	/* somewhere in 0..2: shift 55 still reaches 57 */
	assert_int_equal(spans_keep(&s, &w, 0, 2, &tmp), 0);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.v[0].lo, 8);
	assert_int_equal(s.v[0].hi, 25);
	assert_int_equal(s.v[1].lo, 48);
	assert_true(spans_has(&s, 25) && !spans_has(&s, 26) && spans_has(&s, 48));
	assert_false(spans_has(&s, 7) || spans_has(&s, 56));
}

#define RANGE 400

static void random_sets(void **state)
{
	for (int n = 0; n < 3000; n++) {
		_cleanup_spans_ struct spans s = {0}, w = {0}, tmp = {0};
		bool in[RANGE], win[RANGE] = {0};

		for (int64_t at = -(int64_t)rnd(50); at < RANGE; at += 2 + (int64_t)rnd(30)) {
			int64_t hi = at + (int64_t)rnd(20);

			add(&w, at, hi);
			for (int64_t i = at; i <= hi; i++)
				if (i >= 0 && i < RANGE)
					win[i] = true;
			at = hi;
		}
		add(&s, 100, 250);
		for (int i = 0; i < RANGE; i++)
			in[i] = i >= 100 && i <= 250;
		for (int k = 0; k < 6; k++) {
			int64_t lo = (int64_t)rnd(140) - 90, hi = lo + (int64_t)rnd(3);

			assert_int_equal(spans_keep(&s, &w, lo, hi, &tmp), 0);
			for (int64_t i = 100; i <= 250; i++) {
				bool hit = false;

				for (int64_t x = lo; x <= hi; x++)
					hit |= win[i + x];
				in[i] &= hit;
			}
			for (int64_t i = 0; i < RANGE; i++)
				assert_int_equal(spans_has(&s, i), in[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_hand),
		cmocka_unit_test(random_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
