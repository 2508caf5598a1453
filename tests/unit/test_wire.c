// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/wire/codec.h"

static struct wire_start start;
static struct wire_cpus cpus;
static struct wire_stats stats;

static int decode(uint32_t type, const void *b, size_t n)
{
	union {
		struct wire_hello hello;
		struct wire_refuse refuse;
		struct wire_meta meta;
		struct wire_pair pair;
	} u;

	switch (type) {
	case WIRE_HELLO:
		return wire_get_hello(b, n, &u.hello);
	case WIRE_REFUSE:
		return wire_get_refuse(b, n, &u.refuse);
	case WIRE_START:
		return wire_get_start(b, n, &start);
	case WIRE_META:
		return wire_get_meta(b, n, &u.meta);
	case WIRE_CPUS:
		return wire_get_cpus(b, n, &cpus);
	case WIRE_PAIR:
		return wire_get_pair(b, n, &u.pair);
	case WIRE_STATS:
		return wire_get_stats(b, n, &stats);
	}
	return -ENOTSUP;
}

/* Takes the one message in buf apart: header and body. */
static const void *body_of(const struct strbuf *buf, struct wire_header *h)
{
	assert_false(buf->failed);
	assert_int_equal(wire_get_header((const uint8_t *)buf->s, h), 0);
	assert_int_equal(buf->n, WIRE_HEADER_BYTES + h->len);
	return buf->s + WIRE_HEADER_BYTES;
}

static bool text_is(struct wire_text t, const char *s)
{
	return t.n == strlen(s) && !memcmp(t.s, s, t.n);
}

static void put_all(struct strbuf out[7])
{
	static struct wire_cpus c = {4096, 3, 2, {{0, 0}, {2, 7}}};
	static struct wire_stats s = {77, 1, {{4096, 3, 2, 1}}};
	struct wire_start st = {1,
				1 << 20,
				wire_text("x86-tsc"),
				2,
				1,
				{wire_text("sched"), wire_text("irq:* if irq==3")},
				{wire_text("uprobe sh:main a=%di:u64")}};

	wire_put_hello(&out[0], &(struct wire_hello){WIRE_VERSION, wire_text("onetsc 0.1.0"),
						     wire_text("web1"), wire_text("")});
	wire_put_refuse(&out[1], WIRE_REFUSED_BUSY, "another session runs");
	wire_put_start(&out[2], &st);
	wire_put_meta(&out[3], &(struct wire_meta){META_EVENT, wire_text("kvm"),
						   wire_text("kvm_exit"), wire_text("name: …")});
	wire_put_cpus(&out[4], &c);
	wire_put_pair(&out[5], 9, &(struct wire_pair){1, 1ull << 63, 130, -5, 6, INT64_MAX});
	wire_put_stats(&out[6], &s);
}

static void free_all(struct strbuf out[7])
{
	for (int i = 0; i < 7; i++)
		strbuf_free(&out[i]);
}

