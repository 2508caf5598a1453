// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "source/symtab.h"

static const char *find(const struct symtab *k, uint64_t addr, uint64_t *start)
{
	static char name[2048];
	size_t n;
	const char *s = symtab_find(k, addr, start, &n);

	if (!s)
		return "-";
	snprintf(name, sizeof(name), "%.*s", (int)n, s);
	return name;
}

static char *copy; /* without a NUL: reading behind it is found */

static struct symtab *of(const char *text)
{
	struct symtab *k;
	size_t n = strlen(text);

	copy = memcpy(malloc(n), text, n);
	assert_int_equal(symtab_new(copy, n, &k), 0);
	return k;
}

static void release(struct symtab *k)
{
	symtab_free(k);
	free(copy);
}

#define A "ffffffff81000"

static void lines(void **state)
{
	static const char text[] =
		"0000000000000000 A fixed_percpu_data\n" A "000 T _text\n" A "040 t $x.1\n" A
		"100 t  two_blanks\t[kvm]\n\n81000180 T short_address\n" A "200\tT\ttabs\t[kvm]\n" A
		"300 W upper\nFFFFFFFF81000400 T "
		"a_name_that_is_longer_than_what_is_looked_at_at_a_time_and_by_far_so_0123456789\n" A
		"500 T last";
	struct symtab *k = of(text);
	uint64_t start;

	assert_string_equal(find(k, 0xffffffff81000044, &start), "_text");
	assert_true(start == 0xffffffff81000000);
	assert_string_equal(find(k, 0xffffffff810001ff, &start), "two_blanks");
	assert_string_equal(find(k, 0x81000180, &start), "short_address");
	assert_string_equal(find(k, 0xffffffff81000201, &start), "tabs");
	assert_string_equal(find(k, 0xffffffff81000300, &start), "upper");
	assert_memory_equal(find(k, 0xffffffff81000400, &start), "a_name_that_is_longer", 21);
	assert_string_equal(find(k, 0xffffffff81000500, &start), "last");
	assert_string_equal(find(k, 0xffffffff81000501, &start), "-");
	assert_true(symtab_address(k, "tabs") == 0xffffffff81000200);
	assert_true(symtab_address(k, "tab") == 0);
	release(k);
}

/* What is no line of kallsyms ends it. */
static void ends(void **state)
{
	static const char *const bad[] = {
		"ffffffff81000010\n",
		"ffffffff81000010 T\n",
		"ffffffff81000010 T \n",
		"fffffffff81000010 T x\n",
		"x T y\n",
		"ffffffff81000010xT y\n",
	};
	char text[256];
	uint64_t start;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct symtab *k;

		snprintf(text, sizeof(text),
			 A "000 T a\n" A "001 T b\n%s" A "020 T z\n" A "030 T y\n", bad[i]);
		k = of(text);
		assert_string_equal(find(k, 0xffffffff81000000, &start), "a");
		assert_string_equal(find(k, 0xffffffff81000020, &start), "-");
		release(k);
	}
}

struct model {
	uint64_t addr;
	unsigned order;
};

static int compare(const void *a, const void *b)
{
	const struct model *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->order > y->order ? -1 : x->order < y->order;
}

/* A part in order, then one without, with addresses that several have. */
static void order(void **state)
{
	for (unsigned round = 0; round < 300; round++) {
		_cleanup_strbuf_ struct strbuf b = {0};
		unsigned n = 1 + (unsigned)random() % 300, sorted = (unsigned)random() % (n + 1);
		struct model m[300];
		struct symtab *k;
		uint64_t addr = 0xffffffff81000000, start;
		char want[32];

		for (unsigned i = 0; i < n; i++) {
			addr = i < sorted ? addr + (unsigned)random() % 3
					  : 0xffffffff81000000 + (unsigned)random() % 400;
			m[i] = (struct model){addr, i};
			strbuf_printf(&b, "%" PRIx64 " t f%u%s\n", addr, i,
				      random() % 2 ? "\t[module]" : "");
		}
		assert_int_equal(symtab_new(b.s, b.n, &k), 0);
		qsort(m, n, sizeof(m[0]), compare);
		for (unsigned i = 0; i < n; i++) {
			if (i + 1 == n || m[i + 1].addr == m[i].addr ||
			    m[i + 1].addr == m[i].addr + 1)
				continue;
			/* between two the last one of those at the address below counts */
			snprintf(want, sizeof(want), "f%u", m[i].order);
			assert_string_equal(find(k, m[i].addr + 1, &start), want);
			assert_true(start == m[i].addr);
		}
		symtab_free(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(ends),
		cmocka_unit_test(order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
