// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/dat_format.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define TEXT_MAX   (256u << 10)
#define NAME_BYTES 128
#define WIDTH_MAX  3 /* digits */

struct scan {
	const char *p, *end;
};

static bool skip_text(struct scan *s, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, text, n))
		return false;
	s->p += n;
	return true;
}

/* At least one and at most max bytes of a set, up to a byte that ends them. */
static bool skip_word(struct scan *s, const char *set, size_t max, char end)
{
	const char *from = s->p;

	while (s->p < s->end && (isalnum((unsigned char)*s->p) || strchr(set, *s->p)) && *s->p)
		s->p++;
	return s->p > from && (size_t)(s->p - from) <= max && s->p < s->end && *s->p++ == end;
}

/* Decimal, without zeros in front, which would make it octal to libtraceevent. */
static bool take_number(struct scan *s, unsigned *ret, char end)
{
	const char *from = s->p;

	*ret = 0;
	while (s->p < s->end && isdigit((unsigned char)*s->p) && s->p - from <= 5)
		*ret = *ret * 10 + (unsigned)(*s->p++ - '0');
	return s->p > from && s->p - from <= 5 && (*from != '0' || s->p == from + 1) &&
	       s->p < s->end && *s->p++ == end;
}

/* "TYPE NAME", "TYPE NAME[N]", "__data_loc TYPE[] NAME": two words or more, brackets in pairs that
 * do not nest, a name at the end. */