static void roundtrip(void **state)
{
	struct strbuf out[7] = {0};
	struct wire_header h;
	struct wire_hello hello;
	struct wire_refuse refuse;
	struct wire_meta meta;
	struct wire_pair pair;
	const void *b;

	put_all(out);
	b = body_of(&out[0], &h);
	assert_int_equal(wire_get_hello(b, h.len, &hello), 0);
	assert_int_equal(h.type, WIRE_HELLO);
	assert_int_equal(hello.version, WIRE_VERSION);
	assert_true(text_is(hello.tool, "onetsc 0.1.0") && text_is(hello.name, "web1"));
	assert_int_equal(hello.token.n, 0);
	b = body_of(&out[1], &h);
	assert_int_equal(wire_get_refuse(b, h.len, &refuse), 0);
	assert_int_equal(refuse.code, WIRE_REFUSED_BUSY);
	assert_true(text_is(refuse.why, "another session runs"));
	b = body_of(&out[2], &h);
	assert_int_equal(wire_get_start(b, h.len, &start), 0);
	assert_int_equal(start.flags, 1);
	assert_int_equal(start.buffer_bytes, 1 << 20);
	assert_int_equal(start.n, 2);
	assert_true(text_is(start.clock, "x86-tsc") && text_is(start.patterns[0], "sched"));
	assert_true(text_is(start.patterns[1], "irq:* if irq==3"));
	assert_int_equal(start.n_probes, 1);
	assert_true(text_is(start.probes[0], "uprobe sh:main a=%di:u64"));
	b = body_of(&out[3], &h);
	assert_int_equal(wire_get_meta(b, h.len, &meta), 0);
	assert_int_equal(meta.kind, META_EVENT);
	assert_true(text_is(meta.system, "kvm") && text_is(meta.name, "kvm_exit"));
	assert_true(text_is(meta.text, "name: …"));
	b = body_of(&out[4], &h);
	assert_int_equal(wire_get_cpus(b, h.len, &cpus), 0);
	assert_int_equal(cpus.page_bytes, 4096);
	assert_int_equal(cpus.streams, 3);
	assert_int_equal(cpus.n, 2);
	assert_int_equal(cpus.v[1].cpu, 2);
	assert_int_equal(cpus.v[1].apic_id, 7);
	b = body_of(&out[5], &h);
	assert_int_equal(wire_get_pair(b, h.len, &pair), 0);
	assert_int_equal(h.arg, 9);
	assert_true(pair.cpu == 1 && pair.tsc == 1ull << 63 && pair.width_ticks == 130);
	assert_true(pair.realtime_ns == -5 && pair.monotonic_ns == 6);
	assert_true(pair.boottime_ns == INT64_MAX);
	b = body_of(&out[6], &h);
	assert_int_equal(wire_get_stats(b, h.len, &stats), 0);
	assert_int_equal(stats.cpu_time_us, 77);
	assert_int_equal(stats.n, 1);
	assert_true(stats.v[0].bytes == 4096 && stats.v[0].events == 3);
	assert_true(stats.v[0].overrun == 2 && stats.v[0].dropped == 1);
	free_all(out);
}

/* A body cut anywhere is refused, and so is one with a byte too many. The copy has exactly the
 * length that is told, so that the sanitizer sees each read behind it. */
static void cut(void **state)
{
	struct strbuf out[7] = {0};
	struct wire_header h;

	put_all(out);
	for (int i = 0; i < 7; i++) {
		const char *b = body_of(&out[i], &h);
		size_t fixed = h.type == WIRE_META ? h.len - strlen("name: …") : h.len;

		for (size_t n = 0; n <= h.len + 1; n++) {
			char *copy = calloc(1, n + !n);
			bool fine = n == h.len || (h.type == WIRE_META && n >= fixed) ||
				    (h.type == WIRE_REFUSE && n > fixed);

			memcpy(copy, b, n < h.len ? n : h.len);
			if (!!decode(h.type, copy, n) == fine)
				fail_msg("type %u, %zu of %u bytes", h.type, n, h.len);
			free(copy);
		}
	}
	free_all(out);
}

static void other_version(void **state)
{
	struct strbuf b = {0};
	struct wire_header h;
	struct wire_hello m;

	wire_put_hello(&b, &(struct wire_hello){WIRE_VERSION + 1, wire_text("onetsc 9"),
						wire_text(""), wire_text("")});
	strbuf_add(&b, "more", 4); /* a later version may say more */
	assert_int_equal(wire_get_header((const uint8_t *)b.s, &h), 0);
	assert_int_equal(wire_get_hello(b.s + WIRE_HEADER_BYTES, h.len + 4, &m), 0);
	assert_int_equal(m.version, WIRE_VERSION + 1);
	assert_int_equal(wire_get_hello("GET / HTTP/1.1\r\n\r\n", 18, &m), -EPROTO);
	strbuf_free(&b);
}

static void too_many_probes(void **state)
{
	uint8_t body[29 + 2 * (WIRE_PROBES_MAX + 1)] = {0};
	const size_t at = 4 + 8 + 2 + 7 + 4; /* flags, buffer, clock, no patterns */

	body[12] = 7;
	memcpy(body + 14, "x86-tsc", 7);
	body[at] = WIRE_PROBES_MAX;
	assert_int_equal(wire_get_start(body, at + 4 + 2 * WIRE_PROBES_MAX, &start), 0);
	assert_int_equal(start.n_probes, WIRE_PROBES_MAX);
	body[at] = WIRE_PROBES_MAX + 1;
	assert_int_equal(wire_get_start(body, sizeof(body), &start), -EBADMSG);
	body[at + 3] = 0xff;
	assert_int_equal(wire_get_start(body, sizeof(body), &start), -EBADMSG);
}

