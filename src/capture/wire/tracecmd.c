// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/wire/tracecmd.h"

#include <errno.h>
#include <string.h>

#define REQUEST_FIXED  16 /* u32 flags, u32 (unused), u64 trace id */
#define RESPONSE_FIXED 40 /* u32 flags, CPUs, page, u64 trace id, 16 bytes name, u32 port */
#define PARAM_ARGS     0

static uint64_t get_be(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static void put_be(struct strbuf *out, uint64_t v, size_t bytes)
{
	char b[8];

	for (size_t i = 0; i < bytes; i++)
		b[i] = (char)(v >> (8 * (bytes - 1 - i)));
	strbuf_add(out, b, bytes);
}

static void put_header(struct strbuf *out, uint32_t type, size_t fixed, size_t rest)
{
	put_be(out, TRACECMD_HEADER_BYTES + fixed + rest, 4);
	put_be(out, type, 4);
	put_be(out, fixed, 4);
}

int tracecmd_get_header(const uint8_t from[TRACECMD_HEADER_BYTES], struct tracecmd_header *ret)
{
	struct tracecmd_header h = {(uint32_t)get_be(from, 4), (uint32_t)get_be(from + 4, 4),
				    (uint32_t)get_be(from + 8, 4)};

	if (h.size < TRACECMD_HEADER_BYTES || h.size > TRACECMD_MSG_MAX ||
	    h.type >= TRACECMD_TYPES || h.fixed > h.size - TRACECMD_HEADER_BYTES)
		return -EBADMSG;
	*ret = h;
	return 0;
}

/* Port numbers in decimal, each ended by a zero byte. */
static int get_ports(const char *p, size_t n, struct tracecmd_response *ret)
{
	for (uint32_t i = 0; i < ret->cpus; i++) {
		const char *end = memchr(p, 0, n);
		uint64_t port;

		if (!end || text_to_u64(p, &port) || !port || port >= UINT32_MAX)
			return -EBADMSG;
		ret->ports[i] = (uint32_t)port;
		n -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	return 0;
}

int tracecmd_get_response(const void *body, size_t n, uint32_t fixed, struct tracecmd_response *ret)
{
	const uint8_t *p = body;

	/* A later version may have more; what is known comes first. */
	if (fixed < RESPONSE_FIXED || fixed > n)
		return -EBADMSG;
	ret->flags = (uint32_t)get_be(p, 4);
	ret->cpus = (uint32_t)get_be(p + 4, 4);
	ret->page_bytes = (uint32_t)get_be(p + 8, 4);
	ret->trace_id = get_be(p + 12, 8);
	if (!ret->cpus || ret->cpus > WIRE_CPUS_MAX || ret->page_bytes < 4096 ||
	    ret->page_bytes > WIRE_PAGE_MAX || ret->page_bytes & (ret->page_bytes - 1))
		return -EBADMSG;
	return get_ports((const char *)p + fixed, n - fixed, ret);
}

void tracecmd_put_close(struct strbuf *out)
{
	put_header(out, TRACECMD_CLOSE, 0, 0);
}

int tracecmd_put_request(struct strbuf *out, uint64_t trace_id, const char *const *args,
			 size_t n_args)
{
	size_t bytes = 4;

	for (size_t i = 0; i < n_args; i++)
		bytes += strlen(args[i]) + 1;
	if (bytes > TRACECMD_MSG_MAX - TRACECMD_HEADER_BYTES - REQUEST_FIXED - 8)
		return -E2BIG;
	put_header(out, TRACECMD_TRACE_REQ, REQUEST_FIXED, 8 + bytes);
	put_be(out, 0, 8);
	put_be(out, trace_id, 8);
	put_be(out, PARAM_ARGS, 4);
	put_be(out, bytes, 4);
	put_be(out, n_args, 4);
	for (size_t i = 0; i < n_args; i++)
		strbuf_add(out, args[i], strlen(args[i]) + 1);
	return 0;
}

static void add_argument(struct strbuf *out, const char *s, size_t n, size_t *count)
{
	strbuf_add(out, s, n);
	strbuf_add(out, "", 1);
	++*count;
}

static void add_pattern(struct strbuf *out, const char *pattern, size_t *count)
{
	const char *filter = strstr(pattern, " if ");
	size_t n = filter ? (size_t)(filter - pattern) : strlen(pattern);

	add_argument(out, "-e", 2, count);
	add_argument(out, pattern, n, count);
	if (!filter)
		return;
	filter += strlen(" if ");
	add_argument(out, "-f", 2, count);
	add_argument(out, filter, strlen(filter), count);
}

void tracecmd_arguments(const char *const *patterns, size_t n, uint64_t buffer_bytes,
			struct strbuf *out, size_t *ret_n)
{
	static const char *const fixed[] = {"-C", "x86-tsc", "--file-version", "6", "-q",
					    "-i", "-b"};
	char kb[24];

	*ret_n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		add_argument(out, fixed[i], strlen(fixed[i]), ret_n);
	snprintf(kb, sizeof(kb), "%llu", (unsigned long long)(buffer_bytes >> 10 ?: 1));
	add_argument(out, kb, strlen(kb), ret_n);
	for (size_t i = 0; i < n; i++)
		add_pattern(out, patterns[i], ret_n);
}
