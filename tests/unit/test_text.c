// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

static void numbers(void **state)
{
	uint64_t u;
	int64_t s;

	assert_int_equal(text_to_u64(" 18446744073709551615\n", &u), 0);
	assert_true(u == UINT64_MAX);
	assert_int_equal(text_to_u64("0x10", &u), 0);
	assert_int_equal(u, 16);
	assert_int_equal(text_to_u64("010", &u), 0);
	assert_int_equal(u, 10);
	assert_int_equal(text_to_u64("18446744073709551616", &u), -ERANGE);
	assert_int_equal(text_to_u64("-1", &u), -EINVAL);
	assert_int_equal(text_to_u64("12x", &u), -EINVAL);
	assert_int_equal(text_to_u64("", &u), -EINVAL);
	assert_int_equal(text_to_s64("-9223372036854775808", &s), 0);
	assert_true(s == INT64_MIN);
	assert_int_equal(text_to_s64("9223372036854775808", &s), -ERANGE);
	assert_int_equal(text_to_s64("-", &s), -EINVAL);
}

static void units(void **state)
{
	uint64_t v;

	assert_int_equal(text_to_ns("1.5s", &v), 0);
	assert_int_equal(v, 1500000000);
	assert_int_equal(text_to_ns("20ms", &v), 0);
	assert_int_equal(v, 20000000);
	assert_int_equal(text_to_ns("3", &v), 0);
	assert_int_equal(v, 3000000000);
	assert_int_equal(text_to_ns("3x", &v), -EINVAL);
	assert_int_equal(text_to_ns("1e30", &v), -ERANGE);
	assert_int_equal(text_to_bytes("64K", &v), 0);
	assert_int_equal(v, 65536);
	assert_int_equal(text_to_bytes("1MiB", &v), 0);
	assert_int_equal(v, 1 << 20);
	assert_int_equal(text_to_bytes("1Q", &v), -EINVAL);
}

static void escapes(void **state)
{
	char buf[16];
	_cleanup_strbuf_ struct strbuf b = {0};

	assert_string_equal(text_escape(buf, sizeof(buf), "a\x1b[\\"), "a\\x1b[\\x5c");
	assert_string_equal(text_escape(buf, 6, "\n\n\n"), "\\x0a");
	strbuf_json(&b, "a\"\\\n\xff\xc3\xa9", 7);
	assert_string_equal(b.s, "\"a\\\"\\\\\\u000a\\ufffd\xc3\xa9\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(units),
		cmocka_unit_test(escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
