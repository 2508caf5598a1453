// SPDX-License-Identifier: GPL-2.0-or-later
/* What tables there are and what is in them, for people. */
#include <errno.h>
#include <fnmatch.h>
#include <sqlite3.h>
#include <string.h>

#include "base/log.h"
#include "query/tables.h"
#include "sink/out.h"

#define NAME_WIDTH  28
#define COUNT_WIDTH 10
#define COUNT_MAX   20000000u

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

/* How many events each kind has, of the first COUNT_MAX. */
static int count_kinds(struct query_session *s, uint64_t *counts, bool *ret_all)
{
	struct query_filter f = {0};
	struct query_scan scan;
	int r = query_scan_start(&scan, s, query_table_find(s, "events"), &f);

	*ret_all = true;
	for (uint64_t n = 0; !r; n++) {
		const struct event *ev;
		uint32_t table;

		r = query_scan_next(&scan);
		if (r == -EINTR && !*s->stop) {
			r = 0;
			continue;
		}
		*ret_all = r || scan.ended || n < COUNT_MAX;
		if (r || scan.ended || n == COUNT_MAX)
			break;
		ev = query_scan_row(&scan, sizeof(*ev));
		table = s->by_index[ev->machine][ev->kind->index].table;
		if (table < s->tables.n)
			counts[table]++;
	}
	query_scan_stop(&scan);
	return r == -EINTR ? log_err_r(r, "interrupted") : r;
}

static void put_count(struct out *o, uint64_t n, bool all)
{
	out_u64_pad(o, n, COUNT_WIDTH, ' ');
	out_puts(o, all ? "  " : "+ ");
}

int query_help_tables(struct query_session *s, bool with_empty, struct out *o)
{
	_cleanup_free_ uint64_t *counts = calloc(s->tables.n + 1, sizeof(*counts));
	size_t empty = 0;
	bool all;
	int r = counts ? count_kinds(s, counts, &all)
		       : log_err_r(-ENOMEM, "cannot list the tables: %m");

	if (r)
		return r;
	array_for_each(t, &s->tables) {
		uint64_t n = counts[t->index];

		if (t->is_kind && !n && all && !with_empty) {
			empty++;
			continue;
		}
		put_typed(o, t->name, NAME_WIDTH);
		if (t->is_kind)
			put_count(o, n, all);
		else
			out_fill(o, ' ', COUNT_WIDTH + 2);
		put_what(s, t, o);
		out_char(o, '\n');
	}
	r = out_flush(o);
	if (!r && empty)
		log_info("%zu kinds without events have tables too: .tables all", empty);
	return r;
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
