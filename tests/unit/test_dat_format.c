// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "source/comms.h"
#include "source/dat_format.h"
#include "source/dat_unpack.h"

#define HEAD                                                                     \
	"name: x\nID: 7\nformat:\n"                                              \
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n" \
	"\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n"               \
	"\tfield:__data_loc char[] name;\toffset:24;\tsize:4;\tsigned:0;\n"      \
	"\tfield:unsigned long * p;\toffset:32;\tsize:8;\tsigned:0;\n"           \
	"\tfield:unsigned int n;\toffset:40;\tsize:4;\tsigned:0;\n\n"

static enum format_sanity check(const char *text)
{
	size_t at;

	return format_check(text, strlen(text), &at);
}

static void kernel_like(void **state)
{
	assert_int_equal(check(HEAD "print fmt: \"%s %p %d\", REC->comm, REC->p, REC->n\n"),
			 FORMAT_SANE);
	assert_int_equal(check(HEAD "print fmt: \"%s\" \" more\", __get_str(name)\n"), FORMAT_SANE);
	assert_int_equal(check(HEAD "print fmt: \"%s\", (REC->n & ((1 << 2) - 1)) ? __print_flags("
				    "REC->n, \"|\", { 0x1, \"A\" }, { (unsigned long)(1UL), \"B\" "
				    "}) : \"none\"\n"),
			 FORMAT_SANE);
	/* libtraceevent may parse it; that it does not print it is test_fmt_compile.c's */
	assert_int_equal(check(HEAD "print fmt: \"%s\", __print_hex(REC->comm, REC->n)\n"),
			 FORMAT_SANE);
	assert_int_equal(check(HEAD "print fmt: \"%s\", __print_array(REC->comm, REC->n, 1)\n"),
			 FORMAT_SANE);
	assert_int_equal(check(HEAD
			       "print fmt: \"%s\", __print_symbolic(REC->n, { 1, \"a\" }, { -1, "
			       "((void *)0) }, { -2, 0 })"),
			 FORMAT_SANE);
	assert_int_equal(check(HEAD "print fmt: \"%lu\", (unsigned long)REC->n / 1000\n"),
			 FORMAT_SANE);
	assert_int_equal(check(HEAD "print fmt: \"%s\", __print_symbolic(REC->n, { 1, \"a\" })"),
			 FORMAT_SANE);
}

/* Each of these crashed libtraceevent 1.7.1, or can. */
static void dangerous(void **state)
{
	assert_int_equal(check(HEAD "print fmt: \"%d\", REC->m\n"), FORMAT_FIELDS);
	assert_int_equal(
		check("name: x\nID: 7\nformat:\n\tfield:unsigned short common_type;\toffset:0;"
		      "\tsize:2;\n\n\tfield:char a[4]b;\toffset:8;\tsize:4;\n\n"
		      "print fmt: \"%s\", __print_symbolic(REC->a[1], { 1, \"a\" })\n"),
		FORMAT_FIELDS);
	assert_int_equal(check(HEAD "print fmt: \"%d\", 1 / REC->n\n"), FORMAT_FIELDS);
	assert_int_equal(check(HEAD "print fmt: \"%d\", 1 / (REC->n)\n"), FORMAT_FIELDS);
	assert_int_equal(check(HEAD "print fmt: \"%d\", REC->comm[REC->n]\n"), FORMAT_FIELDS);
	assert_int_equal(check(HEAD "print fmt: \"%d\", REC->comm[99]\n"), FORMAT_FIELDS);
	assert_int_equal(check(HEAD "print fmt: \"%*d\", REC->n, REC->n\n"), FORMAT_FIELDS);
	assert_int_equal(check(HEAD "print fmt: \"%99999d\", REC->n\n"), FORMAT_FIELDS);
	assert_int_equal(check(HEAD "print fmt: \"%d\", ((REC->n)\n"), FORMAT_FIELDS);
	assert_int_equal(check(HEAD "print fmt: \"%d, REC->n\n"), FORMAT_FIELDS);
	assert_int_equal(check(HEAD "print fmt: \"%d\", system(REC->n)\n"), FORMAT_FIELDS);
	assert_int_equal(check(HEAD), FORMAT_BAD);
	assert_int_equal(check("name: x\nID: 7\nformat:\n\tfield:int;\toffset:0;\tsize:4;\n\n"
			       "print fmt: \"\"\n"),
			 FORMAT_BAD);
	assert_int_equal(check("name: x\nID: 7\nformat:\n\tfield:int x[[;\toffset:0;\tsize:4;\n"
			       "print fmt: \"\"\n"),
			 FORMAT_BAD);
	assert_int_equal(check("name: x\x1b\nID: 7\nformat:\nprint fmt: \"\"\n"), FORMAT_BAD);
	assert_int_equal(check("name: x\nID: 7777777\nformat:\nprint fmt: \"\"\n"), FORMAT_BAD);
	assert_int_equal(check(""), FORMAT_BAD);
}

static void expect(const struct format_field *f, const char *name, unsigned offset, unsigned size)
{
	assert_int_equal(f->n_name, strlen(name));
	assert_memory_equal(f->name, name, f->n_name);
	assert_int_equal(f->offset, offset);
	assert_int_equal(f->size, size);
}

