// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers and strings as printf() shows them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sink/fmt_put.h"
#include "test.h"

#define TEXT_BYTES 8192

static char text[TEXT_BYTES + FMT_ROOM];

static struct fmt_out begin(void)
{
	memset(text, '?', sizeof(text));
	return (struct fmt_out){text, text + TEXT_BYTES};
}

static uint64_t any_value(void)
{
	uint64_t v = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();

	return random() % 8 ? v >> random() % 64 : 0;
}

/* The directive that a spec is. */
static void directive(char *to, size_t n, const struct fmt_spec *f, const char *size)
{
	char width[8] = "", prec[8] = "";

	if (f->width)
		snprintf(width, sizeof(width), "%u", f->width);
	if (f->prec >= 0)
		snprintf(prec, sizeof(prec), ".%d", f->prec);
	snprintf(to, n, "%%%s%s%s%s%s%s%c", f->flags & FMT_LEFT ? "-" : "",
		 f->flags & FMT_ZERO ? "0" : "", f->flags & FMT_ALT ? "#" : "", width, prec, size,
		 f->conv);
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void numbers(void **state)
{
	static const struct {
		unsigned bytes;
		const char *size;
	} sizes[] = {{1, "hh"}, {2, "h"}, {4, ""}, {8, "l"}, {8, "ll"}};
	char want[256], fmt[32];

	srandom(1);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned size = (unsigned)random() % 5;
		struct fmt_out o = begin();
		struct fmt_spec f = {.width = random() % 3 ? 0 : (uint16_t)(random() % 30),
				     .prec = random() % 3 ? -1 : (int16_t)(random() % 25),
				     .flags = (uint8_t)(random() % 8),
				     .conv = "duxXo"[random() % 5]};
		uint64_t v = any_value();

		if (f.conv == 'd' || f.conv == 'u')
			f.flags &= (uint8_t)~FMT_ALT; /* which has no meaning for them */
		directive(fmt, sizeof(fmt), &f, sizes[size].size);
		if (sizes[size].bytes == 8)
			snprintf(want, sizeof(want), fmt, v);
		else
			snprintf(want, sizeof(want), fmt, (unsigned)v);
		fmt_put_num(&o, &f, v, sizes[size].bytes);
		*o.p = 0;
		if (strcmp(text, want))
			print_message("%s of %#" PRIx64 "\n", fmt, v);
		assert_string_equal(text, want);
	}
}

static void plain_numbers(void **state)
{
	char want[64];

	for (unsigned i = 0; i < 100000; i++) {
		struct fmt_out o = begin();
		uint64_t v = any_value();

		fmt_put_udec(&o, v);
		fmt_put_char(&o, ' ');
		fmt_put_dec(&o, (int64_t)v);
		fmt_put_char(&o, ' ');
		fmt_put_hex(&o, v);
		fmt_put_char(&o, ' ');
		fmt_put_hex_pad(&o, v, 8);
		*o.p = 0;
		snprintf(want, sizeof(want), "%" PRIu64 " %" PRId64 " %" PRIx64, v, (int64_t)v, v);
		assert_memory_equal(text, want, strlen(want));
		snprintf(want, sizeof(want), " %08" PRIx64, v);
		assert_string_equal(strrchr(text, ' '), want);
	}
}

static void strings(void **state)
{
	const struct fmt_spec padded = {.width = 6, .prec = -1}, cut = {.width = 5, .prec = 2},
			      left = {.width = 4, .prec = -1, .flags = FMT_LEFT};
	struct fmt_out o = begin();

	fmt_put_str(&o, &padded, "abc", 3);
	fmt_put_str(&o, &cut, "abc", 3);
	fmt_put_str(&o, &left, "abc", 3);
	fmt_put_char(&o, '|');
	*o.p = 0;
	assert_string_equal(text, "   abc   ababc |");
	o = (struct fmt_out){text, text + 4};
	fmt_put(&o, "123456", 6);
	fmt_put(&o, "7", 1);
	assert_ptr_equal(o.p, text + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(plain_numbers),
		cmocka_unit_test(strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