static bool declaration_is_sane(const char *p, const char *end)
{
	int words = 0, open = 0, parens = 0;

	while (p < end) {
		if (isalpha((unsigned char)*p) || *p == '_') {
			words += !open && !parens;
			while (p < end && (isalnum((unsigned char)*p) || *p == '_'))
				p++;
			continue;
		}
		if (*p == '[' ? open++ != 0 : *p == ']' ? open-- != 1 : false)
			return false;
		if (*p == '(' ? parens++ > 2 || !open : *p == ')' ? parens-- < 1 : false)
			return false;
		if (!strchr(" *[]()+-", *p) && !(open && isdigit((unsigned char)*p)))
			return false;
		p++;
	}
	p--;
	return words >= 2 && !open && !parens &&
	       (isalnum((unsigned char)*p) || *p == '_' || *p == ']');
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static bool begins(const char *p, const char *end, const char *text)
{
	return (size_t)(end - p) >= strlen(text) && !memcmp(p, text, strlen(text));
}

static bool names_bytes(const char *p, const char *end)
{
	for (; p < end; p++)
		if (begins(p, end, "char") || begins(p, end, "u8") || begins(p, end, "s8"))
			return true;
	return false;
}

/* The name is the last word, before "[N]" or behind "[]". */
static bool read_declaration(const char *p, const char *end, struct format_field *f)
{
	const char *open = memchr(p, '[', (size_t)(end - p)), *name, *name_end = end;

	if (open) {
		const char *close = memchr(open, ']', (size_t)(end - open));

		if (!close || memchr(close, '[', (size_t)(end - close)))
			return false;
		name_end = close + 1 < end ? end : open;
	}
	while (name_end > p && name_end[-1] == ' ')
		name_end--;
	for (name = name_end; name > p && is_word(name[-1]);)
		name--;
	f->name = name;
	f->n_name = (size_t)(name_end - name);
	f->is_array = open;
	f->is_text = open && (names_bytes(p, name) || names_bytes(name_end, end));
	f->is_pointer = memchr(p, '*', (size_t)((open ?: end) - p));
	f->is_relative = begins(p, end, "__rel_loc");
	f->is_dynamic = f->is_relative || begins(p, end, "__data_loc");
	return f->n_name > 0;
}

static bool take_field(struct scan *s, struct format_field *f)
{
	const char *from, *semicolon;
	unsigned is_signed = 0;

	if (!skip_text(s, "\tfield:"))
		return false;
	from = s->p;
	semicolon = memchr(from, ';', (size_t)(s->end - from));
	if (!semicolon || semicolon == from || semicolon - from > 512 ||
	    !declaration_is_sane(from, semicolon) || !read_declaration(from, semicolon, f))
		return false;
	s->p = semicolon + 1;
	if (!skip_text(s, "\toffset:") || !take_number(s, &f->offset, ';') ||
	    !skip_text(s, "\tsize:") || !take_number(s, &f->size, ';'))
		return false;
	if (skip_text(s, "\tsigned:") && !take_number(s, &is_signed, ';'))
		return false;
	f->is_signed = is_signed;
	/* the shape of dynamic strings before there were dynamic arrays */
	if (f->is_dynamic && f->size == 2)
		f->is_text = f->is_array = true;
	return s->p < s->end && *s->p++ == '\n';
}

static bool take_head(struct scan *s, struct format_head *h)
{
	if (!skip_text(s, "name: "))
		return false;
	h->name = s->p;
	if (!skip_word(s, "_-.", NAME_BYTES, '\n'))
		return false;
	h->n_name = (size_t)(s->p - 1 - h->name);
	return skip_text(s, "ID: ") && take_number(s, &h->id, '\n') && skip_text(s, "format:\n");
}

/* The common fields, a blank line, the event's own, another one. *blank: how many came. */
static bool take_line(struct scan *s, unsigned *blank, struct format_field *f)
{
	if (*s->p == '\n') {
		s->p++;
		++*blank;
		f->n_name = 0;
		return true;
	}
	f->is_common = !*blank;
	return *blank < 2 && take_field(s, f);
}

static bool at_line(const struct scan *s)
{
	return s->p < s->end && (*s->p == '\t' || *s->p == '\n');
}

int format_read(const char *text, size_t n, struct format_head *ret)
{
	struct scan s = {text, text + n};
	unsigned blank = 0;

	ret->fields.n = 0;
	if (n > TEXT_MAX || !take_head(&s, ret))
		return -EBADMSG;
	while (at_line(&s)) {
		struct format_field f, *to;

		if (!take_line(&s, &blank, &f))
			return -EBADMSG;
		if (!f.n_name)
			continue;
		to = array_add(&ret->fields);
		if (!to)
			return -ENOMEM;
		*to = f;
	}
	return blank >= 2 && begins(s.p, s.end, "print fmt: ") ? 0 : -EBADMSG;
}

bool format_string_is_sane(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t digits = 0;

		if (s[i] != '%')
			continue;
		for (i++; i < n && strchr("-+ #0.123456789*lhzjtL", s[i]) && s[i]; i++) {
			digits = isdigit((unsigned char)s[i]) ? digits + 1 : 0;
			/* "%*pbl" prints a bit mask, "%.*s" a part of a string; other widths from
			 * a record can be 2 GiB */
			if (digits > WIDTH_MAX ||
			    (s[i] == '*' && s[i - 1] != '.' && (i + 1 == n || s[i + 1] != 'p')))
				return false;
		}
	}
	return true;
}

enum format_sanity format_check(const char *text, size_t n, size_t *ret_fmt)
{
	struct scan s = {text, text + n};
	struct format_head head;
	struct format_field f;
	unsigned blank = 0;

	if (n > TEXT_MAX)
		return FORMAT_BAD;
	for (size_t i = 0; i < n; i++)
		if ((text[i] < 0x20 || text[i] > 0x7e) && text[i] != '\n' && text[i] != '\t')
			return FORMAT_BAD;
	if (!take_head(&s, &head))
		return FORMAT_BAD;
	while (at_line(&s))
		if (!take_line(&s, &blank, &f))
			return FORMAT_BAD;
	*ret_fmt = (size_t)(s.p - text);
	if (blank < 2 || !skip_text(&s, "print fmt: "))
		return FORMAT_BAD;
	return s.p < s.end && *s.p == '"' &&
			       print_is_sane(s.p, (size_t)(s.end - s.p), text, *ret_fmt)
		       ? FORMAT_SANE
		       : FORMAT_FIELDS;
}
