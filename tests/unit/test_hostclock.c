// SPDX-License-Identifier: GPL-2.0-or-later
/* The promise made of QEMU's stamps, held against this machine's clocks: 100,000 stamps of each sort,
 * each taken between two readings of the TSC, so that the truth is known, and placed by what a
 * recording stores. */
#include "test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "capture/clockpair.h"
#include "clock/fit.h"

#define STAMPS 100000
#define PAIRS  21

struct stamp {
	uint64_t before, after;
	int64_t ns;
};

static struct stamp logs[STAMPS], simples[STAMPS];
static struct session_pair pairs[PAIRS];

static void take_stamp(int i)
{
	struct timespec ts;
	struct timeval tv;

	logs[i].before = clockpair_rdtsc();
	gettimeofday(&tv, NULL);
	logs[i].after = clockpair_rdtsc();
	logs[i].ns = (int64_t)tv.tv_sec * 1000000000 + (int64_t)tv.tv_usec * 1000;
	simples[i].before = clockpair_rdtsc();
	clock_gettime(CLOCK_MONOTONIC, &ts);
	simples[i].after = clockpair_rdtsc();
	simples[i].ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int take_all(void **state)
{
	struct timespec pause = {0, 10000000};

	for (int i = 0; i < STAMPS; i++) {
		if (i % (STAMPS / (PAIRS - 1)) == 0) {
			clockpair_read(&pairs[i / (STAMPS / (PAIRS - 1))]);
			nanosleep(&pause, NULL);
		}
		take_stamp(i);
	}
	clockpair_read(&pairs[PAIRS - 1]);
	return 0;
}

/* How many of the stated intervals hold no moment at which the stamp can have been taken. */
static unsigned count_wrong(const struct stamp *v, bool realtime, int64_t quantum,
			    uint64_t *ret_widest_ns)
{
	struct fit_pair p[PAIRS], steady[PAIRS];
	struct fit_lookup *l;
	struct fit_freq f;
	unsigned wrong = 0;
	uint64_t widest = 0;

	for (int i = 0; i < PAIRS; i++) {
		steady[i] = (struct fit_pair){pairs[i].tsc, pairs[i].width_ticks,
					      pairs[i].monotonic_ns};
		p[i] = steady[i];
		if (realtime)
			p[i].ns = pairs[i].realtime_ns;
	}
	assert_int_equal(fit_freq(steady, PAIRS, &f), 0);
	assert_int_equal(fit_lookup_new(p, PAIRS, &f, &l), 0);
	for (int i = 0; i < STAMPS; i++) {
		struct tsc_range r = fit_lookup_ticks(l, v[i].ns, v[i].ns + quantum - 1);

		wrong += r.hi < v[i].before || r.lo > v[i].after;
		if (r.hi - r.lo > widest)
			widest = r.hi - r.lo;
	}
	*ret_widest_ns = (uint64_t)((unsigned __int128)widest * 1000000000 / f.hz);
	fit_lookup_free(l);
	return wrong;
}

static bool tsc_is_the_clock(void)
{
	char text[32] = "";

	return !file_read_line(AT_FDCWD,
			       "/sys/devices/system/clocksource/clocksource0/current_clocksource",
			       text, sizeof(text)) &&
	       !strcmp(text, "tsc");
}

static void check_stamps(const struct stamp *v, bool realtime, int64_t quantum)
{
	uint64_t widest;
	unsigned wrong;

	if (!tsc_is_the_clock()) {
		print_message("the kernel's clocksource is not tsc\n");
		skip();
	}
	wrong = count_wrong(v, realtime, quantum, &widest);
	print_message("%u of %d stamps outside; widest interval %llu ns\n", wrong, STAMPS,
		      (unsigned long long)widest);
	assert_in_range(wrong, 0, STAMPS / 1000);
}

static void log_stamps(void **state)
{
	check_stamps(logs, true, 1000);
}

static void simple_stamps(void **state)
{
	check_stamps(simples, false, 1);
}

/* That the check can fail: stamps that are 2 us off are found out. */
static void wrong_stamps(void **state)
{
	uint64_t widest;

	if (!tsc_is_the_clock())
		skip();
	for (int i = 0; i < STAMPS; i++)
		simples[i].ns += 2000;
	assert_true(count_wrong(simples, false, 1, &widest) > STAMPS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(log_stamps),
		cmocka_unit_test(simple_stamps),
		cmocka_unit_test(wrong_stamps),
	};

	return cmocka_run_group_tests(tests, take_all, NULL);
}
