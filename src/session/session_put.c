// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/session_json.h"

#include <inttypes.h>
#include <string.h>

#include "session/session_fields.h"

static int64_t load_signed(const void *p, size_t size)
{
	return size == 8 ? *(const int64_t *)p : *(const int32_t *)p;
}

static uint64_t load_unsigned(const void *p, size_t size)
{
	return size == 8 ? *(const uint64_t *)p : *(const uint32_t *)p;
}

/* Bytes of s that are kept: whole UTF-8 sequences up to the limit. */
static size_t kept_bytes(const char *s)
{
	size_t n = strnlen(s, SESSION_STRING_MAX + 1);

	if (n <= SESSION_STRING_MAX)
		return n;
	/* a replaced byte takes three: stay below the limit whatever the bytes are */
	for (n = SESSION_STRING_MAX / 3; n && (s[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

static void put_string(struct strbuf *b, const char *s)
{
	size_t n = kept_bytes(s);
	_cleanup_free_ char *line = malloc(n + 1);

	if (!line) {
		b->failed = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		line[i] = (unsigned char)s[i] < 0x20 || s[i] == 0x7f ? '?' : s[i];
	strbuf_json(b, line, n);
}

static void put_value(struct strbuf *b, const struct field *f, const void *p)
{
	switch (f->kind) {
	case K_STR:
	case K_FILE:
		put_string(b, *(char *const *)p);
		break;
	case K_BOOL:
		strbuf_puts(b, *(const bool *)p ? "true" : "false");
		break;
	case K_NUM:
		strbuf_printf(b, "%" PRIu64, load_unsigned(p, f->size));
		break;
	case K_INT:
		strbuf_printf(b, "%" PRId64, load_signed(p, f->size));
		break;
	case K_U64:
		strbuf_printf(b, "\"%" PRIu64 "\"", load_unsigned(p, f->size));
		break;
	case K_HEX:
		strbuf_printf(b, "\"%#" PRIx64 "\"", load_unsigned(p, f->size));
		break;
	case K_S64:
		strbuf_printf(b, "\"%" PRId64 "\"", load_signed(p, f->size));
		break;
	}
}

static bool is_absent(const struct field *f, const char *obj)
{
	if (f->kind == K_STR || f->kind == K_FILE)
		return !*(char *const *)(obj + f->at);
	return f->has && !*(const bool *)(obj + f->has - 1);
}

/* Members of obj, separated by sep; no brackets. */
static void put_fields(struct strbuf *b, const struct field *fields, const void *obj,
		       const char *sep)
{
	const char *p = obj, *between = "";

	for (const struct field *f = fields; f->key; f++) {
		if (is_absent(f, p))
			continue;
		strbuf_printf(b, "%s\"%s\": ", between, f->key);
		put_value(b, f, p + f->at);
		between = sep;
	}
}

static void put_list(struct strbuf *b, const struct list_kind *k, const struct list *l,
		     const char *indent)
{
	strbuf_printf(b, ",\n%s\"%s\": [", indent, k->key);
	for (size_t i = 0; i < l->n; i++) {
		strbuf_printf(b, "%s\n%s\t{", i ? "," : "", indent);
		put_fields(b, k->fields, l->v + i * k->bytes, ", ");
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

static void put_parts(struct strbuf *b, const struct session_parts *parts)
{
	strbuf_puts(b, ",\n\t\t \"parts\": [");
	array_for_each(p, parts) {
		strbuf_puts(b, p == parts->v ? "\n\t\t \t{" : ",\n\t\t \t{");
		put_fields(b, part_fields, p, ", ");
		put_list(b, &cpu_list, LIST(&p->cpus), "\t\t \t ");
		put_list(b, &place_list, LIST(&p->vcpus), "\t\t \t ");
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

static void put_machine(struct strbuf *b, const struct session_machine *m)
{
	put_fields(b, machine_fields, m, ",\n\t\t ");
	put_list(b, &cpu_list, LIST(&m->cpus), "\t\t ");
	if (!m->is_guest)
		return;
	put_list(b, &vcpu_list, LIST(&m->vcpus), "\t\t ");
	strbuf_puts(b, ",\n\t\t \"tids\": [");
	for (size_t i = 0; i < m->tids.n; i++)
		strbuf_printf(b, "%s%d", i ? ", " : "", (int)m->tids.v[i]);
	strbuf_puts(b, "]");
	if (m->parts.n)
		put_parts(b, &m->parts);
}

void session_to_json(const struct session *s, struct strbuf *ret)
{
	strbuf_printf(ret, "{\n\t\"format\": \"onetsc-session\",\n\t\"version\": %d,\n\t",
		      SESSION_VERSION);
	put_fields(ret, session_fields, s, ",\n\t");
	strbuf_puts(ret, ",\n\t\"machines\": [");
	for (size_t i = 0; i < s->machines.n; i++) {
		strbuf_puts(ret, i ? ",\n\t\t{" : "\n\t\t{");
		put_machine(ret, &s->machines.v[i]);
		strbuf_puts(ret, "}");
	}
	strbuf_puts(ret, "]");
	put_list(ret, &pair_list, LIST(&s->pairs), "\t");
	strbuf_puts(ret, "\n}\n");
}
