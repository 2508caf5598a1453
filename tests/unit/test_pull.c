// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <stdbool.h>

#include "base/pull.h"

struct counter {
	int n, given, max, result;
	bool ended;
};

static int count(void *state, struct pull *p)
{
	struct counter *c = state;

	for (c->n = 0; c->n < c->max; c->n++) {
		int r = pull_give(p, &c->n, 1);

		if (r) {
			c->ended = true;
			return r;
		}
		c->given++;
	}
	c->ended = true;
	return c->result;
}

static void gives_in_order_and_only_when_asked(void **state)
{
	struct counter c = {.max = 1000};
	struct pull *p;
	const void *batch;
	size_t n;

	assert_int_equal(pull_new(count, &c, &p), 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(pull_take(p, &batch, &n), 0);
		assert_int_equal(n, 1);
		assert_int_equal(*(const int *)batch, i);
		assert_int_equal(c.given, i); /* it waits in the call that gave this one */
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pull_take(p, &batch, &n), 0);
		assert_int_equal(n, 0);
	}
	assert_true(c.ended);
	pull_free(p);
}

static void hands_on_its_error(void **state)
{
	struct counter c = {.max = 1, .result = -EIO};
	struct pull *p;
	const void *batch;
	size_t n;

	assert_int_equal(pull_new(count, &c, &p), 0);
	assert_int_equal(pull_take(p, &batch, &n), 0);
	assert_int_equal(pull_take(p, &batch, &n), -EIO);
	assert_int_equal(pull_take(p, &batch, &n), -EIO);
	pull_free(p);
}

static void can_be_freed_at_any_time(void **state)
{
	struct counter never = {.max = 10}, begun = {.max = 10};
	struct pull *p;
	const void *batch;
	size_t n;

	assert_int_equal(pull_new(count, &never, &p), 0);
	pull_free(p);
	assert_false(never.ended);
	assert_int_equal(pull_new(count, &begun, &p), 0);
	assert_int_equal(pull_take(p, &batch, &n), 0);
	pull_free(p);
	assert_true(begun.ended); /* it was told, and came back */
	assert_int_equal(begun.given, 0);
	pull_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_in_order_and_only_when_asked),
		cmocka_unit_test(hands_on_its_error),
		cmocka_unit_test(can_be_freed_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
