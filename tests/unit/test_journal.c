// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lifo, setup, teardown),
		cmocka_unit_test_setup_teardown(survives_kill, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
