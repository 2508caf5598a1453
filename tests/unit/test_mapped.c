// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/mapped.h"

#define PAGE  4096u
#define PAGES 8u

static char path[64];

static int make_file(void)
{
	uint8_t ones[PAGE];
	int fd;

	snprintf(path, sizeof(path), "/tmp/test-mapped-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	memset(ones, 0x11, sizeof(ones));
	for (unsigned i = 0; i < PAGES; i++)
		assert_int_equal(write(fd, ones, PAGE), PAGE);
	return fd;
}

static unsigned sum(const uint8_t *p, size_t n)
{
	unsigned s = 0;

	while (n--)
		s += *p++;
	return s;
}

static void intact(void **state)
{
	int fd = make_file();
	struct mapped *m;

	assert_int_equal(mapped_new(fd, PAGES * PAGE, &m), 0);
	assert_int_equal(sum(mapped_bytes(m), PAGES * PAGE), 0x11 * PAGES * PAGE);
	assert_true(mapped_lost(m) == SIZE_MAX);
	assert_true(mapped_lost_now(m, path) == SIZE_MAX);
	/* longer is not shorter; another file of that name is not this one */
	assert_int_equal(ftruncate(fd, 2 * PAGES * PAGE), 0);
	assert_true(mapped_lost_now(m, path) == SIZE_MAX);
	unlink(path);
	assert_true(mapped_lost_now(m, path) == SIZE_MAX);
	mapped_free(m);
	close(fd);
}

static void cut_while_read(void **state)
{
	int fd = make_file(), other_fd;
	struct mapped *m, *other;
	char first[64];

	assert_int_equal(mapped_new(fd, PAGES * PAGE, &m), 0);
	snprintf(first, sizeof(first), "%s", path);
	other_fd = make_file();
	assert_int_equal(mapped_new(other_fd, PAGES * PAGE, &other), 0);
	assert_int_equal(ftruncate(fd, 2 * PAGE), 0);
	assert_int_equal(sum(mapped_bytes(m), 2 * PAGE), 0x11 * 2 * PAGE);
	assert_true(mapped_lost(m) == SIZE_MAX);
	assert_int_equal(mapped_bytes(m)[5 * PAGE + 7], 0);
	assert_true(mapped_lost(m) == 5 * PAGE);
	assert_int_equal(sum(mapped_bytes(m), PAGES * PAGE), 0x11 * 2 * PAGE);
	assert_true(mapped_lost(m) == 2 * PAGE);
	assert_true(mapped_lost(other) == SIZE_MAX);
	assert_int_equal(sum(mapped_bytes(other), PAGES * PAGE), 0x11 * PAGES * PAGE);
	mapped_free(m);
	/* its place is used again */
	assert_int_equal(mapped_new(other_fd, PAGE, &m), 0);
	assert_true(mapped_lost(m) == SIZE_MAX);
	mapped_free(m);
	mapped_free(other);
	close(fd);
	close(other_fd);
	unlink(path);
	unlink(first);
}

/* No fault tells of it. */
static void cut_inside_a_page(void **state)
{
	int fd = make_file();
	struct mapped *m;

	assert_int_equal(mapped_new(fd, PAGES * PAGE, &m), 0);
	assert_int_equal(ftruncate(fd, (PAGES - 1) * PAGE + 100), 0);
	assert_int_equal(mapped_bytes(m)[(PAGES - 1) * PAGE + 100], 0);
	assert_true(mapped_lost(m) == SIZE_MAX);
	assert_true(mapped_lost_now(m, path) == (PAGES - 1) * PAGE + 100);
	assert_true(mapped_lost(m) == (PAGES - 1) * PAGE + 100);
	mapped_free(m);
	close(fd);
	unlink(path);
}

/* A bus error elsewhere still ends the program. */
static void not_ours(void **state)
{
	int fd = make_file(), status = 0;
	volatile char *p = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	struct mapped *m;
	pid_t pid;

	assert_true(p != MAP_FAILED);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0});
		signal(SIGBUS, SIG_DFL); /* cmocka has one of its own */
		if (mapped_new(fd, PAGE, &m))
			_exit(1);
		_exit(p[3 * PAGE] ? 2 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	munmap((void *)p, PAGES * PAGE);
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(intact),
		cmocka_unit_test(cut_while_read),
		cmocka_unit_test(cut_inside_a_page),
		cmocka_unit_test(not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
