// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/qemuprint.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define WIDTH_MAX 64

/* --- the format's text ---------------------------------------------------------------- */

static char unescape(char c)
{
	return c == 'n' || c == 't' || c == 'r' ? ' ' : c;
}

/* p is behind the opening quote; returns the place behind the closing one, NULL without. */
static const char *add_literal(struct strbuf *b, const char *p, const char *end)
{
	for (; p < end && *p != '"'; p++) {
		char c = *p;

		if (c == '\\' && ++p == end)
			return NULL;
		c = c == '\\' ? unescape(*p) : c;
		if (c) /* or the format would end there */
			strbuf_add(b, &c, 1);
	}
	return p < end ? p + 1 : NULL;
}

/* PRIx64 and the like (inttypes.h), behind the '%' of the literal before. */
static void add_macro(struct strbuf *b, const char *p, size_t n)
{
	if (n < 4 || memcmp(p, "PRI", 3) || !strchr("diuxXo", p[3])) {
		strbuf_puts(b, b->n && b->s[b->n - 1] == '%' ? "llx" : "%llx");
		return;
	}
	if (n > 4 && p[4] == '8')
		strbuf_puts(b, "hh");
	else if (n > 5 && p[4] == '1')
		strbuf_puts(b, "h");
	else if (n > 5 && p[4] != '3')
		strbuf_puts(b, "ll"); /* 64, PTR, MAX */
	strbuf_add(b, p + 3, 1);
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

int qemuprint_format(const char *p, const char *end, char **ret)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_puts(&b, "");
	while (p < end) {
		const char *word = p;

		if (*p == '"') {
			p = add_literal(&b, p + 1, end);
			if (!p)
				return -EBADMSG;
			continue;
		}
		while (p < end && is_word(*p))
			p++;
		if (p > word)
			add_macro(&b, word, (size_t)(p - word));
		else
			p++;
	}
	if (b.failed)
		return -ENOMEM;
	*ret = b.s ? TAKE_PTR(b.s) : strdup("");
	return *ret ? 0 : -ENOMEM;
}

/* --- printing ------------------------------------------------------------------------- */

struct conversion {
	bool left, zero, plus, blank, alternate;
	int width, precision; /* precision -1: none */
	unsigned bits;
	char letter;
};

struct args {
	const struct qemuprint_arg *v;
	size_t n, next;
};

static const struct qemuprint_arg *next_arg(struct args *a)
{
	return a->next < a->n ? &a->v[a->next++] : NULL;
}

static void add_clean(struct strbuf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = (unsigned char)s[i] < ' ' || s[i] == 0x7f ? ' ' : s[i];

		strbuf_add(b, &c, 1);
	}
}

static int take_size(const char **p, struct args *args)
{
	const struct qemuprint_arg *a;
	int v = 0;

	if (**p == '*') {
		++*p;
		a = next_arg(args);
		v = a && !a->s && a->v <= WIDTH_MAX ? (int)a->v : 0;
	}
	for (; **p >= '0' && **p <= '9'; ++*p)
		v = v < WIDTH_MAX ? v * 10 + (**p - '0') : WIDTH_MAX;
	return v < WIDTH_MAX ? v : WIDTH_MAX;
}

/* p is behind '%'; returns the place behind the conversion. */
static const char *parse(const char *p, struct args *args, struct conversion *c)
{
	*c = (struct conversion){.precision = -1, .bits = 32};
	for (;; p++) {
		if (*p == '-')
			c->left = true;
		else if (*p == '0')
			c->zero = true;
		else if (*p == '+')
			c->plus = true;
		else if (*p == ' ')
			c->blank = true;
		else if (*p == '#')
			c->alternate = true;
		else
			break;
	}
	c->width = take_size(&p, args);
	if (*p == '.') {
		p++;
		c->precision = take_size(&p, args);
	}
	for (; *p && strchr("hlzjtqL", *p); p++)
		c->bits = *p == 'h' ? (c->bits == 16 ? 8 : 16) : 64;
	c->letter = *p;
	return *p ? p + 1 : p;
}

