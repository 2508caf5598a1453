// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "capture/wire/codec.h"
#include "capture/wire/tracecmd.h"

#define MAGIC	   "\x17\x08\x44tracing"
#define OPTION_END 0
#define CLOCK	   4 /* options */
#define UNAME	   5

/* The unread rest. Reading past its end sets bad, which sticks; values are then 0. */
struct in {
	const uint8_t *p;
	size_t n;
	bool bad;
	tracecmd_emit_fn *emit;
	void *ctx;
};

static const uint8_t *take(struct in *in, uint64_t n)
{
	const uint8_t *p = in->p;

	if (in->bad || n > in->n) {
		in->bad = true;
		return NULL;
	}
	in->p += n;
	in->n -= n;
	return p;
}

static uint64_t take_le(struct in *in, unsigned bytes)
{
	const uint8_t *p = take(in, bytes);
	uint64_t v = 0;

	for (unsigned i = bytes; p && i--;)
		v = v << 8 | p[i];
	return v;
}

/* A string ended by a zero byte. */
static struct wire_text take_string(struct in *in)
{
	const uint8_t *end = in->bad ? NULL : memchr(in->p, 0, in->n);
	struct wire_text t = {"", 0};

	if (!end) {
		in->bad = true;
		return t;
	}
	t = (struct wire_text){(const char *)in->p, (size_t)(end - in->p)};
	return take(in, t.n + 1) ? t : (struct wire_text){"", 0};
}

static struct wire_text take_text(struct in *in, unsigned length_bytes)
{
	uint64_t n = take_le(in, length_bytes);
	const uint8_t *p = take(in, n);

	return (struct wire_text){p ? (const char *)p : "", p ? (size_t)n : 0};
}

static int emit_text(struct in *in, enum wire_meta_kind kind, struct wire_text t)
{
	if (in->bad)
		return -EBADMSG;
	return t.n ? in->emit(in->ctx, kind, NULL, NULL, t.s, t.n) : 0;
}

static int take_named(struct in *in, const char *name, enum wire_meta_kind kind)
{
	struct wire_text t = take_string(in);

	if (in->bad || t.n != strlen(name) || memcmp(t.s, name, t.n))
		return -EBADMSG;
	t = take_text(in, 8);
	return emit_text(in, kind, t);
}

/* A format begins "name: sched_switch\n". */
static int format_name(struct wire_text format, char *buf, size_t size)
{
	static const char key[] = "name: ";
	const size_t k = sizeof(key) - 1;
	const char *nl = memchr(format.s, '\n', format.n);

	if (!nl || (size_t)(nl - format.s) <= k || memcmp(format.s, key, k))
		return -EBADMSG;
	return wire_name((struct wire_text){format.s + k, (size_t)(nl - format.s) - k}, buf, size);
}

static int take_formats(struct in *in, enum wire_meta_kind kind, const char *system)
{
	uint32_t n = (uint32_t)take_le(in, 4);
	int r = 0;

	for (uint32_t i = 0; i < n && !r; i++) {
		struct wire_text t = take_text(in, 8);
		char name[128];

		r = in->bad ? -EBADMSG : format_name(t, name, sizeof(name));
		if (!r)
			r = in->emit(in->ctx, kind, system, name, t.s, t.n);
	}
	return in->bad ? -EBADMSG : r;
}

static int take_systems(struct in *in)
{
	uint32_t n = (uint32_t)take_le(in, 4);
	int r = 0;

	for (uint32_t i = 0; i < n && !r; i++) {
		char system[128];

		r = wire_name(take_string(in), system, sizeof(system));
		if (!r)
			r = in->bad || !*system ? -EBADMSG : take_formats(in, META_EVENT, system);
	}
	return in->bad ? -EBADMSG : r;
}

/* Texts of options end with a zero byte. */
static struct wire_text without_end(struct wire_text t)
{
	const char *end = memchr(t.s, 0, t.n);

	return end ? (struct wire_text){t.s, (size_t)(end - t.s)} : t;
}

static int take_options(struct in *in)
{
	const uint8_t *mark = take(in, 10);
	int r = 0;

	if (!mark || memcmp(mark, "options  ", 10))
		return -EBADMSG;
	while (!r) {
		uint16_t id = (uint16_t)take_le(in, 2);
		struct wire_text t;

		if (in->bad)
			return -EBADMSG;
		if (id == OPTION_END)
			return 0;
		t = take_text(in, 4);
		if (in->bad)
			return -EBADMSG;
		if (id == CLOCK || id == UNAME)
			r = emit_text(in, id == CLOCK ? META_CLOCK : META_UNAME, without_end(t));
	}
	return r;
}

static int take_start(struct in *in, uint32_t *ret_page_bytes)
{
	const uint8_t *magic = take(in, 10);
	struct wire_text version = take_string(in);
	uint64_t big_endian = take_le(in, 1), word = take_le(in, 1), page = take_le(in, 4);

	if (in->bad || memcmp(magic, MAGIC, 10))
		return -EBADMSG;
	if (version.n != 1 || *version.s != '6' || big_endian || word != 8)
		return -EPROTONOSUPPORT;
	if (page < 4096 || page > WIRE_PAGE_MAX || page & (page - 1))
		return -EBADMSG;
	*ret_page_bytes = (uint32_t)page;
	return 0;
}

int tracecmd_head(const void *head, size_t n, tracecmd_emit_fn *emit, void *ctx,
		  uint32_t *ret_page_bytes)
{
	struct in in = {head, n, false, emit, ctx};
	int r = take_start(&in, ret_page_bytes);

	if (!r)
		r = take_named(&in, "header_page", META_HEADER_PAGE);
	if (!r)
		r = take_named(&in, "header_event", META_HEADER_EVENT);
	if (!r)
		r = take_formats(&in, META_FTRACE, "ftrace");
	if (!r)
		r = take_systems(&in);
	if (!r)
		r = emit_text(&in, META_KALLSYMS, take_text(&in, 4));
	if (!r)
		r = emit_text(&in, META_PRINTK, take_text(&in, 4));
	if (!r)
		r = emit_text(&in, META_CMDLINES, take_text(&in, 8));
	if (!r && !take(&in, 4)) /* CPUs: known from TRACE_RESP */
		r = -EBADMSG;
	return r ? r : take_options(&in);
}
