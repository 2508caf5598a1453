// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages of trace-cmd agent and the head it sends, whole, cut and wrong. */
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/meta.h"
#include "capture/wire/tracecmd.h"

static void put_be(struct strbuf *b, uint64_t v, int bytes)
{
	while (bytes--)
		strbuf_add(b, (const char[]){(char)(v >> (8 * bytes))}, 1);
}

static void put_le(struct strbuf *b, uint64_t v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		strbuf_add(b, (const char[]){(char)(v >> (8 * i))}, 1);
}

static int header(uint32_t size, uint32_t type, uint32_t fixed)
{
	struct strbuf b = {0};
	struct tracecmd_header h;
	int r;

	put_be(&b, size, 4);
	put_be(&b, type, 4);
	put_be(&b, fixed, 4);
	r = tracecmd_get_header((const uint8_t *)b.s, &h);
	if (!r)
		assert_true(h.size == size && h.type == type && h.fixed == fixed);
	strbuf_free(&b);
	return r;
}

static void headers(void **state)
{
	assert_int_equal(header(12, TRACECMD_FIN_DATA, 0), 0);
	assert_int_equal(header(TRACECMD_MSG_MAX, TRACECMD_SEND_DATA, 0), 0);
	assert_int_equal(header(TRACECMD_MSG_MAX + 1, TRACECMD_SEND_DATA, 0), -EBADMSG);
	assert_int_equal(header(11, TRACECMD_FIN_DATA, 0), -EBADMSG);
	assert_int_equal(header(20, TRACECMD_TRACE_RESP, 8), 0);
	assert_int_equal(header(20, TRACECMD_TRACE_RESP, 9), -EBADMSG);
	assert_int_equal(header(12, TRACECMD_TYPES, 0), -EBADMSG);
}

/* A body of TRACE_RESP with those ports. */
static void put_response(struct strbuf *b, uint32_t cpus, uint32_t page, const char *ports,
			 size_t n)
{
	put_be(b, 0, 4);
	put_be(b, cpus, 4);
	put_be(b, page, 4);
	put_be(b, 77, 8);
	put_be(b, 0, 8);
	put_be(b, 0, 8);
	put_be(b, 0, 4);
	strbuf_add(b, ports, n);
}

static int response(uint32_t cpus, uint32_t page, const char *ports, size_t n)
{
	static struct tracecmd_response m;
	struct strbuf b = {0};
	int r;

	put_response(&b, cpus, page, ports, n);
	r = tracecmd_get_response(b.s, b.n, 40, &m);
	if (!r)
		assert_true(m.cpus == cpus && m.page_bytes == page && m.trace_id == 77 &&
			    m.ports[0] == 1025);
	strbuf_free(&b);
	return r;
}

static void responses(void **state)
{
	static struct tracecmd_response m;
	struct strbuf b = {0};

	assert_int_equal(response(2, 4096, "1025\0004294967294", 16), 0);
	assert_int_equal(response(2, 4096, "1025\0004294967295", 16), -EBADMSG);
	assert_int_equal(response(2, 4096, "1025\00010", 7), -EBADMSG); /* no end */
	assert_int_equal(response(2, 4096, "1025", 5), -EBADMSG);
	assert_int_equal(response(1, 4096, "0", 2), -EBADMSG);
	assert_int_equal(response(1, 4096, "x", 2), -EBADMSG);
	assert_int_equal(response(1, 4095, "1025", 5), -EBADMSG);
	assert_int_equal(response(1, WIRE_PAGE_MAX * 2, "1025", 5), -EBADMSG);
	assert_int_equal(response(0, 4096, "1025", 5), -EBADMSG);
	assert_int_equal(response(WIRE_CPUS_MAX + 1, 4096, "1025", 5), -EBADMSG);
	put_response(&b, 1, 4096, "1025", 5);
	for (size_t n = 0; n < b.n; n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, b.s, n);
		assert_int_equal(tracecmd_get_response(copy, n, 40, &m), -EBADMSG);
		free(copy);
	}
	assert_int_equal(tracecmd_get_response(b.s, b.n, 39, &m), -EBADMSG);
	strbuf_free(&b);
}

