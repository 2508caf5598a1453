// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/journal.h"
#include "base/log.h"

static char dir[64], undone[256];

static int undo_a(const char *text)
{
	strcat(strcat(undone, text), ";");
	return 0;
}

static int undo_fails(const char *text)
{
	return -EIO;
}

static const struct journal_handler handlers[] = {{"a", undo_a}, {"bad", undo_fails}, {NULL, NULL}};

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/onetsc-test-XXXXXX");
	undone[0] = 0;
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	return system(cmd);
}

/* Path of the last file in dir, and how many there are. */
static const char *look(unsigned *ret_n)
{
	static char path[512];
	DIR *d = opendir(dir);
	struct dirent *e;

	assert_non_null(d);
	*ret_n = 0;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		++*ret_n;
	}
	closedir(d);
	return path;
}

static unsigned count_files(void)
{
	unsigned n;

	look(&n);
	return n;
}

static const char *only_file(void)
{
	unsigned n;
	const char *path = look(&n);

	assert_int_equal(n, 1);
	return path;
}

static void lifo(void **state)
{
	struct journal *j;
	uint64_t id1, id2, id3;

	assert_int_equal(journal_open(dir, &j), 0);
	assert_int_equal(journal_push(j, "a", &id1, "one %d", 1), 0);
	assert_int_equal(journal_push(j, "a", &id2, "two"), 0);
	assert_int_equal(journal_push(j, "a", &id3, "three"), 0);
	journal_done(j, id2);
	assert_int_equal(journal_push(j, "a", &id2, "no\nnewline"), -EINVAL);
	assert_int_equal(journal_count(j), 2);
	assert_int_equal(journal_unwind(j, handlers), 0);
	assert_string_equal(undone, "three;one 1;");
	journal_close(j);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
}

/* A killed owner's entries are undone once; a living owner's are not touched. */
static void survives_kill(void **state)
{
	struct journal *mine;
	uint64_t id;
	unsigned done, failed;
	pid_t child = fork();

	if (!child) {
		struct journal *j;

		if (journal_open(dir, &j) || journal_push(j, "a", &id, "left") ||
		    journal_push(j, "a", &id, "behind") || journal_push(j, "bad", &id, "x"))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, NULL, 0);
	assert_int_equal(journal_open(dir, &mine), 0);
	assert_int_equal(journal_push(mine, "a", &id, "mine"), 0);
	log_set_level(LOG_NONE);
	assert_int_equal(journal_restore(dir, handlers, &done, &failed), 0);
	assert_string_equal(undone, "behind;left;");
	assert_int_equal(done, 2);
	assert_int_equal(failed, 1);
	journal_done(mine, id);
	journal_close(mine);
}

static pid_t restorer(void)
{
	unsigned done, failed;
	pid_t child = fork();

	if (child)
		return child;
	for (;;)
		if (journal_restore(dir, handlers, &done, &failed))
			_exit(1);
}

/* Somebody else's restore must not take a journal that is being made for a dead one's. */
static void open_races_restore(void **state)
{
	pid_t child = restorer();
	struct journal *j;
	unsigned lost = 0;
	uint64_t id;

	for (int i = 0; i < 3000; i++) {
		assert_int_equal(journal_open(dir, &j), 0);
		assert_int_equal(journal_push(j, "a", &id, "x"), 0);
		lost += !count_files();
		journal_done(j, id);
		journal_close(j);
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_int_equal(lost, 0);
}

/* What was undone is not undone again when the file stays because of another entry. */
static void undone_once(void **state)
{
	unsigned done, failed;
	struct journal *j;
	uint64_t id;
	pid_t child = fork();

	if (!child) {
		if (journal_open(dir, &j) || journal_push(j, "a", &id, "x") ||
		    journal_push(j, "bad", &id, "y"))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, NULL, 0);
	log_set_level(LOG_NONE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(journal_restore(dir, handlers, &done, &failed), 0);
		assert_int_equal(done, !i);
		assert_int_equal(failed, 1);
	}
	assert_string_equal(undone, "x;");
}

/* Pushes text with only room bytes left for the file. */
static int push_into(struct journal *j, const char *text, rlim_t room)
{
	struct rlimit old, small;
	struct stat st;
	uint64_t id;
	int r;

	assert_int_equal(stat(only_file(), &st), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){(rlim_t)st.st_size + room, old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	r = journal_push(j, "a", &id, "%s", text);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	return r;
}

/* A line for which there was no room leaves no half behind. */
static void no_room(void **state)
{
	unsigned done, failed;
	struct journal *j;
	uint64_t id;
	int status;
	pid_t child = fork();

	if (!child) {
		signal(SIGXFSZ, SIG_IGN);
		if (journal_open(dir, &j) || journal_push(j, "a", &id, "first") ||
		    push_into(j, "second", 7) != -EFBIG || journal_push(j, "a", &id, "third"))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(journal_restore(dir, handlers, &done, &failed), 0);
	assert_string_equal(undone, "third;first;");
}

/* A bad line is told of, and does not keep the others. */
static void bad_line(void **state)
{
	unsigned done, failed;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/1-x", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("+ 1 a one\nrubbish\n+ 2 a two\n+ 3 a thr", f);
	fclose(f);
	log_set_level(LOG_NONE);
	assert_int_equal(journal_restore(dir, handlers, &done, &failed), -EBADMSG);
	assert_string_equal(undone, "two;one;");
	assert_int_equal(count_files(), 1);
}

/* A daemon's journal does not grow. */
static void stays_small(void **state)
{
	struct journal *j;
	struct stat st;
	uint64_t id;

	assert_int_equal(journal_open(dir, &j), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(journal_push(j, "a", &id, "x"), 0);
		journal_done(j, id);
	}
	assert_int_equal(stat(only_file(), &st), 0);
	assert_int_equal(st.st_size, 0);
	journal_close(j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lifo, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(open_races_restore, setup, teardown),
		cmocka_unit_test_setup_teardown(undone_once, setup, teardown),
		cmocka_unit_test_setup_teardown(no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(bad_line, setup, teardown),
		cmocka_unit_test_setup_teardown(stays_small, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
