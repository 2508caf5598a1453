// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "query/table.h"

static void free_texts(char **v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

void query_filter_free(struct query_filter *f)
{
	free(f->machine);
	free(f->vm);
	free(f->system);
	free_texts(f->names, f->n);
	free_texts(f->events, f->n_events);
	*f = (struct query_filter){0};
}

void query_filter_ticks(struct query_filter *f, uint64_t from, uint64_t to)
{
	uint64_t end = f->f.to_ticks ?: UINT64_MAX;

	if (from > f->f.from_ticks)
		f->f.from_ticks = from;
	if (to < end)
		end = to;
	f->f.to_ticks = end == UINT64_MAX ? 0 : end;
	if (f->f.from_ticks > end || !end)
		f->nothing = true;
}

static uint64_t add_ticks(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

void query_filter_ns(struct query_filter *f, const struct query_session *s, int64_t from,
		     int64_t to)
{
	const struct tick_conv *c = &s->in->conv;
	uint64_t lo = 0, hi = UINT64_MAX;

	if (!c->mult)
		return;
	/* what is before the first event has negative times */
	if (from > 0)
		lo = add_ticks(s->first_ticks, conv_from_ns(c, (uint64_t)from).lo);
	if (to < 0)
		hi = s->first_ticks;
	else if (to < INT64_MAX)
		hi = add_ticks(s->first_ticks, conv_from_ns(c, (uint64_t)to).hi);
	query_filter_ticks(f, lo, hi);
}

char *query_glob_of_text(const char *text)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_puts(&b, "");
	for (; *text; text++) {
		if (strchr("*?[]\\", *text))
			strbuf_puts(&b, "\\");
		strbuf_add(&b, text, 1);
	}
	return b.failed ? NULL : TAKE_PTR(b.s);
}

/* '?' is one character there and one byte here. */
char *query_glob_of_glob(const char *pattern)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_puts(&b, "");
	for (; *pattern; pattern++) {
		if (*pattern == '[' || (*pattern & 0x80))
			return NULL;
		if (*pattern == '\\' || *pattern == ']')
			strbuf_puts(&b, "\\");
		strbuf_add(&b, *pattern == '?' ? "*" : pattern, 1);
	}
	return b.failed ? NULL : TAKE_PTR(b.s);
}

char *query_glob_of_like(const char *pattern)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_puts(&b, "");
	for (; *pattern; pattern++) {
		char c = *pattern, low = (char)(c | 0x20);

		if (c & 0x80)
			return NULL;
		if (c == '%' || c == '_')
			strbuf_puts(&b, "*");
		else if (low >= 'a' && low <= 'z')
			strbuf_printf(&b, "[%c%c]", low, low - 0x20);
		else if (strchr("*?[]\\", c))
			strbuf_printf(&b, "\\%c", c);
		else
			strbuf_add(&b, &c, 1);
	}
	return b.failed ? NULL : TAKE_PTR(b.s);
}
