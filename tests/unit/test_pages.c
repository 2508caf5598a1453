// SPDX-License-Identifier: GPL-2.0-or-later
/* When pages are fetched: FIFOs stand in for the CPUs' trace_pipe_raw, which poll(2) tells of whatever
 * little they hold, as old kernels do. */
#include "test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "capture/pages.h"

#define CPUS	  2
#define PAGE	  4096
#define WATERMARK (64u << 10) /* what the kernel should wake for at the least */
#define BUFFER	  (16 * WATERMARK)

static char root[64];
static struct instance instance = {.cpus = CPUS, .page_bytes = PAGE, .buffer_bytes = BUFFER};
static struct pages *pages;
static int writers[CPUS];
static char data[WATERMARK];

static int put(void *ctx, unsigned cpu, int pipe_fd, size_t n)
{
	return fd_read_all(pipe_fd, data, n);
}

static int setup(void **state)
{
	struct pages_sink sink = {put, NULL};
	char path[128];

	snprintf(root, sizeof(root), "/tmp/onetsc-test-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	instance.path = root;
	instance.dirfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/per_cpu", root);
	if (mkdir(path, 0700))
		return -1;
	for (int c = 0; c < CPUS; c++) {
		snprintf(path, sizeof(path), "%s/per_cpu/cpu%d", root, c);
		if (mkdir(path, 0700))
			return -1;
		strcat(path, "/trace_pipe_raw");
		if (mkfifo(path, 0600))
			return -1;
		writers[c] = open(path, O_RDWR | O_CLOEXEC);
		if (writers[c] < 0)
			return -1;
	}
	return pages_open(&instance, &sink, &pages) ? -1 : pages_drain(pages, NULL);
}

static int teardown(void **state)
{
	char cmd[128];

	pages_close(pages);
	close(instance.dirfd);
	for (int c = 0; c < CPUS; c++)
		close(writers[c]);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	return system(cmd);
}

static void write_to(int cpu, size_t n)
{
	assert_int_equal(fd_write_all(writers[cpu], data, n), 0);
}

static bool wakes(void)
{
	struct pollfd v[CPUS];

	pages_poll(pages, v);
	return poll(v, CPUS, 0) > 0;
}

static void drain_polled(void)
{
	struct pollfd v[CPUS];

	pages_poll(pages, v);
	assert_int_not_equal(poll(v, CPUS, 0), -1);
	assert_int_equal(pages_drain(pages, v), 0);
}

static void wait_until_due(void)
{
	do
		poll(NULL, 0, pages_wait_ms(pages));
	while (pages_wait_ms(pages));
}

static void a_watermark_wakes(void **state)
{
	assert_int_equal(pages_cpus(pages), CPUS);
	for (unsigned i = 1; i <= 30; i++) {
		write_to(1, WATERMARK);
		assert_true(wakes());
		drain_polled();
		assert_int_equal(pages_bytes(pages, 1), i * WATERMARK);
	}
	assert_int_equal(pages_bytes(pages, 0), 0);
	assert_false(wakes());
}

static void all_are_drained_in_time(void **state)
{
	write_to(0, PAGE);
	write_to(1, PAGE);
	wait_until_due();
	assert_int_equal(pages_drain(pages, NULL), 0);
	assert_int_equal(pages_bytes(pages, 0), PAGE);
	assert_int_equal(pages_bytes(pages, 1), PAGE);
	assert_true(pages_wait_ms(pages) > 0);
}

static void early_wakes_end_the_polling(void **state)
{
	unsigned n = 0;

	for (; n < 100 && (write_to(0, PAGE), wakes()); n++)
		drain_polled();
	assert_in_range(n, 2, 20);
	/* From now on by the timer alone. */
	wait_until_due();
	assert_int_equal(pages_drain(pages, NULL), 0);
	assert_int_equal(pages_bytes(pages, 0), (n + 1) * PAGE);
	write_to(0, PAGE);
	assert_false(wakes());
	wait_until_due();
	drain_polled();
	assert_int_equal(pages_bytes(pages, 0), (n + 2) * PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_watermark_wakes, setup, teardown),
		cmocka_unit_test_setup_teardown(all_are_drained_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(early_wakes_end_the_polling, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
