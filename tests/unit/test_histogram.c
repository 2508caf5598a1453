// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <stdlib.h>

#include "insight/histogram.h"

static void buckets(void **state)
{
	static const uint64_t values[] = {
		0, 31, 32, 33, 63, 64, 65, 1000000007, UINT64_C(1) << 63, UINT64_MAX};
	uint64_t lo, hi, end = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) { /* no gap, no overlap */
		histogram_bounds(i, &lo, &hi);
		assert_int_equal(lo, end);
		assert_true(hi >= lo && (hi - lo) <= lo / HISTOGRAM_SUB);
		assert_int_equal(histogram_bucket(lo), i);
		assert_int_equal(histogram_bucket(hi), i);
		end = hi + 1;
	}
	assert_int_equal(end, 0);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		histogram_bounds(histogram_bucket(values[i]), &lo, &hi);
		assert_true(values[i] >= lo && values[i] <= hi);
	}
}

static void exact(void **state)
{
	struct histogram h = {0};

	assert_int_equal(histogram_quantile(&h, 500), 0);
	for (uint64_t i = 1; i <= 100; i++)
		assert_int_equal(histogram_add(&h, (i * 37) % 101 * 1000003), 0);
	assert_true(histogram_is_exact(&h));
	assert_int_equal(histogram_quantile(&h, 500), 50 * 1000003);
	assert_int_equal(histogram_quantile(&h, 990), 99 * 1000003);
	assert_int_equal(histogram_quantile(&h, 1000), 100 * 1000003);
	assert_int_equal(histogram_quantile(&h, 0), 1000003);
	assert_int_equal(h.sum, UINT64_C(5050) * 1000003);
	assert_int_equal(h.min, 1000003);
	assert_int_equal(h.max, 100 * 1000003);
	histogram_free(&h);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Against a sorted array of the same values. */
static void many(void **state)
{
	enum { N = 20000 };
	static uint64_t all[N];
	struct histogram h = {0};
	uint64_t x = 1;

	for (int i = 0; i < N; i++) {
		x = x * 6364136223846793005 + 1442695040888963407;
		all[i] = x >> 20 >> (x & 31);
		assert_int_equal(histogram_add(&h, all[i]), 0);
	}
	assert_false(histogram_is_exact(&h));
	qsort(all, N, sizeof(*all), by_value);
	for (unsigned p = 1; p <= 1000; p++) {
		uint64_t want = all[(N * (uint64_t)p + 999) / 1000 - 1];
		uint64_t got = histogram_quantile(&h, p);
		uint64_t off = got > want ? got - want : want - got;

		assert_true(off <= want / 64);
	}
	assert_int_equal(histogram_quantile(&h, 1000), all[N - 1]);
	histogram_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets),
		cmocka_unit_test(exact),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
