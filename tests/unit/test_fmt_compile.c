// SPDX-License-Identifier: GPL-2.0-or-later
/* Formats and records by hand: what their programs print, and what is kept from libtraceevent. */
#include <errno.h>
#include <event-parse.h>
#include <stdio.h>
#include <stdlib.h>

#include "sink/fmt_compile.h"
#include "sink/fmt_run.h"
#include "source/dat_format.h"
#include "test.h"

#define HEAD                                                                      \
	"name: it\nID: 7\nformat:\n"                                              \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"  \
	"\tfield:int n;\toffset:4;\tsize:4;\tsigned:1;\n"                         \
	"\tfield:unsigned char a[4];\toffset:8;\tsize:4;\tsigned:0;\n"            \
	"\tfield:__data_loc char[] s;\toffset:12;\tsize:4;\tsigned:0;\n"          \
	"\tfield:__rel_loc u8[] r;\toffset:16;\tsize:4;\tsigned:0;\n"             \
	"\tfield:__data_loc unsigned long[] m;\toffset:20;\tsize:4;\tsigned:0;\n" \
	"\tfield:u64 q;\toffset:24;\tsize:8;\tsigned:0;\n\n"                      \
	"print fmt: "

/* n -5; a 1 2 fe ff; s "text" at 32; r 3 bytes at 20 + 20 = 40; m 8 bytes at 48; q 2^40 + 1 */
static const uint8_t record[56] = {
	7, 0,  0, 0,   0xfb, 0xff, 0xff, 0xff, 1, 2, 0xfe, 0xff, 32, 0,	   5,	0,   20,  0, 3,
	0, 48, 0, 8,   0,    1,	   0,	 0,    0, 0, 1,	   0,	 0,  't',  'e', 'x', 't', 0, 0,
	0, 0,  9, 0xa, 0xb,  0,	   0,	 0,    0, 0, 0x2f, 0,	 0,  0x80, 1,	0,   0,	  0};

static const char *no_symbol(void *ctx, uint64_t addr, uint64_t *ret_start, size_t *ret_n)
{
	*ret_start = 0xff00;
	*ret_n = 4;
	return addr >= 0xff00 && addr < 0xffff ? "func" : NULL;
}

static const char *no_guest(void *ctx, int tid, uint64_t addr, uint64_t *ret_start, size_t *ret_n)
{
	return NULL;
}

static const char *no_printk(void *ctx, uint64_t addr, size_t *ret_n)
{
	return NULL;
}

static uint64_t no_address(void *ctx, const char *symbol)
{
	return !strcmp(symbol, "somewhere") ? 0x1000 : 0;
}

static const struct fmt_names names = {NULL, no_symbol, no_guest, no_printk, no_address};

/* Runs it for n bytes of the record; 0 or what fmt_compile() says. */
static int print(const char *format, size_t n, char *text)
{
	struct tep_handle *tep = tep_alloc();
	struct tep_event *e = NULL;
	struct fmt_prog *g = NULL;
	struct source_kind kind;
	char *copy = malloc(n), *buf = malloc(1024 + FMT_ROOM);
	struct fmt_run run = {.out = {buf, buf + 1024},
			      .rec = memcpy(copy, record, n),
			      .size = (uint32_t)n,
			      .names = &names};
	size_t fmt;
	int r;

	tep_set_loglevel(TEP_LOG_NONE);
	tep_set_long_size(tep, 8);
	assert_int_equal(format_check(format, strlen(format), &fmt), FORMAT_SANE);
	tep_parse_event(tep, format, strlen(format), "sys");
	e = tep_find_event(tep, 7);
	assert_non_null(e);
	kind = (struct source_kind){.system = "sys", .name = e->name, .min_bytes = 2};
	r = fmt_compile(&kind, (struct source_format){e, true}, &names, &g);
	if (!r) {
		fmt_run(&run, g);
		memcpy(text, buf, (size_t)(run.out.p - buf));
		text[run.out.p - buf] = 0;
	}
	fmt_prog_free(g);
	tep_free(tep);
	free(copy);
	free(buf);
	return r;
}

static void check(const char *format, const char *want)
{
	char text[2048], *whole;

	assert_true(asprintf(&whole, HEAD "%s\n", format) > 0);
	assert_int_equal(print(whole, sizeof(record), text), 0);
	assert_string_equal(text, want);
	/* of a record that is cut anything may come, but from inside */
	for (size_t n = 2; n < sizeof(record); n++)
		assert_int_equal(print(whole, n, text), 0);
	free(whole);
}

static void texts(void **state)
{
	check("\"n=%d %u %x %08lx|%-4d|\", REC->n, REC->n, REC->n, REC->n, REC->n",
	      "n=-5 4294967291 fffffffb fffffffb|-5  |");
	check("\"%s %d %s\", __get_str(s), REC->a[2], __print_hex(REC->a, 3)", "text 254 01 02 fe");
	check("\"%s\", __print_hex_str(__get_rel_dynamic_array(r), __get_rel_dynamic_array_len(r))",
	      "090a0b");
	check("\"%s\", __print_array(REC->a, 2, 2)", "513 65534");
	check("\"%s %s\", __get_bitmask(m), __get_cpumask(m)", "00000001,8000002f 0-3,5,31-32");
	check("\"%s\", REC->n ? REC->n > 0 ? \"plus\" : \"minus\" : \"none\"", "plus");
	check("\"%d\", (REC->q >> 40) ? (u8)(REC->q + 255) : 3", "0");
	check("\"%s|%s\", __print_flags(REC->a[0] | 8, \"+\", { 1, \"one\" }, { 2, \"two\" }), "
	      "__print_symbolic(REC->a[1], { 1, \"one\" }, { 2, \"two\" })",
	      "one+0x8|two");
	check("\"%pS %ps %p\", (void *)((REC->q & 0xf) + 0xff03), (void *)0xff00, "
	      "(void *)0x12",
	      "func+0x4 func 0x12");
	check("\"%% %.*s %lu\", 2, __get_str(s), somewhere", "% te 4096");
	check("\"%c\", REC->n", ">c<");
}

static void traps(void **state)
{
	char text[2048];

	/* "%lhs" is for libtraceevent alone, and it would believe the length */
	assert_int_equal(print(HEAD "\"%lhs\", __get_str(s)\n", 56, text), -ENOTSUP);
	assert_int_equal(print(HEAD "\"%lhs\", __print_hex(REC->a, REC->n)\n", 56, text), -EBADMSG);
	assert_int_equal(
		print(HEAD "\"%lhs %d\", __get_str(s), __get_rel_dynamic_array_len(r)\n", 56, text),
		-EBADMSG);
	assert_int_equal(print(HEAD "\"%s\", __print_hex(REC->a + 1, REC->n)\n", 56, text),
			 -EBADMSG);
	assert_int_equal(print(HEAD "\"%s\", __print_hex(REC->a, 0 - 1)\n", 56, text), 0);
	assert_true(strlen(text) < 56 * 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(traps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
