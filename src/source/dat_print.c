// SPDX-License-Identifier: GPL-2.0-or-later
/* The grammar of "print fmt:", as far as kernels use it: what libtraceevent gets is well-formed. */
#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "source/dat_format.h"

enum { DEPTH_MAX = 64, INDEX_MAX = 32 };

struct print {
	const char *p, *end;
	const char *fields, *fields_end; /* the lines that declare them */
	int depth;
};

static bool expression(struct print *s);

static void skip_blanks(struct print *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n'))
		s->p++;
}

static bool at(struct print *s, char c)
{
	skip_blanks(s);
	return s->p < s->end && *s->p == c;
}

static bool take(struct print *s, char c)
{
	if (!at(s, c))
		return false;
	s->p++;
	return true;
}

static bool is_ident(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Length of the word at p, 0 when there is none. */
static size_t word(struct print *s)
{
	size_t n = 0;

	skip_blanks(s);
	if (s->p == s->end || isdigit((unsigned char)*s->p))
		return 0;
	while (s->p + n < s->end && is_ident(s->p[n]))
		n++;
	return n;
}

static bool take_word(struct print *s)
{
	size_t n = word(s);

	s->p += n;
	return n > 0 && n <= 128;
}

/* ";" or "[N];": "a[4]b;" declares b, to libtraceevent. */
static bool ends_declaration(const char *p, const char *end)
{
	while (p < end && *p == '[') {
		p = memchr(p, ']', (size_t)(end - p));
		if (!p)
			return false;
		p++;
	}
	return p < end && *p == ';';
}

/* The name of a declared field: behind a blank or a star, before ';' or '['. */
static bool take_field(struct print *s)
{
	size_t n = word(s);
	const char *name = s->p, *at = s->fields;

	if (!take_word(s))
		return false;
	while ((at = memmem(at, (size_t)(s->fields_end - at), name, n))) {
		if (at > s->fields && strchr(" *", at[-1]) &&
		    ends_declaration(at + n, s->fields_end))
			return true;
		at += n;
	}
	return false;
}

/* "a" "b": one after the other is one string. */
static bool string(struct print *s)
{
	if (!at(s, '"'))
		return false;
	while (at(s, '"')) {
		const char *from = ++s->p;

		while (s->p < s->end && *s->p != '"')
			s->p += *s->p == '\\' ? 2 : 1;
		if (s->p >= s->end || !format_string_is_sane(from, (size_t)(s->p - from)))
			return false;
		s->p++;
	}
	return true;
}

static bool number(struct print *s)
{
	skip_blanks(s);
	if (s->p == s->end || !isdigit((unsigned char)*s->p))
		return false;
	while (s->p < s->end && isalnum((unsigned char)*s->p))
		s->p++;
	return true;
}

/* "(unsigned long long)", "(void *)": words and stars alone, with something behind it to cast. */
static bool cast(struct print *s)
{
	const char *from = s->p;
	bool any = false;

	if (!take(s, '('))
		return false;
	while (word(s)) {
		if (!take_word(s))
			break;
		any = true;
	}
	while (take(s, '*'))
		;
	if (any && take(s, ')')) {
		skip_blanks(s);
		if (s->p < s->end && (is_ident(*s->p) || strchr("(\"", *s->p)))
			return true;
	}
	s->p = from;
	return false;
}

/* "((void *)0)" or "0": the text of a value that has none, at the end of some lists. */
static bool no_text(struct print *s)
{
	bool parens = take(s, '(');

	if (parens && !cast(s))
		return false;
	return at(s, '0') && number(s) && (!parens || take(s, ')'));
}

static bool text_of_pair(struct print *s)
{
	const char *from = s->p;

	if ((cast(s), string(s)))
		return true;
	s->p = from;
	return no_text(s);
}

/* { value, "text" }, … */
static bool pairs(struct print *s)
{
	while (take(s, '{')) {
		if (!expression(s) || !take(s, ',') || !text_of_pair(s) || !take(s, '}'))
			return false;
		if (!take(s, ','))
			break;
	}
	return take(s, ')');
}

static bool is_one_of(const char *w, size_t n, const char *const *list)
{
	for (; *list; list++)
		if (strlen(*list) == n && !memcmp(w, *list, n))
			return true;
	return false;
}

static bool call(struct print *s, const char *name, size_t n)
{
	static const char *const of_field[] = {"__get_str",
					       "__get_rel_str",
					       "__get_dynamic_array",
					       "__get_rel_dynamic_array",
					       "__get_dynamic_array_len",
					       "__get_rel_dynamic_array_len",
					       "__get_bitmask",
					       "__get_rel_bitmask",
					       "__get_cpumask",
					       "__get_rel_cpumask",
					       NULL};
	static const char *const flags[] = {"__print_flags", "__print_flags_u64", NULL};
	static const char *const symbols[] = {"__print_symbolic", "__print_symbolic_u64", NULL};
	/* not for libtraceevent to print: it believes the lengths (sink/fmt_compile.c does not) */
	static const char *const arrays[] = {"__print_hex", "__print_hex_str", NULL};
	static const char *const simple[] = {"jiffies_to_msecs", "jiffies_to_usecs", NULL};

	if (!take(s, '('))
		return false;
	if (is_one_of(name, n, of_field))
		return take_field(s) && take(s, ')');
	if (is_one_of(name, n, flags))
		return expression(s) && take(s, ',') && string(s) && take(s, ',') && pairs(s);
	if (is_one_of(name, n, symbols))
		return expression(s) && take(s, ',') && pairs(s);
	if (is_one_of(name, n, arrays))
		return expression(s) && take(s, ',') && expression(s) && take(s, ')');
	if (n == 13 && !memcmp(name, "__print_array", n))
		return expression(s) && take(s, ',') && expression(s) && take(s, ',') &&
		       expression(s) && take(s, ')');
	return is_one_of(name, n, simple) && expression(s) && take(s, ')');
}

static bool named(struct print *s)
{
	const char *from;
	size_t n;

	n = word(s);
	from = s->p;
	if (!take_word(s))
		return false;
	if (n == 3 && !memcmp(from, "REC", 3)) {
		if (s->end - s->p < 2 || memcmp(s->p, "->", 2))
			return false;
		s->p += 2;
		return take_field(s);
	}
	return at(s, '(') ? call(s, from, n) : true;
}

/* Only by a small number: libtraceevent does not check an index. */
static bool subscripts(struct print *s)
{
	while (take(s, '[')) {
		unsigned v = 0;

		skip_blanks(s);
		while (s->p < s->end && isdigit((unsigned char)*s->p) && v < INDEX_MAX)
			v = v * 10 + (unsigned)(*s->p++ - '0');
		if (v >= INDEX_MAX || s->p[-1] == '[' || !take(s, ']'))
			return false;
	}
	return true;
}

static bool primary(struct print *s)
{
	skip_blanks(s);
	if (s->p == s->end)
		return false;
	if (*s->p == '"')
		return string(s);
	if (isdigit((unsigned char)*s->p))
		return number(s);
	if (*s->p == '(') {
		if (cast(s))
			return primary(s);
		s->p++;
		return expression(s) && take(s, ')') && subscripts(s);
	}
	return named(s) && subscripts(s);
}

static bool operand(struct print *s)
{
	while (at(s, '-') || at(s, '!') || at(s, '~'))
		s->p++;
	return primary(s);
}

/* The operator at p, its length; 0 when there is none. */
static size_t operator(struct print *s)
{
	static const char *const two[] = {"<<", ">>", "&&", "||", "==", "!=", "<=", ">=", NULL};

	skip_blanks(s);
	if (s->end - s->p >= 2 && is_one_of(s->p, 2, two))
		return 2;
	return s->p < s->end && strchr("+-*/%&|^<>", *s->p) && *s->p ? 1 : 0;
}

/* A record's 0 as a divisor would be fatal. */
static bool divisor(struct print *s)
{
	skip_blanks(s);
	return s->p < s->end && *s->p >= '1' && *s->p <= '9';
}

static bool expression(struct print *s)
{
	bool ok = ++s->depth <= DEPTH_MAX && operand(s);
	size_t n;

	while (ok && (n = operator(s))) {
		bool divides = *s->p == '/' || *s->p == '%';

		s->p += n;
		ok = (!divides || divisor(s)) && operand(s);
	}
	if (ok && take(s, '?'))
		ok = expression(s) && take(s, ':') && expression(s);
	s->depth--;
	return ok;
}

bool print_is_sane(const char *text, size_t n, const char *fields, size_t n_fields)
{
	struct print s = {text, text + n, fields, fields + n_fields, 0};

	if (!string(&s))
		return false;
	while (take(&s, ','))
		if (!expression(&s))
			return false;
	skip_blanks(&s);
	return s.p == s.end;
}