/* sign or 0x, then digits, filled to the width. */
static void add_padded(struct strbuf *b, const struct conversion *c, const char *prefix,
		       const char *s, size_t n)
{
	size_t used = strlen(prefix) + n, fill = (size_t)c->width > used ? c->width - used : 0;
	bool zeros = c->zero && !c->left && c->precision < 0;

	for (size_t i = 0; i < fill && !c->left && !zeros; i++)
		strbuf_add(b, " ", 1);
	strbuf_puts(b, prefix);
	for (size_t i = 0; i < fill && zeros; i++)
		strbuf_add(b, "0", 1);
	add_clean(b, s, n);
	for (size_t i = 0; i < fill && c->left; i++)
		strbuf_add(b, " ", 1);
}

static void add_signed(struct strbuf *b, const struct conversion *c, uint64_t v)
{
	int64_t value = c->bits == 64	? (int64_t)v
			: c->bits == 32 ? (int32_t)v
			: c->bits == 16 ? (int16_t)v
					: (int8_t)v;
	uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char digits[WIDTH_MAX + 32];
	int n = snprintf(digits, sizeof(digits), "%.*llu", c->precision < 0 ? 1 : c->precision,
			 (unsigned long long)size);

	add_padded(b, c, value < 0 ? "-" : c->plus ? "+" : c->blank ? " " : "", digits, (size_t)n);
}

static void add_unsigned(struct strbuf *b, const struct conversion *c, uint64_t v)
{
	uint64_t value = c->bits == 64 ? v : v & ((1ull << c->bits) - 1);
	const char *prefix = c->alternate && value ? c->letter == 'X' ? "0X" : "0x" : "";
	int min = c->precision < 0 ? 1 : c->precision, n;
	char digits[WIDTH_MAX + 32];

	switch (c->letter) {
	case 'x':
		n = snprintf(digits, sizeof(digits), "%.*llx", min, (unsigned long long)value);
		break;
	case 'X':
		n = snprintf(digits, sizeof(digits), "%.*llX", min, (unsigned long long)value);
		break;
	case 'o':
		n = snprintf(digits, sizeof(digits), "%.*llo", min, (unsigned long long)value);
		prefix = c->alternate ? "0" : "";
		break;
	default:
		n = snprintf(digits, sizeof(digits), "%.*llu", min, (unsigned long long)value);
		prefix = "";
	}
	add_padded(b, c, prefix, digits, (size_t)n);
}

/* As glibc prints %p. */
static void add_pointer(struct strbuf *b, const struct conversion *c, uint64_t v)
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%llx", (unsigned long long)v);

	if (v)
		add_padded(b, c, "0x", digits, (size_t)n);
	else
		add_padded(b, &(struct conversion){.left = c->left, .width = c->width}, "", "(nil)",
			   5);
}

static void add_arg(struct strbuf *b, const struct conversion *c, const struct qemuprint_arg *a)
{
	char ch;

	if (!a) {
		strbuf_puts(b, "?");
	} else if (a->s) {
		size_t n = c->letter == 's' && c->precision >= 0 && (size_t)c->precision < a->n
				   ? (size_t)c->precision
				   : a->n;

		add_padded(b, &(struct conversion){.left = c->left, .width = c->width}, "", a->s,
			   n);
	} else if (c->letter == 'd' || c->letter == 'i') {
		add_signed(b, c, a->v);
	} else if (c->letter == 'p' || c->letter == 's') {
		add_pointer(b, c, a->v);
	} else if (c->letter == 'c') {
		ch = (char)a->v;
		add_padded(b, &(struct conversion){.left = c->left, .width = c->width}, "", &ch, 1);
	} else {
		add_unsigned(b, c, a->v);
	}
}

void qemuprint(const char *format, const struct qemuprint_arg *args, size_t n, struct strbuf *b)
{
	struct args a = {args, n, 0};
	const char *p = format;

	while (*p) {
		size_t plain = strcspn(p, "%");
		struct conversion c;

		add_clean(b, p, plain);
		p += plain;
		if (!*p)
			break;
		if (p[1] == '%') {
			strbuf_puts(b, "%");
			p += 2;
			continue;
		}
		p = parse(p + 1, &a, &c);
		if (c.letter)
			add_arg(b, &c, next_arg(&a));
	}
}
