// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>

#include "base/log.h"
#include "base/options.h"

struct config {
	bool json;
	const char *vm;
	uint64_t count, wait_ns;
	struct opt_strv events;
};

static const struct opt opts[] = {
	{'j', "json", OPT_FLAG, offsetof(struct config, json), NULL, "as JSON"},
	{0, "vm", OPT_STR, offsetof(struct config, vm), "NAME", "this VM"},
	{'n', "count", OPT_U64, offsetof(struct config, count), "N", "so many"},
	{'w', "wait", OPT_NS, offsetof(struct config, wait_ns), "TIME", "so long"},
	{'e', "event", OPT_STRV, offsetof(struct config, events), "GLOB", "these"},
	{0},
};
static const struct opt_spec spec = {"test", "CMD", "tests", NULL, NULL, opts};

#define ARGS(...)                                         \
	const char *args[] = {"test", __VA_ARGS__, NULL}; \
	char **argv = (char **)args;                      \
	int argc = (int)(sizeof(args) / sizeof(args[0])) - 1

static void good(void **state)
{
	struct config c = {.count = 7};
	ARGS("-j", "--vm", "web1", "-w20ms", "-e", "a*", "-e", "b", "cmd", "-n", "3");

	assert_int_equal(opt_parse(&spec, &c, argc, argv), 9);
	assert_true(c.json);
	assert_string_equal(c.vm, "web1");
	assert_int_equal(c.count, 7);
	assert_int_equal(c.wait_ns, 20000000);
	assert_int_equal(c.events.n, 2);
	assert_string_equal(c.events.v[1], "b");
}

static void double_dash(void **state)
{
	struct config c = {0};
	ARGS("--", "-j");

	assert_int_equal(opt_parse(&spec, &c, argc, argv), 2);
	assert_false(c.json);
}

static void bad(void **state)
{
	struct config c = {0};

	log_set_level(LOG_NONE);
	{
		ARGS("--nope");
		assert_int_equal(opt_parse(&spec, &c, argc, argv), -EINVAL);
	}
	{
		ARGS("-n", "12x");
		assert_int_equal(opt_parse(&spec, &c, argc, argv), -EINVAL);
	}
	{
		ARGS("--vm");
		assert_int_equal(opt_parse(&spec, &c, argc, argv), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good),
		cmocka_unit_test(double_dash),
		cmocka_unit_test(bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