static void limits(void **state)
{
	uint8_t h[WIRE_HEADER_BYTES];
	struct wire_header got;
	struct strbuf b = {0};
	struct wire_hello hello;
	char big[WIRE_TEXT_MAX + 100];

	wire_put_header(h, WIRE_DATA, 1, WIRE_BODY_MAX);
	assert_int_equal(wire_get_header(h, &got), 0);
	wire_put_header(h, WIRE_DATA, 1, WIRE_BODY_MAX + 1);
	assert_int_equal(wire_get_header(h, &got), -EBADMSG);
	wire_put_header(h, WIRE_TYPES, 0, 0);
	assert_int_equal(wire_get_header(h, &got), -EBADMSG);
	wire_put_header(h, 0, 0, 0);
	assert_int_equal(wire_get_header(h, &got), -EBADMSG);

	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = 0;
	wire_put_hello(&b, &(struct wire_hello){1, wire_text(big), wire_text(""), wire_text("")});
	assert_int_equal(wire_get_hello(b.s + WIRE_HEADER_BYTES, b.n - WIRE_HEADER_BYTES, &hello),
			 0);
	assert_int_equal(hello.tool.n, WIRE_TEXT_MAX);
	/* One byte more on the wire than a text may have. */
	b.s[WIRE_HEADER_BYTES + 12]++;
	assert_int_equal(wire_get_hello(b.s + WIRE_HEADER_BYTES, b.n - WIRE_HEADER_BYTES, &hello),
			 -EBADMSG);
	strbuf_free(&b);
}

static int cpus_with(uint32_t page, uint32_t streams, uint32_t cpu)
{
	static struct wire_cpus c;
	struct strbuf b = {0};
	int r;

	c = (struct wire_cpus){page, streams, 1, {{cpu, 0}}};
	wire_put_cpus(&b, &c);
	r = wire_get_cpus(b.s + WIRE_HEADER_BYTES, b.n - WIRE_HEADER_BYTES, &cpus);
	strbuf_free(&b);
	return r;
}

static void hostile_cpus(void **state)
{
	assert_int_equal(cpus_with(4096, 2, 1), 0);
	assert_int_equal(cpus_with(4096, 2, 2), -EBADMSG);
	assert_int_equal(cpus_with(4096, 0, 0), -EBADMSG);
	assert_int_equal(cpus_with(4096, WIRE_CPUS_MAX + 1, 0), -EBADMSG);
	assert_int_equal(cpus_with(4095, 2, 0), -EBADMSG);
	assert_int_equal(cpus_with(2048, 2, 0), -EBADMSG);
	assert_int_equal(cpus_with(WIRE_PAGE_MAX, 2, 0), 0);
	assert_int_equal(cpus_with(WIRE_PAGE_MAX * 2, 2, 0), -EBADMSG);
}

/* Random bodies and valid ones with random bytes changed: no crash, no sanitizer report. */
static void noise(void **state)
{
	struct strbuf out[7] = {0};
	struct wire_header h;
	uint64_t seed = 42;
	unsigned accepted = 0;

	put_all(out);
	for (int round = 0; round < 40000; round++) {
		const char *b = body_of(&out[round % 7], &h);
		size_t n;
		char *copy;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		n = round & 1 ? h.len : (seed >> 33) % 200;
		copy = malloc(n + !n);
		for (size_t i = 0; i < n; i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			copy[i] = (round & 1) && (seed >> 60) ? b[i] : (char)(seed >> 40);
		}
		accepted += !decode(h.type, copy, n);
		free(copy);
	}
	assert_in_range(accepted, 1, 39999);
	free_all(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(roundtrip),	   cmocka_unit_test(cut),
		cmocka_unit_test(other_version),   cmocka_unit_test(limits),
		cmocka_unit_test(too_many_probes), cmocka_unit_test(hostile_cpus),
		cmocka_unit_test(noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
