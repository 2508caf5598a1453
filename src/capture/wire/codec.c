// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/wire/codec.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* The unread rest of a body. Reading past its end sets bad, which sticks; values are then 0. */
struct in {
	const uint8_t *p;
	size_t n;
	bool bad;
};

static uint64_t get_uint(struct in *in, size_t bytes)
{
	uint64_t v = 0;

	if (in->n < bytes)
		in->bad = true;
	if (in->bad)
		return 0;
	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)in->p[i] << (8 * i);
	in->p += bytes;
	in->n -= bytes;
	return v;
}

static struct wire_text get_text(struct in *in)
{
	struct wire_text t = {"", 0};
	size_t n = (size_t)get_uint(in, 2);

	if (n > WIRE_TEXT_MAX || n > in->n)
		in->bad = true;
	if (in->bad)
		return t;
	t = (struct wire_text){(const char *)in->p, n};
	in->p += n;
	in->n -= n;
	return t;
}

static int get_end(const struct in *in)
{
	return in->bad || in->n ? -EBADMSG : 0;
}

static void put_uint(struct strbuf *out, uint64_t v, size_t bytes)
{
	char b[8];

	for (size_t i = 0; i < bytes; i++)
		b[i] = (char)(v >> (8 * i));
	strbuf_add(out, b, bytes);
}

static void put_text(struct strbuf *out, struct wire_text t)
{
	size_t n = t.n < WIRE_TEXT_MAX ? t.n : WIRE_TEXT_MAX;

	put_uint(out, n, 2);
	if (n)
		strbuf_add(out, t.s, n);
}

struct wire_text wire_text(const char *s)
{
	return (struct wire_text){s, strnlen(s, WIRE_TEXT_MAX)};
}

char *wire_text_print(struct wire_text t, char *buf, size_t n)
{
	char copy[WIRE_TEXT_MAX + 1];

	memcpy(copy, t.s, t.n);
	copy[t.n] = 0;
	return text_escape(buf, n, copy);
}

int wire_name(struct wire_text t, char *buf, size_t size)
{
	if (t.n >= size)
		return -EBADMSG;
	for (size_t i = 0; i < t.n; i++)
		if (!isalnum((unsigned char)t.s[i]) && !strchr("_-.", t.s[i]))
			return -EBADMSG;
	memcpy(buf, t.s, t.n);
	buf[t.n] = 0;
	return 0;
}

void wire_put_header(uint8_t to[WIRE_HEADER_BYTES], uint32_t type, uint32_t arg, size_t n)
{
	const uint32_t v[3] = {type, arg, (uint32_t)n};

	for (size_t i = 0; i < WIRE_HEADER_BYTES; i++)
		to[i] = (uint8_t)(v[i / 4] >> (8 * (i % 4)));
}

void wire_put(struct strbuf *out, uint32_t type, uint32_t arg, const void *body, size_t n)
{
	uint8_t h[WIRE_HEADER_BYTES];

	wire_put_header(h, type, arg, n);
	strbuf_add(out, (const char *)h, sizeof(h));
	if (n)
		strbuf_add(out, body, n);
}

static void put_body(struct strbuf *out, uint32_t type, uint32_t arg, struct strbuf *body)
{
	if (body->failed)
		out->failed = true;
	else
		wire_put(out, type, arg, body->s, body->n);
	strbuf_free(body);
}

void wire_put_hello(struct strbuf *out, const struct wire_hello *m)
{
	struct strbuf b = {0};

	strbuf_add(&b, WIRE_MAGIC, WIRE_MAGIC_BYTES);
	put_uint(&b, m->version, 4);
	put_text(&b, m->tool);
	put_text(&b, m->name);
	put_text(&b, m->token);
	put_body(out, WIRE_HELLO, 0, &b);
}

void wire_put_refuse(struct strbuf *out, enum wire_refusal code, const char *why)
{
	struct strbuf b = {0};

	put_uint(&b, code, 4);
	put_text(&b, wire_text(why));
	put_body(out, WIRE_REFUSE, 0, &b);
}

