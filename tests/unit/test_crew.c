// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <dirent.h>
#include <sched.h>
#include <time.h>

#include "timeline/crew.h"

#define JOBS 32

struct work {
	struct job job;
	atomic_uint *gate; /* not before it is open */
	unsigned runs, worker;
};

static atomic_uint running;

static void run(struct job *j, unsigned worker)
{
	struct work *w = (struct work *)j;

	atomic_fetch_add(&running, 1);
	while (w->gate && !atomic_load(w->gate))
		sched_yield();
	w->worker = worker;
	w->runs++;
	atomic_fetch_sub(&running, 1);
}

static unsigned threads(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void a_moment(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void wait_running(unsigned n)
{
	for (unsigned i = 0; i < 20000 && atomic_load(&running) != n; i++)
		a_moment();
	assert_int_equal(atomic_load(&running), n);
}

/* A thread that was joined is listed for a moment longer. */
static void end(struct crew *c, unsigned before)
{
	crew_free(c);
	for (unsigned i = 0; i < 20000 && threads() != before; i++)
		a_moment();
	assert_int_equal(threads(), before);
}

/* A thread more for a job that nobody is free for; none for one that somebody is. */
static void as_many_as_needed(void **state)
{
	struct work w[JOBS] = {0};
	atomic_uint open = 0;
	unsigned before = threads();
	struct crew *c;

	assert_int_equal(crew_new(4, &c), 0);
	assert_int_equal(crew_size(c), 4);
	assert_int_equal(threads(), before);
	for (unsigned i = 0; i < JOBS; i++)
		w[i].job.run = run;
	for (unsigned i = 0; i < 3; i++) {
		w[i].gate = &open;
		crew_submit(c, &w[i].job, false);
		wait_running(i + 1);
		assert_int_equal(threads(), before + i + 1);
	}
	for (unsigned i = 3; i < JOBS; i++)
		crew_submit(c, &w[i].job, false);
	assert_int_equal(threads(), before + 3);
	atomic_store(&open, 1);
	for (unsigned i = 0; i < JOBS; i++)
		crew_wait(c, &w[i].job);
	for (unsigned i = 0; i < JOBS; i++)
		assert_true(w[i].runs == 1 && w[i].worker < 4);
	assert_int_equal(threads(), before + 3);
	end(c, before);
}

/* A crew of one does everything itself, when it is waited for. */
static void alone(void **state)
{
	unsigned before = threads();
	struct work a = {.job.run = run}, b = {.job.run = run};
	struct crew *c;

	assert_int_equal(crew_new(1, &c), 0);
	crew_submit(c, &a.job, true);
	crew_submit(c, &b.job, false);
	assert_int_equal(threads(), before);
	assert_int_equal(a.runs, 0);
	crew_wait(c, &b.job);
	crew_cancel(c, &a.job);
	crew_wait(c, &a.job);
	assert_true(b.runs == 1 && b.worker == 0 && !a.runs);
	end(c, before);
}

/* One that has been begun is waited for, one that has not is left. */
static void cancelled(void **state)
{
	atomic_uint open = 0;
	unsigned before = threads();
	struct work a = {.job.run = run, .gate = &open}, b = {.job.run = run};
	struct crew *c;

	assert_int_equal(crew_new(2, &c), 0);
	crew_submit(c, &a.job, false);
	wait_running(1);
	crew_submit(c, &b.job, false);
	crew_offer(c, &b.job); /* it is queued already */
	crew_cancel(c, &b.job);
	assert_int_equal(b.runs, 0);
	atomic_store(&open, 1);
	crew_cancel(c, &a.job);
	assert_int_equal(a.runs, 1);
	end(c, before);
}

static void how_many(void **state)
{
	assert_in_range(crew_default(), 1, CREW_DEFAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_needed),
		cmocka_unit_test(alone),
		cmocka_unit_test(cancelled),
		cmocka_unit_test(how_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
