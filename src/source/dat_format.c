// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/dat_format.h"

#include <ctype.h>
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

static bool skip_number(struct scan *s, char end)
{
	const char *from = s->p;

	while (s->p < s->end && isdigit((unsigned char)*s->p))
		s->p++;
	return s->p > from && s->p - from <= 5 && s->p < s->end && *s->p++ == end;
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

static bool skip_field(struct scan *s)
{
	const char *from, *semicolon;

	if (!skip_text(s, "\tfield:"))
		return false;
	from = s->p;
	semicolon = memchr(from, ';', (size_t)(s->end - from));
	if (!semicolon || semicolon == from || semicolon - from > 512 ||
	    !declaration_is_sane(from, semicolon))
		return false;
	s->p = semicolon + 1;
	if (!skip_text(s, "\toffset:") || !skip_number(s, ';') || !skip_text(s, "\tsize:") ||
	    !skip_number(s, ';'))
		return false;
	if (skip_text(s, "\tsigned:") && !skip_number(s, ';'))
		return false;
	return s->p < s->end && *s->p++ == '\n';
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

	if (n > TEXT_MAX)
		return FORMAT_BAD;
	for (size_t i = 0; i < n; i++)
		if ((text[i] < 0x20 || text[i] > 0x7e) && text[i] != '\n' && text[i] != '\t')
			return FORMAT_BAD;
	if (!skip_text(&s, "name: ") || !skip_word(&s, "_-.", NAME_BYTES, '\n') ||
	    !skip_text(&s, "ID: ") || !skip_number(&s, '\n') || !skip_text(&s, "format:\n"))
		return FORMAT_BAD;
	while (s.p < s.end && (*s.p == '\t' || *s.p == '\n')) {
		if (*s.p == '\n')
			s.p++;
		else if (!skip_field(&s))
			return FORMAT_BAD;
	}
	*ret_fmt = (size_t)(s.p - text);
	if (!skip_text(&s, "print fmt: "))
		return FORMAT_BAD;
	return s.p < s.end && *s.p == '"' &&
			       print_is_sane(s.p, (size_t)(s.end - s.p), text, *ret_fmt)
		       ? FORMAT_SANE
		       : FORMAT_FIELDS;
}