void wire_put_start(struct strbuf *out, const struct wire_start *m)
{
	struct strbuf b = {0};

	put_uint(&b, m->flags, 4);
	put_uint(&b, m->buffer_bytes, 8);
	put_text(&b, m->clock);
	put_uint(&b, m->n, 4);
	for (uint32_t i = 0; i < m->n; i++)
		put_text(&b, m->patterns[i]);
	put_uint(&b, m->n_probes, 4);
	for (uint32_t i = 0; i < m->n_probes; i++)
		put_text(&b, m->probes[i]);
	put_body(out, WIRE_START, 0, &b);
}

void wire_put_meta(struct strbuf *out, const struct wire_meta *m)
{
	struct strbuf b = {0};

	put_uint(&b, m->kind, 1);
	put_text(&b, m->system);
	put_text(&b, m->name);
	if (m->text.n)
		strbuf_add(&b, m->text.s, m->text.n);
	put_body(out, WIRE_META, 0, &b);
}

void wire_put_cpus(struct strbuf *out, const struct wire_cpus *m)
{
	struct strbuf b = {0};

	put_uint(&b, m->page_bytes, 4);
	put_uint(&b, m->streams, 4);
	put_uint(&b, m->n, 4);
	for (uint32_t i = 0; i < m->n; i++) {
		put_uint(&b, m->v[i].cpu, 4);
		put_uint(&b, m->v[i].apic_id, 4);
	}
	put_body(out, WIRE_CPUS, 0, &b);
}

void wire_put_pair(struct strbuf *out, uint32_t arg, const struct wire_pair *m)
{
	struct strbuf b = {0};

	put_uint(&b, m->cpu, 4);
	put_uint(&b, m->tsc, 8);
	put_uint(&b, m->width_ticks, 8);
	put_uint(&b, (uint64_t)m->realtime_ns, 8);
	put_uint(&b, (uint64_t)m->monotonic_ns, 8);
	put_uint(&b, (uint64_t)m->boottime_ns, 8);
	put_body(out, WIRE_PAIR, arg, &b);
}

void wire_put_stats(struct strbuf *out, const struct wire_stats *m)
{
	struct strbuf b = {0};

	put_uint(&b, m->cpu_time_us, 8);
	put_uint(&b, m->n, 4);
	for (uint32_t i = 0; i < m->n; i++) {
		put_uint(&b, m->v[i].bytes, 8);
		put_uint(&b, m->v[i].events, 8);
		put_uint(&b, m->v[i].overrun, 8);
		put_uint(&b, m->v[i].dropped, 8);
	}
	put_body(out, WIRE_STATS, 0, &b);
}

int wire_get_header(const uint8_t from[WIRE_HEADER_BYTES], struct wire_header *ret)
{
	struct in in = {from, WIRE_HEADER_BYTES, false};
	struct wire_header h;

	h.type = (uint32_t)get_uint(&in, 4);
	h.arg = (uint32_t)get_uint(&in, 4);
	h.len = (uint32_t)get_uint(&in, 4);
	if (h.type < WIRE_HELLO || h.type >= WIRE_TYPES || h.len > WIRE_BODY_MAX)
		return -EBADMSG;
	*ret = h;
	return 0;
}

int wire_get_hello(const void *body, size_t n, struct wire_hello *ret)
{
	struct in in = {body, n, false};
	struct wire_hello m = {0};

	if (n < WIRE_MAGIC_BYTES || memcmp(body, WIRE_MAGIC, WIRE_MAGIC_BYTES))
		return -EPROTO;
	in.p += WIRE_MAGIC_BYTES;
	in.n -= WIRE_MAGIC_BYTES;
	m.version = (uint32_t)get_uint(&in, 4);
	m.tool = get_text(&in);
	m.name = get_text(&in);
	m.token = get_text(&in);
	/* A later version may say more here; it must still be told clearly that it is another one. */
	if (in.bad || (m.version == WIRE_VERSION && in.n))
		return -EBADMSG;
	*ret = m;
	return 0;
}