/* test_eventtext.c compares whole files with libtraceevent. */
static void fields(void **state)
{
	static const char text[] = HEAD "print fmt: \"\"\n";
	struct format_head h = {0};

	assert_int_equal(format_read(text, strlen(text), &h), 0);
	assert_int_equal(h.id, 7);
	assert_int_equal(h.n_name, 1);
	assert_int_equal(h.fields.n, 5);
	expect(&h.fields.v[0], "common_type", 0, 2);
	assert_true(h.fields.v[0].is_common && !h.fields.v[1].is_common);
	expect(&h.fields.v[1], "comm", 8, 16);
	assert_true(h.fields.v[1].is_array && h.fields.v[1].is_text && !h.fields.v[1].is_dynamic);
	expect(&h.fields.v[2], "name", 24, 4);
	assert_true(h.fields.v[2].is_dynamic && h.fields.v[2].is_text &&
		    !h.fields.v[2].is_relative);
	expect(&h.fields.v[3], "p", 32, 8);
	assert_true(h.fields.v[3].is_pointer && !h.fields.v[4].is_pointer);
	expect(&h.fields.v[4], "n", 40, 4);
	array_free(&h.fields);
}

static int read_field(const char *declaration, const char *rest, struct format_head *h)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "name: x\nID: 7\nformat:\n\n\tfield:%s;\t%s\n\nprint fmt: \"\"\n", declaration,
		 rest);
	return format_read(text, strlen(text), h);
}

static void declarations(void **state)
{
#define PLACE "offset:8;\tsize:8;\tsigned:1;"
	struct format_head h = {0};

	assert_int_equal(read_field("__rel_loc u8[] b", "offset:8;\tsize:4;", &h), 0);
	assert_true(h.fields.v[0].is_relative && h.fields.v[0].is_text && !h.fields.v[0].is_signed);
	assert_int_equal(read_field("__data_loc cpumask_t[] m", "offset:8;\tsize:4;", &h), 0);
	assert_true(h.fields.v[0].is_dynamic && !h.fields.v[0].is_text);
	assert_int_equal(read_field("__data_loc int x", "offset:8;\tsize:2;", &h), 0);
	assert_true(h.fields.v[0].is_text && h.fields.v[0].is_array);
	assert_int_equal(read_field("unsigned long args[6]", PLACE, &h), 0);
	assert_true(h.fields.v[0].is_array && !h.fields.v[0].is_text && h.fields.v[0].is_signed);
	assert_int_equal(read_field("unsigned long char_count[6]", PLACE, &h), 0);
	assert_false(h.fields.v[0].is_text); /* its name does not matter */
	assert_int_equal(read_field("int x[2][3]", PLACE, &h), -EBADMSG);
	assert_int_equal(read_field("int x", "offset:010;\tsize:8;", &h), -EBADMSG);
	assert_int_equal(read_field("int x", "offset:123456;\tsize:8;", &h), -EBADMSG);
	assert_int_equal(read_field("int x",
				    "offset:8;\tsize:8;\n\n\n\tfield:int y;\toffset:8;\tsize:8;",
				    &h),
			 -EBADMSG);
	assert_int_equal(
		read_field("int x", "offset:8;\tsize:8;\n\tfield:int y;\toffset:8;\tsize:8;", &h),
		0);
	assert_int_equal(h.fields.n, 2);
	array_free(&h.fields);
}

static void unpack(void **state)
{
	static const char text[] = "a page and another page and another page";
	struct dat_unpacker u = {0};
	unsigned char packed[128];
	uLongf n = sizeof(packed);
	char out[sizeof(text)];

	assert_int_equal(compress(packed, &n, (const unsigned char *)text, sizeof(text)), Z_OK);
	assert_int_equal(dat_unpack(&u, DAT_ZLIB, packed, n, out, sizeof(out)), 0);
	assert_string_equal(out, text);
	assert_int_equal(dat_unpack(&u, DAT_ZLIB, packed, n, out, sizeof(out) - 1), -EBADMSG);
	assert_int_equal(dat_unpack(&u, DAT_ZLIB, packed, n - 4, out, sizeof(out)), -EBADMSG);
	assert_int_equal(dat_unpack(&u, DAT_ZSTD, packed, n, out, sizeof(out)), -EBADMSG);
	assert_int_equal(dat_unpack(&u, DAT_PLAIN, packed, n, out, sizeof(out)), -EBADMSG);
	dat_unpacker_free(&u);
}

static void names(void **state)
{
	struct comms c = {0};
	char name[16];

	assert_null(comms_get(&c, 1));
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "task%d", i);
		comms_add(&c, i * 7, name, sizeof(name));
	}
	comms_add(&c, 7, "other", 5); /* the first name stays */
	comms_add(&c, -1, "x", 1);
	assert_string_equal(comms_get(&c, 7), "task1");
	assert_string_equal(comms_get(&c, 4999 * 7), "task4999");
	assert_null(comms_get(&c, 8));
	assert_null(comms_get(&c, -1));
	comms_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_like), cmocka_unit_test(dangerous),
		cmocka_unit_test(fields),      cmocka_unit_test(declarations),
		cmocka_unit_test(unpack),      cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
