// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "sink/pb.h"

static void assert_bytes(const struct pb *b, const char *want, size_t n)
{
	assert_false(b->failed);
	assert_int_equal(b->n, n);
	assert_memory_equal(b->p, want, n);
}
#define BYTES(b, want) assert_bytes(b, want, sizeof(want) - 1)

static void varints(void **state)
{
	_cleanup_pb_ struct pb b = {0};

	pb_varint(&b, 0);
	pb_varint(&b, 127);
	pb_varint(&b, 128);
	pb_varint(&b, 300);
	BYTES(&b, "\x00\x7f\x80\x01\xac\x02");
	b.n = 0;
	pb_varint(&b, UINT64_MAX);
	BYTES(&b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	b.n = 0;
	pb_varint(&b, 1ull << 63);
	BYTES(&b, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
}

static void fields(void **state)
{
	_cleanup_pb_ struct pb b = {0}, m = {0};

	pb_u64(&b, 1, 150); /* the encoding guide's own example */
	BYTES(&b, "\x08\x96\x01");
	b.n = 0;
	pb_bytes(&b, 2, "testing", 7);
	BYTES(&b, "\x12\x07testing");
	b.n = 0;
	pb_u64(&m, 1, 150);
	pb_message(&b, 3, &m);
	BYTES(&b, "\x1a\x03\x08\x96\x01");
	b.n = 0;
	pb_u64(&b, 98, 0);
	BYTES(&b, "\x90\x06\x00");
	b.n = 0;
	pb_u64(&b, 65536, 1);
	BYTES(&b, "\x80\x80\x20\x01");
	b.n = 0;
	pb_fixed64(&b, 47, 0x0102030405060708);
	BYTES(&b, "\xf9\x02\x08\x07\x06\x05\x04\x03\x02\x01");
	b.n = 0;
	pb_u64(&b, 4, (uint64_t)-1); /* int64 */
	BYTES(&b, "\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

/* Nested messages whose lengths need one, two and three bytes, around both edges. */
static void nested(void **state)
{
	static const size_t sizes[] = {0,   1,	 123, 124,   125,   126,
				       127, 128, 129, 16380, 16384, 40000};
	static char data[40000];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		_cleanup_pb_ struct pb b = {0}, inner = {0}, middle = {0}, want = {0};
		size_t n = sizes[i], outer_mark, mark;

		memset(data, (int)i + 1, sizeof(data));
		pb_bytes(&inner, 3, data, n);
		pb_message(&middle, 2, &inner);
		pb_u64(&middle, 9, 7);
		pb_message(&want, 1, &middle);
		outer_mark = pb_begin(&b, 1);
		mark = pb_begin(&b, 2);
		pb_bytes(&b, 3, data, n);
		pb_end(&b, mark);
		pb_u64(&b, 9, 7);
		pb_end(&b, outer_mark);
		assert_bytes(&b, (const char *)want.p, want.n);
	}
}

static void texts(void **state)
{
	_cleanup_pb_ struct pb b = {0};

	pb_puts(&b, 1, "a \"b\" \\ <c>");
	BYTES(&b, "\x0a\x0b"
		  "a \"b\" \\ <c>");
	b.n = 0;
	pb_text(&b, 1, "\x1b[2J\x00\x7f\n", 7);
	BYTES(&b, "\x0a\x07?[2J???");
	b.n = 0;
	pb_text(&b, 1, "\xc3\xa4\xff\xc3(\xe2\x82", 7); /* one letter; four bytes of nothing */
	BYTES(&b, "\x0a\x07\xc3\xa4?"
		  "?("
		  "??");
	b.n = 0;
	pb_text(&b, 1, "\xed\xa0\x80", 3); /* a surrogate */
	BYTES(&b, "\x0a\x03???");
	b.n = 0;
	pb_text(&b, 1, NULL, 0);
	BYTES(&b, "\x0a\x00");
}

/* No memory: nothing is written, nothing crashes, and it is known. */
static void failed(void **state)
{
	struct pb b = {.failed = true}, whole = {0};
	size_t mark = pb_begin(&b, 1);

	pb_u64(&b, 1, 1);
	pb_text(&b, 2, "text", 4);
	pb_fixed64(&b, 3, 1);
	pb_end(&b, mark);
	assert_int_equal(b.n, 0);
	pb_message(&whole, 1, &b);
	assert_true(whole.failed);
	pb_free(&whole);
	pb_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(varints), cmocka_unit_test(fields), cmocka_unit_test(nested),
		cmocka_unit_test(texts),   cmocka_unit_test(failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