int wire_get_refuse(const void *body, size_t n, struct wire_refuse *ret)
{
	struct in in = {body, n, false};
	struct wire_refuse m;

	m.code = (uint32_t)get_uint(&in, 4);
	m.why = get_text(&in);
	if (in.bad)
		return -EBADMSG;
	*ret = m;
	return 0;
}

int wire_get_start(const void *body, size_t n, struct wire_start *ret)
{
	struct in in = {body, n, false};

	ret->flags = (uint32_t)get_uint(&in, 4);
	ret->buffer_bytes = get_uint(&in, 8);
	ret->clock = get_text(&in);
	ret->n = (uint32_t)get_uint(&in, 4);
	if (ret->n > WIRE_PATTERNS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < ret->n; i++)
		ret->patterns[i] = get_text(&in);
	ret->n_probes = (uint32_t)get_uint(&in, 4);
	if (ret->n_probes > WIRE_PROBES_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < ret->n_probes; i++)
		ret->probes[i] = get_text(&in);
	return get_end(&in);
}

int wire_get_meta(const void *body, size_t n, struct wire_meta *ret)
{
	struct in in = {body, n, false};
	struct wire_meta m;

	m.kind = (uint8_t)get_uint(&in, 1);
	m.system = get_text(&in);
	m.name = get_text(&in);
	if (in.bad || m.kind >= META_KINDS)
		return -EBADMSG;
	m.text = (struct wire_text){(const char *)in.p, in.n};
	*ret = m;
	return 0;
}

int wire_get_cpus(const void *body, size_t n, struct wire_cpus *ret)
{
	struct in in = {body, n, false};

	ret->page_bytes = (uint32_t)get_uint(&in, 4);
	ret->streams = (uint32_t)get_uint(&in, 4);
	ret->n = (uint32_t)get_uint(&in, 4);
	if (ret->page_bytes < 4096 || ret->page_bytes > WIRE_PAGE_MAX ||
	    ret->page_bytes & (ret->page_bytes - 1) || !ret->streams ||
	    ret->streams > WIRE_CPUS_MAX || ret->n > ret->streams)
		return -EBADMSG;
	for (uint32_t i = 0; i < ret->n; i++) {
		ret->v[i].cpu = (uint32_t)get_uint(&in, 4);
		ret->v[i].apic_id = (uint32_t)get_uint(&in, 4);
		if (ret->v[i].cpu >= ret->streams)
			return -EBADMSG;
	}
	return get_end(&in);
}

int wire_get_pair(const void *body, size_t n, struct wire_pair *ret)
{
	struct in in = {body, n, false};
	struct wire_pair m;

	m.cpu = (uint32_t)get_uint(&in, 4);
	m.tsc = get_uint(&in, 8);
	m.width_ticks = get_uint(&in, 8);
	m.realtime_ns = (int64_t)get_uint(&in, 8);
	m.monotonic_ns = (int64_t)get_uint(&in, 8);
	m.boottime_ns = (int64_t)get_uint(&in, 8);
	if (get_end(&in))
		return -EBADMSG;
	*ret = m;
	return 0;
}

int wire_get_stats(const void *body, size_t n, struct wire_stats *ret)
{
	struct in in = {body, n, false};

	ret->cpu_time_us = get_uint(&in, 8);
	ret->n = (uint32_t)get_uint(&in, 4);
	if (ret->n > WIRE_CPUS_MAX)
		return -EBADMSG;
	for (uint32_t i = 0; i < ret->n; i++) {
		ret->v[i].bytes = get_uint(&in, 8);
		ret->v[i].events = get_uint(&in, 8);
		ret->v[i].overrun = get_uint(&in, 8);
		ret->v[i].dropped = get_uint(&in, 8);
	}
	return get_end(&in);
}
