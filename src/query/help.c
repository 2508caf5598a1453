// SPDX-License-Identifier: GPL-2.0-or-later
/* What tables there are and what is in them, for people. */
#include <errno.h>
#include <fnmatch.h>
#include <sqlite3.h>
#include <string.h>

#include "base/log.h"
#include "query/tables.h"
#include "sink/out.h"

#define NAME_WIDTH 24

/* A name as it has to be typed. */
static void add_typed(struct strbuf *b, const char *name)
{
	bool plain = (*name | 0x20) >= 'a' && (*name | 0x20) <= 'z';

	for (const char *p = name; *p; p++)
		plain &= ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') || (*p >= '0' && *p <= '9') ||
			 *p == '_';
	if (plain && !sqlite3_keyword_check(name, (int)strlen(name)))
		strbuf_puts(b, name);
	else
		query_quote(b, name);
}

static void put_typed(struct out *o, const char *name, size_t width)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	add_typed(&b, name);
	out_escaped(o, b.s ?: "", b.n, "");
	if (b.n < width)
		out_fill(o, ' ', width - b.n);
}

/* The machines whose events a table holds. */
static void put_machines(const struct query_session *s, const struct query_table *t, struct out *o)
{
	uint32_t last = UINT32_MAX;

	for (size_t i = 0; i < t->n; i++) {
		const struct query_kind *k = s->kinds.v[t->first + i];
		const char *name = s->in->machines.v[k->machine].name;

		if (k->machine == last)
			continue;
		out_puts(o, last == UINT32_MAX ? " of " : ", ");
		out_escaped(o, name, strlen(name), "");
		last = k->machine;
	}
}

static void put_what(const struct query_session *s, const struct query_table *t, struct out *o)
{
	if (t->help)
		out_puts(o, t->help);
	if (!t->is_kind)
		return;
	out_escaped(o, t->full_name, strlen(t->full_name), "");
	put_machines(s, t, o);
}

int query_help_tables(const struct query_session *s, struct out *o)
{
	array_for_each(t, &s->tables) {
		put_typed(o, t->name, NAME_WIDTH);
		out_puts(o, "  ");
		put_what(s, t, o);
		out_char(o, '\n');
	}
	return out_flush(o);
}

static void put_column(const struct query_column *c, bool last, struct out *o)
{
	out_puts(o, "  ");
	put_typed(o, c->name, 16);
	out_char(o, ' ');
	out_puts(o, query_type_name(c->type));
	if (c->hidden)
		out_puts(o, " HIDDEN");
	if (!last)
		out_char(o, ',');
	if (c->help) {
		out_puts(o, "  -- ");
		out_puts(o, c->help);
	}
	out_char(o, '\n');
}

static int put_table(struct query_session *s, struct query_table *t, struct out *o)
{
	int r = query_table_prepare(s, t);

	if (r)
		return log_err_r(r, "cannot describe the tables: %m");
	out_puts(o, "CREATE TABLE ");
	put_typed(o, t->name, 0);
	out_puts(o, " (  -- ");
	put_what(s, t, o);
	out_char(o, '\n');
	array_for_each(c, &t->columns)
		put_column(c, c + 1 == t->columns.v + t->columns.n, o);
	out_puts(o, ");\n");
	return 0;
}

static bool matches(const struct query_table *t, const char *glob)
{
	if (!glob)
		return !t->is_kind;
	return !fnmatch(glob, t->name, FNM_CASEFOLD) ||
	       (t->full_name && !fnmatch(glob, t->full_name, FNM_CASEFOLD));
}

int query_help_schema(struct query_session *s, const char *glob, struct out *o)
{
	bool any = false;

	array_for_each(t, &s->tables) {
		int r = 0;

		if (!matches(t, glob))
			continue;
		any = true;
		r = put_table(s, t, o);
		if (r)
			return r;
	}
	if (!any)
		return log_err_r(-ENOENT, "there is no table \"%s\"; .tables lists them", glob);
	return out_flush(o);
}
