// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/qemuline.h"

#include <ctype.h>
#include <string.h>

#include "source/source.h"

#define ARGS_MAX  10
#define WIDTH_MAX 64

/* --- the parts of a line --- */
/* "123@1795393987.181090:" or "2025-07-21T12:34:56.789012Z " */
static size_t stamp_length(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && isdigit((unsigned char)s[i]))
		i++;
	if (!i || i == n || (s[i] != '@' && s[i] != '-'))
		return 0;
	if (s[i] == '@') {
		for (i++; i < n && (isdigit((unsigned char)s[i]) || s[i] == '.'); i++)
			;
		return i < n && s[i] == ':' ? i + 1 : 0;
	}
	while (i < n && s[i] != ' ')
		i++;
	return i < n && i >= 20 && s[i - 1] == 'Z' ? i + 1 : 0;
}

bool qemuline_split(const char *s, size_t n, struct qemuline *ret)
{
	size_t at = stamp_length(s, n), i = at;
	bool underscore = false;

	while (n && (s[n - 1] == '\n' || !s[n - 1]))
		n--;
	for (; i < n && (isalnum((unsigned char)s[i]) || s[i] == '_'); i++)
		underscore |= s[i] == '_';
	if (!underscore || (i < n && s[i] != ' '))
		return false;
	*ret = (struct qemuline){s + at, s + i, i - at, 0};
	if (i < n) {
		ret->text = s + i + 1;
		ret->text_n = n - i - 1;
	}
	return true;
}

/* --- a format and its arguments --- */
struct conversion {
	char flags[8];
	int width, precision; /* -1 none */
	unsigned bytes;
	char letter;
};

static int number(const char **p, const char *end)
{
	int v = 0;

	for (; *p < end && isdigit((unsigned char)**p); ++*p)
		v = v < 1000 ? v * 10 + (**p - '0') : v;
	return v > WIDTH_MAX ? WIDTH_MAX : v;
}

/* Behind the %; where it ends. */
static const char *parse(const char *p, const char *end, struct conversion *c)
{
	size_t k = 0;

	*c = (struct conversion){.width = -1, .precision = -1, .bytes = 4};
	for (; p < end && *p && strchr("-+ #0", *p); p++)
		if (k + 1 < sizeof(c->flags))
			c->flags[k++] = *p;
	if (p < end && isdigit((unsigned char)*p))
		c->width = number(&p, end);
	if (p < end && *p == '.') {
		p++;
		c->precision = number(&p, end);
	}
	for (; p < end && *p && strchr("hlzjtq", *p); p++)
		c->bytes = *p != 'h' ? 8 : c->bytes == 2 ? 1 : 2;
	if (p < end)
		c->letter = *p++;
	return p;
}

static int64_t sign_extend(uint64_t v, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (int64_t)(v << shift) >> shift;
}

static void put(struct strbuf *b, const struct conversion *c, uint64_t v)
{
	uint64_t u = c->bytes == 8 ? v : v & ((UINT64_C(1) << 8 * c->bytes) - 1);
	char fmt[32];

	/* -1: as when it were not given */
	snprintf(fmt, sizeof(fmt), "%%%s*.*ll%c", c->flags, c->letter);
	if (c->letter == 'p')
		strbuf_printf(b, "0x%llx", (unsigned long long)v);
	else if (c->letter == 's')
		strbuf_printf(b, "<0x%llx>", (unsigned long long)v);
	else if (c->letter == 'c')
		strbuf_printf(b, "%c", isprint((int)(v & 0xff)) ? (int)(v & 0xff) : '?');
	else if (!c->letter || !strchr("dixXuo", c->letter))
		strbuf_printf(b, "?");
	else
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		strbuf_printf(b, fmt, c->width < 0 ? 0 : c->width, c->precision,
			      strchr("di", c->letter) ? sign_extend(v, c->bytes) : (int64_t)u);
#pragma GCC diagnostic pop
}

void qemuline_format(struct strbuf *b, const char *fmt, size_t n, const uint64_t *args,
		     size_t n_args)
{
	const char *p = fmt, *end = fmt + n;
	size_t k = 0;

	while (p < end && *p) {
		const char *percent = memchr(p, '%', (size_t)(end - p));
		struct conversion c;

		strbuf_add(b, p, (size_t)((percent ?: end) - p));
		if (!percent)
			break;
		p = percent + 1;
		if (p < end && *p == '%') {
			strbuf_puts(b, "%");
			p++;
			continue;
		}
		p = parse(p, end, &c);
		if (k < n_args)
			put(b, &c, args[k++]);
		else
			strbuf_puts(b, "?");
	}
}

/* --- events --- */
static const char *string_of(const struct event *ev, const char *name, size_t *ret_n)
{
	const struct source_field *f = source_field_find(ev->kind, name);
	const char *s = f ? source_field_bytes(f, ev->data, ev->size, ret_n) : NULL;

	if (s)
		*ret_n = strnlen(s, *ret_n);
	return s;
}

static bool get_call(const struct event *ev, struct strbuf *buf, struct qemuline *ret)
{
	uint64_t args[ARGS_MAX];
	size_t n, k = 0;
	const char *fmt = string_of(ev, "fmt", &n);

	for (; k < ARGS_MAX; k++) {
		const struct source_field *f;
		char name[8];

		snprintf(name, sizeof(name), "a%zu", k + 1);
		f = source_field_find(ev->kind, name);
		if (!f || f->type != FIELD_UINT)
			break;
		args[k] = source_field_u64(f, ev->data);
	}
	if (!fmt)
		return false;
	buf->n = 0;
	qemuline_format(buf, fmt, n, args, k);
	return !buf->failed && buf->n && qemuline_split(buf->s, buf->n, ret);
}

bool qemuline_get(const struct event *ev, struct strbuf *buf, struct qemuline *ret)
{
	const struct source_kind *k = ev->kind;
	const char *s;
	size_t n;

	if (!strncmp(k->name, "qemu_log", 8) && !strncmp(k->system, "onetsc_", 7))
		return get_call(ev, buf, ret);
	if (strcmp(k->name, "print") != 0 || strcmp(k->system, "ftrace") != 0)
		return false;
	s = string_of(ev, "buf", &n);
	return s && qemuline_split(s, n, ret);
}
