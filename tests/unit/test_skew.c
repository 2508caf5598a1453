// SPDX-License-Identifier: GPL-2.0-or-later
/* Bounds of TSC differences: made-up CPUs whose true differences are known; and the CPUs here. */
#include "test.h"

#include <sched.h>
#include <stdlib.h>

#include "vm/skewprobe.h"

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t rnd(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

/* n exchanges of CPUs whose TSC is t + tsc[x] at instant t, each way taking least + chance ticks. */
static struct skew exchange(const int64_t *tsc, size_t i, size_t j, unsigned n, uint64_t least)
{
	struct skew s = SKEW_UNKNOWN;
	uint64_t t = rnd(UINT64_MAX); /* anywhere, wraps included */

	for (unsigned k = 0; k < n; k++) {
		uint64_t a0 = t + (uint64_t)tsc[i], b, a1;

		t += least + rnd(500);
		b = t + (uint64_t)tsc[j];
		t += least + rnd(500);
		a1 = t + (uint64_t)tsc[i];
		skew_add(&s, a0, b, a1);
	}
	return s;
}

static void one_pair(void **state)
{
	struct skew s = SKEW_UNKNOWN;

	assert_true(skew_holds_zero(&s));
	assert_true(skew_is_constant(&s));
	skew_add(&s, 1000, 1100, 1300); /* there within 100, back within 200 */
	assert_int_equal(s.lo, -200);
	assert_int_equal(s.hi, 100);
	skew_add(&s, 2000, 2150, 2160); /* the way back was short this time */
	assert_int_equal(s.lo, -10);
	assert_int_equal(s.hi, 100);
	assert_int_equal(s.n, 2);
	assert_true(skew_holds_zero(&s));
	/* answered before it was asked: B is ahead of A by 5 to 15 */
	s = SKEW_UNKNOWN;
	skew_add(&s, UINT64_MAX - 4, 10, 5);
	assert_int_equal(s.lo, 5);
	assert_int_equal(s.hi, 15);
	assert_false(skew_holds_zero(&s));
	/* and now it is behind: no constant difference */
	skew_add(&s, 100, 90, 101);
	assert_false(skew_is_constant(&s));
	/* unless stamps may be wrong */
	skew_widen(&s, 8);
	assert_true(skew_is_constant(&s));
	assert_false(skew_holds_zero(&s)); /* -3 to -2 */
	skew_widen(&s, 2);
	assert_true(skew_holds_zero(&s));
	s = (struct skew){INT64_MIN + 1, INT64_MAX - 1, 1};
	skew_widen(&s, UINT64_MAX);
	assert_true(s.lo == INT64_MIN && s.hi == INT64_MAX);
}

static void holds_the_truth(void **state)
{
	enum { N = 6 };
	for (int round = 0; round < 300; round++) {
		uint64_t least = rnd(100), range = 1 + rnd(round % 2 ? 2000 : 1000000000);
		struct skew_matrix m;
		struct skew_summary sum;
		int64_t tsc[N];

		assert_int_equal(skew_matrix_new(N, &m), 0);
		for (int i = 0; i < N; i++)
			tsc[i] = (int64_t)rnd(range) - (int64_t)range / 2;
		/* those with the first CPU only, or all */
		for (size_t i = 0; i < (round % 3 ? 1 : N); i++)
			for (size_t j = i + 1; j < N; j++) {
				struct skew s = exchange(tsc, i, j, 1 + (unsigned)rnd(50), least);

				skew_matrix_add(&m, i, j, &s);
			}
		assert_true(skew_matrix_close(&m));
		for (size_t i = 0; i < N; i++)
			for (size_t j = 0; j < N; j++) {
				struct skew s = skew_matrix_get(&m, i, j);

				assert_true(s.n);
				assert_true(s.lo <= tsc[j] - tsc[i] && tsc[j] - tsc[i] <= s.hi);
			}
		skew_matrix_sum(&m, &sum);
		assert_int_equal(sum.known, N * (N - 1) / 2);
		for (size_t i = 0; i < N; i++)
			for (size_t j = 0; j < N; j++)
				assert_true((uint64_t)llabs(tsc[j] - tsc[i]) <= sum.at_most);
		if (sum.differs)
			assert_true((uint64_t)llabs(tsc[sum.differs_j] - tsc[sum.differs_i]) >=
				    sum.differs);
		skew_matrix_free(&m);
	}
}

static void finds_the_odd_cpu(void **state)
{
	const int64_t tsc[] = {0, 3, -2, 100000, 1};
	struct skew_summary sum;
	struct skew_matrix m;

	assert_int_equal(skew_matrix_new(5, &m), 0);
	for (size_t j = 1; j < 5; j++) {
		struct skew s = exchange(tsc, 0, j, 100, 50);

		skew_matrix_add(&m, 0, j, &s);
	}
	assert_true(skew_matrix_close(&m));
	skew_matrix_sum(&m, &sum);
	assert_true(sum.differs > 90000 && sum.differs <= 100002);
	assert_true(sum.differs_i == 3 || sum.differs_j == 3);
	skew_matrix_free(&m);
}

/* Where all were measured against one, going by way of it is as good as the long way. */
static void by_the_first(void **state)
{
	enum { N = 40 };
	struct skew_matrix a, b;
	int64_t tsc[N];

	assert_int_equal(skew_matrix_new(N, &a), 0);
	assert_int_equal(skew_matrix_new(N, &b), 0);
	for (size_t i = 0; i < N; i++)
		tsc[i] = (int64_t)rnd(100000);
	for (size_t j = 1; j < N; j++) {
		struct skew s = exchange(tsc, 0, j, 20, 50);

		skew_matrix_add(&a, 0, j, &s);
		skew_matrix_add(&b, 0, j, &s);
	}
	assert_true(skew_matrix_close(&a));
	assert_true(skew_matrix_close_by(&b, 0));
	assert_memory_equal(a.upper, b.upper, N * N * sizeof(*a.upper));
	skew_matrix_free(&a);
	skew_matrix_free(&b);
}

static void contradictions_and_gaps(void **state)
{
	struct skew_summary sum;
	struct skew_matrix m;
	struct skew s;

	assert_int_equal(skew_matrix_new(3, &m), 0);
	s = (struct skew){-10, 10, 1};
	skew_matrix_add(&m, 0, 1, &s);
	assert_true(skew_matrix_close(&m));
	skew_matrix_sum(&m, &sum); /* CPU 2 could not be had */
	assert_int_equal(sum.pairs, 3);
	assert_int_equal(sum.known, 1);
	assert_int_equal(sum.at_most, 10);
	assert_int_equal(skew_matrix_get(&m, 0, 2).n, 0);
	skew_matrix_add(&m, 1, 2, &s);
	s = (struct skew){21, 30, 1}; /* but by way of 1 it is at most 20 */
	skew_matrix_add(&m, 0, 2, &s);
	assert_false(skew_matrix_close(&m));
	skew_matrix_free(&m);
	/* extreme bounds do not overflow */
	assert_int_equal(skew_matrix_new(3, &m), 0);
	s = (struct skew){INT64_MIN, INT64_MAX - 1, 1};
	skew_matrix_add(&m, 0, 1, &s);
	skew_matrix_add(&m, 1, 2, &s);
	assert_true(skew_matrix_close(&m));
	skew_matrix_free(&m);
	assert_int_not_equal(skew_matrix_new(0, &m), 0);
}

static void this_machine(void **state)
{
	const struct skewprobe_spec spec = {.all_pairs = true, .budget_ns = 2000000000};
	_cleanup_skewprobe_ struct skewprobe p = {0};
	struct skew_summary sum;
	cpu_set_t before, after;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(skewprobe_run(&spec, &p), 0);
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
	assert_int_equal(p.n, CPU_COUNT(&before));
	if (p.n < 2)
		return;
	assert_true(p.measured >= 1 && p.exchanges >= p.measured);
	skew_matrix_sum(&p.matrix, &sum);
	assert_true(sum.known >= p.measured);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_pair),
		cmocka_unit_test(holds_the_truth),
		cmocka_unit_test(finds_the_odd_cpu),
		cmocka_unit_test(by_the_first),
		cmocka_unit_test(contradictions_and_gaps),
		cmocka_unit_test(this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
