// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>

#include "clock/fit.h"

typedef unsigned __int128 u128;

static uint64_t seed = 3;

static uint64_t rnd(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

#define N  12
#define HZ UINT64_C(2893299417)

static int64_t true_ns(uint64_t ticks, uint64_t origin)
{
	return (int64_t)((u128)(ticks - origin) * 1000000000 / HZ) + 1700000000000000000;
}

/* A reading each few seconds, somewhere inside a bracket of random width. */
static void make_pairs(struct fit_pair *p, uint64_t origin)
{
	uint64_t t = origin;

	for (int i = 0; i < N; i++) {
		t += HZ + rnd() % HZ;
		p[i].ticks = t;
		p[i].width_ticks = 40 + rnd() % 3000;
		p[i].ns = true_ns(t + rnd() % (p[i].width_ticks + 1), origin);
	}
}

/* fit_to_ticks(), and that a lookup answers the same. */
static struct tsc_range to_ticks(const struct fit_pair *p, size_t n, const struct fit_freq *f,
				 const struct fit_lookup *l, int64_t lo_ns, int64_t hi_ns)
{
	struct tsc_range a = fit_to_ticks(p, n, f, lo_ns, hi_ns);
	struct tsc_range b = fit_lookup_ticks(l, lo_ns, hi_ns);

	assert_true(a.lo == b.lo && a.hi == b.hi);
	return a;
}

static void frequency(void **state)
{
	for (int i = 0; i < 2000; i++) {
		struct fit_pair p[N];
		struct fit_freq f;

		make_pairs(p, rnd() >> (2 + rnd() % 40));
		assert_int_equal(fit_freq(p, N, &f), 0);
		assert_true(f.lo_hz <= HZ && HZ <= f.hi_hz);
		assert_true(f.lo_hz <= f.hz && f.hz <= f.hi_hz);
		assert_true(f.hi_hz - f.lo_hz < 2000); /* 6000 ticks in more than 6 s */
	}
}

static void unusable(void **state)
{
	struct fit_pair p[3] = {{1000, 10, 0}, {3000, 10, 1000}, {2000, 10, 2000}};
	struct fit_freq f;

	assert_int_equal(fit_freq(p, 1, &f), -EINVAL);
	assert_int_equal(fit_freq(p, 3, &f), -EINVAL);
	assert_int_equal(fit_freq(p, 2, &f), 0);
	assert_int_equal(f.hz, 2000000000);
	p[1].ns = 0;
	assert_int_equal(fit_freq(p, 2, &f), -EINVAL);
	p[1] = (struct fit_pair){1005, 10, 1000}; /* brackets overlap */
	assert_int_equal(fit_freq(p, 2, &f), -EINVAL);
}

static void both_ways(void **state)
{
	for (int i = 0; i < 3000; i++) {
		uint64_t origin = rnd() >> (2 + rnd() % 40);
		struct fit_lookup *l;
		struct fit_pair p[N];
		struct fit_freq f;

		make_pairs(p, origin);
		assert_int_equal(fit_freq(p, N, &f), 0);
		assert_int_equal(fit_lookup_new(p, N, &f, &l), 0);
		for (int k = 0; k < 50; k++) {
			uint64_t t = origin + rnd() % (2 * N * HZ);
			int64_t ns = true_ns(t, origin);
			struct fit_ns r = fit_to_ns(p, N, &f, t);
			struct tsc_range ticks;

			assert_true(r.ns <= ns ? (uint64_t)(ns - r.ns) <= r.err_ns
					       : (uint64_t)(r.ns - ns) <= r.err_ns);
			assert_true(r.err_ns < 30000);
			ticks = to_ticks(p, N, &f, l, ns, ns);
			assert_true(ticks.lo <= t && t <= ticks.hi);
			assert_true(ticks.hi - ticks.lo < 200000);
		}
		fit_lookup_free(l);
	}
}

/* The clock is set back by 5 s between readings 5 and 6: everywhere else it stays precise. */
static void stepped(void **state)
{
	const int64_t step = -5000000000;
	uint64_t origin = 12345, t, at;
	struct fit_pair p[N];
	struct fit_freq f = {HZ, HZ - 100, HZ + 100};
	struct tsc_range ticks;
	struct fit_lookup *l;
	struct fit_ns r;

	make_pairs(p, origin);
	for (int i = 6; i < N; i++)
		p[i].ns += step;
	assert_int_equal(fit_lookup_new(p, N, &f, &l), 0);
	at = p[5].ticks + (p[6].ticks - p[5].ticks) / 3;

	t = p[3].ticks + 999999;
	assert_true(fit_to_ns(p, N, &f, t).err_ns < 30000);
	t = p[9].ticks + 999999;
	r = fit_to_ns(p, N, &f, t);
	assert_true(r.err_ns < 30000 && llabs(r.ns - (true_ns(t, origin) + step)) <= 30000);

	for (int k = 0; k < 1000; k++) {
		int64_t ns;

		t = p[5].ticks + rnd() % (p[6].ticks - p[5].ticks);
		ns = true_ns(t, origin) + (t < at ? 0 : step);
		r = fit_to_ns(p, N, &f, t);
		assert_true((uint64_t)llabs(r.ns - ns) <= r.err_ns);
		/* a value that came twice gives an interval around both */
		ticks = to_ticks(p, N, &f, l, ns, ns);
		assert_true(ticks.lo <= t && t <= ticks.hi);
	}
	fit_lookup_free(l);
}

static void ends(void **state)
{
	struct fit_pair p[2] = {{1000000, 2, 1000}, {2000000, 2, 1001000}};
	struct fit_freq f;

	assert_int_equal(fit_freq(p, 2, &f), 0);
	assert_int_equal(f.hz, 1000000000);
	assert_true(fit_to_ticks(p, 2, &f, INT64_MIN, INT64_MIN).hi == 0);
	assert_true(fit_to_ns(p, 2, &f, UINT64_MAX).ns == INT64_MAX);
	assert_in_range(fit_to_ns(p, 2, &f, 1500001).ns, 500999, 501001);
	assert_true(fit_to_ticks(p, 2, &f, INT64_MAX, INT64_MAX).hi > UINT64_MAX / 2 - 2000000);
}

/* Whatever a file says: refused, or every answer is computed without overflow (under UBSan). */
static void hostile(void **state)
{
	unsigned taken = 0;

	for (int i = 0; i < 20000; i++) {
		struct fit_lookup *l;
		struct fit_pair p[4];
		struct fit_freq f;
		uint64_t t = rnd() >> (rnd() % 64);

		for (int k = 0; k < 4; k++) {
			t += rnd() >> (rnd() % 64);
			p[k] = (struct fit_pair){t, rnd() >> (rnd() % 64),
						 (int64_t)(rnd() >> (rnd() % 64))};
			if (rnd() % 4 == 0)
				p[k].ns = -p[k].ns;
		}
		if (fit_freq(p, 4, &f))
			continue;
		taken++;
		assert_int_equal(fit_lookup_new(p, 4, &f, &l), 0);
		struct fit_walk walk = {.l = l};

		for (int k = 0; k < 8; k++) {
			uint64_t at = rnd() >> (rnd() % 64);
			struct fit_ns r = fit_to_ns(p, 4, &f, at);

			assert_int_equal(fit_walk_ns(&walk, at), r.ns);
			for (int d = -3; d < 4; d++) /* also where two lines meet */
				assert_int_equal(fit_walk_ns(&walk, p[1].ticks + (unsigned)d),
						 fit_to_ns(p, 4, &f, p[1].ticks + (unsigned)d).ns);
			struct tsc_range back = to_ticks(p, 4, &f, l, r.ns, r.ns);

			assert_true(back.lo <= back.hi);
			if (r.ns != INT64_MAX && r.ns != INT64_MIN)
				assert_true(back.lo <= at && at <= back.hi);
			to_ticks(p, 4, &f, l, INT64_MIN, INT64_MAX);
			at = rnd() >> 1;
			to_ticks(p, 4, &f, l, (int64_t)at, (int64_t)(at + (rnd() >> 63)));
		}
		fit_lookup_free(l);
	}
	assert_true(taken > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frequency), cmocka_unit_test(unusable),
		cmocka_unit_test(both_ways), cmocka_unit_test(stepped),
		cmocka_unit_test(ends),	     cmocka_unit_test(hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