static void requests(void **state)
{
	static const char *const patterns[] = {"sched:sched_switch", "irq:* if irq==3"};
	static const char want[] = "-e\0sched:sched_switch\0-e\0irq:*\0-f\0irq==3";
	struct strbuf args = {0}, b = {0};
	struct tracecmd_header h;
	const char *list[64], *p;
	size_t n;

	tracecmd_arguments(patterns, 2, 8 << 20, &args, &n);
	assert_in_range(n, 13, 64);
	assert_non_null(memmem(args.s, args.n, want, sizeof(want)));
	assert_non_null(memmem(args.s, args.n, "-b\0008192\0", 8));
	p = args.s;
	for (size_t i = 0; i < n; i++, p += strlen(p) + 1)
		list[i] = p;
	assert_ptr_equal(p, args.s + args.n);
	assert_int_equal(tracecmd_put_request(&b, 5, list, n), 0);
	assert_int_equal(tracecmd_get_header((const uint8_t *)b.s, &h), 0);
	assert_true(h.type == TRACECMD_TRACE_REQ && h.size == b.n && h.fixed == 16);
	/* flags and a word of no use, trace id; parameter 0, its length, so many arguments */
	assert_memory_equal(b.s + 12, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0\0", 20);
	assert_memory_equal(b.s + b.n - args.n, args.s, args.n);
	assert_int_equal((uint8_t)b.s[b.n - args.n - 1], n);
	for (size_t i = 0; i < 64; i++)
		list[i] = args.s + 3; /* long enough together */
	strbuf_free(&b);
	tracecmd_put_close(&b);
	assert_int_equal(b.n, 12);
	assert_memory_equal(b.s, "\0\0\0\x0c\0\0\0\0\0\0\0\0", 12);
	strbuf_free(&b);
	strbuf_free(&args);
}

static void too_many_arguments(void **state)
{
	char *big = calloc(1, TRACECMD_MSG_MAX);
	const char *list[] = {big};
	struct strbuf b = {0};

	memset(big, 'x', TRACECMD_MSG_MAX - 1);
	assert_int_equal(tracecmd_put_request(&b, 5, list, 1), -E2BIG);
	assert_int_equal(b.n, 0);
	free(big);
}

/* --- the head --- */
static void put_text(struct strbuf *b, const char *s, int length_bytes)
{
	put_le(b, strlen(s), length_bytes);
	strbuf_puts(b, s);
}

static void put_head(struct strbuf *b, const char *version, const char *system, const char *format)
{
	strbuf_add(b, "\x17\x08\x44tracing", 10);
	strbuf_add(b, version, strlen(version) + 1);
	strbuf_add(b, "\0\x08", 2);
	put_le(b, 4096, 4);
	strbuf_add(b, "header_page", 12);
	put_text(b, "page", 8);
	strbuf_add(b, "header_event", 13);
	put_text(b, "event", 8);
	put_le(b, 1, 4);
	put_text(b, "name: print\nID: 5\n", 8);
	put_le(b, 1, 4);
	strbuf_add(b, system, strlen(system) + 1);
	put_le(b, 1, 4);
	put_text(b, format, 8);
	put_text(b, "ffff T _text\n", 4);
	put_text(b, "", 4);
	put_text(b, "1 init\n", 8);
	put_le(b, 2, 4);
	strbuf_add(b, "options  ", 10);
	put_le(b, 99, 2); /* one that nobody knows */
	put_text(b, "?", 4);
	put_le(b, 4, 2);
	put_text(b, "local [x86-tsc]", 4);
	put_le(b, 0, 2);
}

static int parse(const struct strbuf *b, size_t n, struct meta *m)
{
	char *copy = malloc(n + 1);
	uint32_t page;
	int r;

	memcpy(copy, b->s, n);
	r = tracecmd_head(copy, n, meta_store, m, &page);
	free(copy);
	return r;
}

#define FORMAT "name: sched_switch\nID: 3\nformat:\n"

static void whole_head(void **state)
{
	struct strbuf b = {0};
	struct meta m = {0};

	put_head(&b, "6", "sched", FORMAT);
	assert_int_equal(parse(&b, b.n, &m), 0);
	assert_int_equal(meta_get(&m, META_KALLSYMS).n, 13);
	assert_int_equal(meta_get(&m, META_CMDLINES).n, 7);
	assert_memory_equal(meta_get(&m, META_CLOCK).s, "local [x86-tsc]", 15);
	meta_sort(&m);
	array_for_each(t, &m.texts)
		if (t->kind == META_EVENT) {
			assert_string_equal(t->system, "sched");
			assert_string_equal(t->name, "sched_switch");
		}
	meta_free(&m);
	/* cut anywhere it is refused, and read no further than it is long */
	for (size_t n = 0; n < b.n; n++) {
		assert_int_equal(parse(&b, n, &m), -EBADMSG);
		meta_free(&m);
	}
	strbuf_free(&b);
}

static int head_of(const char *version, const char *system, const char *format)
{
	struct strbuf b = {0};
	struct meta m = {0};
	int r;

	put_head(&b, version, system, format);
	r = parse(&b, b.n, &m);
	meta_free(&m);
	strbuf_free(&b);
	return r;
}

static void wrong_heads(void **state)
{
	struct strbuf b = {0};
	struct meta m = {0};

	assert_int_equal(head_of("7", "sched", FORMAT), -EPROTONOSUPPORT);
	assert_int_equal(head_of("6", "../etc", FORMAT), -EBADMSG);
	assert_int_equal(head_of("6", "", FORMAT), -EBADMSG);
	assert_int_equal(head_of("6", "sched", "name: ../x\n"), -EBADMSG);
	assert_int_equal(head_of("6", "sched", "ID: 3\n"), -EBADMSG);
	assert_int_equal(head_of("6", "sched", "name: x"), -EBADMSG);
	put_head(&b, "6", "sched", FORMAT);
	b.s[12] = 1; /* big endian */
	assert_int_equal(parse(&b, b.n, &m), -EPROTONOSUPPORT);
	b.s[12] = 0;
	memset(b.s + 30, 0xff, 8); /* a text of 2^64 - 1 bytes */
	assert_int_equal(parse(&b, b.n, &m), -EBADMSG);
	meta_free(&m);
	strbuf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers),    cmocka_unit_test(responses),
		cmocka_unit_test(requests),   cmocka_unit_test(too_many_arguments),
		cmocka_unit_test(whole_head), cmocka_unit_test(wrong_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
