// SPDX-License-Identifier: GPL-2.0-or-later
#include "query/print.h"

#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"

#define HELD_ROWS  500 /* that decide how wide a column is */
#define HELD_BYTES (1u << 20)
#define WIDTH_MAX  120

struct cell {
	size_t at, n; /* in held */
	bool is_number;
};

struct print {
	struct out *out;
	enum query_format format;
	int n_columns;
	bool any; /* something is written, further statements are set apart */
	/* a table */
	struct strbuf held;
	struct ARRAY(struct cell) cells; /* the names, then rows */
	size_t *widths;
	bool *numbers; /* of a column: all cells so far are numbers or NULL */
	bool holds;
};

int print_new(struct out *out, enum query_format format, struct print **ret)
{
	struct print *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->out = out;
	p->format = format;
	*ret = p;
	return 0;
}

void print_free(struct print *p)
{
	if (!p)
		return;
	strbuf_free(&p->held);
	array_free(&p->cells);
	free(p->widths);
	free(p->numbers);
	free(p);
}

/* Columns that a terminal shows of UTF-8, roughly: characters. */
static size_t width_of(const char *s, size_t n)
{
	size_t width = 0;

	for (size_t i = 0; i < n; i++)
		width += (s[i] & 0xc0) != 0x80;
	return width;
}

/* What commands a terminal, and line ends, as \xNN; other text as it is. */
static void add_shown(struct strbuf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		/* U+0080 to U+009F are control characters too */
		if (c < 0x20 || c == 0x7f ||
		    (c == 0xc2 && i + 1 < n && (unsigned char)s[i + 1] < 0xa0))
			strbuf_printf(b, "\\x%02x", c == 0xc2 ? (unsigned char)s[++i] : c);
		else
			strbuf_add(b, s + i, 1);
	}
}

static void add_hex(struct strbuf *b, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		strbuf_add(b, &"0123456789abcdef"[p[i] >> 4], 1);
		strbuf_add(b, &"0123456789abcdef"[p[i] & 15], 1);
	}
}

/* The value as text; escaped: for people. */
static void add_value(struct strbuf *b, sqlite3_stmt *stmt, int i, bool escaped)
{
	const void *p;
	size_t n;

	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_NULL:
		return;
	case SQLITE_BLOB:
		p = sqlite3_column_blob(stmt, i);
		add_hex(b, p, p ? (size_t)sqlite3_column_bytes(stmt, i) : 0);
		return;
	default:
		p = sqlite3_column_text(stmt, i);
		n = p ? (size_t)sqlite3_column_bytes(stmt, i) : 0;
		if (escaped)
			add_shown(b, p, n);
		else
			strbuf_add(b, p, n);
	}
}

static int hold(struct print *p, size_t from, bool is_number)
{
	struct cell *c = array_add(&p->cells);

	if (!c || p->held.failed)
		return -ENOMEM;
	*c = (struct cell){from, p->held.n - from, is_number};
	return 0;
}

static void write_cell(struct print *p, int column, const struct cell *c, bool last)
{
	const char *s = p->held.s ? p->held.s + c->at : "";
	size_t width = width_of(s, c->n);
	size_t fill = p->widths[column] > width ? p->widths[column] - width : 0;

	if (c->is_number)
		out_fill(p->out, ' ', fill);
	out_put(p->out, s, c->n);
	if (!c->is_number && !last)
		out_fill(p->out, ' ', fill);
	out_puts(p->out, last ? "\n" : "  ");
}

static void write_rule(struct print *p)
{
	for (int i = 0; i < p->n_columns; i++) {
		out_fill(p->out, '-', p->widths[i]);
		out_puts(p->out, i + 1 < p->n_columns ? "  " : "\n");
	}
}

/* Writes what is held; names too, when they are in it. */
static void write_held(struct print *p)
{
	size_t n = (size_t)p->n_columns;

	if (p->holds) {
		for (size_t i = n; i < p->cells.n; i++) {
			const struct cell *c = &p->cells.v[i];
			size_t width = width_of(p->held.s + c->at, c->n);

			width = width > WIDTH_MAX ? WIDTH_MAX : width;
			if (width > p->widths[i % n])
				p->widths[i % n] = width;
		}
		for (size_t i = 0; i < n && i < p->cells.n; i++)
			p->cells.v[i].is_number = p->numbers[i] && p->cells.n > n;
	}
	for (size_t i = 0; i < p->cells.n; i++) {
		write_cell(p, (int)(i % n), &p->cells.v[i], i % n == n - 1);
		if (p->holds && i == n - 1)
			write_rule(p);
	}
	p->holds = false;
	p->cells.n = 0;
	p->held.n = 0;
}

static int begin_table(struct print *p, sqlite3_stmt *stmt)
{
	size_t n = (size_t)p->n_columns;

	free(p->widths);
	free(p->numbers);
	p->widths = calloc(n, sizeof(*p->widths));
	p->numbers = calloc(n, sizeof(*p->numbers));
	if (!p->widths || !p->numbers)
		return -ENOMEM;
	p->holds = true;
	p->cells.n = 0;
	p->held.n = 0;
	for (int i = 0; i < p->n_columns; i++) {
		const char *name = sqlite3_column_name(stmt, i) ?: "";
		size_t from = p->held.n;

		add_shown(&p->held, name, strlen(name));
		p->widths[i] = width_of(p->held.s ? p->held.s + from : "", p->held.n - from);
		p->numbers[i] = true;
		if (hold(p, from, false))
			return -ENOMEM;
	}
	return 0;
}

static int row_of_table(struct print *p, sqlite3_stmt *stmt)
{
	for (int i = 0; i < p->n_columns; i++) {
		int type = sqlite3_column_type(stmt, i);
		bool number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
		size_t from = p->held.n;

		add_value(&p->held, stmt, i, true);
		p->numbers[i] &= number || type == SQLITE_NULL;
		if (hold(p, from, number))
			return -ENOMEM;
	}
	if (!p->holds || p->cells.n >= HELD_ROWS * (size_t)p->n_columns || p->held.n > HELD_BYTES)
		write_held(p);
	return 0;
}

/* RFC 4180; in TSV, where nothing can be quoted, what would end a cell becomes a blank. */
static void put_separated(struct print *p, const char *s, size_t n)
{
	struct out *o = p->out;
	bool quote = false;

	for (size_t i = 0; i < n; i++)
		quote |= s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
	if (p->format == QUERY_FORMAT_TSV) {
		for (size_t i = 0; i < n; i++)
			out_char(o, s[i] == '\t' || s[i] == '\n' || s[i] == '\r' ? ' ' : s[i]);
		return;
	}
	if (!quote) {
		out_put(o, s, n);
		return;
	}
	out_char(o, '"');
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '"')
			out_char(o, '"');
		out_char(o, s[i]);
	}
	out_char(o, '"');
}

static void put_end(struct print *p, int column)
{
	if (column + 1 == p->n_columns)
		out_char(p->out, '\n');
	else
		out_char(p->out, p->format == QUERY_FORMAT_TSV ? '\t' : ',');
}

static int row_separated(struct print *p, sqlite3_stmt *stmt)
{
	for (int i = 0; i < p->n_columns; i++) {
		p->held.n = 0;
		add_value(&p->held, stmt, i, false);
		put_separated(p, p->held.s ?: "", p->held.n);
		put_end(p, i);
	}
	return p->held.failed ? -ENOMEM : 0;
}

static void put_json(struct print *p, sqlite3_stmt *stmt, int i)
{
	int type = sqlite3_column_type(stmt, i);
	int64_t v = type == SQLITE_INTEGER ? sqlite3_column_int64(stmt, i) : 0;
	bool plain = type == SQLITE_FLOAT ||
		     (type == SQLITE_INTEGER && v >= -(1ll << 53) && v <= 1ll << 53);

	if (type == SQLITE_NULL) {
		out_puts(p->out, "null");
		return;
	}
	p->held.n = 0;
	add_value(&p->held, stmt, i, false);
	if (type == SQLITE_FLOAT && p->held.n && strchr("Ii", p->held.s[p->held.s[0] == '-']))
		out_puts(p->out, "null"); /* infinity */
	else if (plain)			  /* many readers keep 53 bits of a number */
		out_put(p->out, p->held.s ?: "", p->held.n);
	else
		out_json(p->out, p->held.s ?: "", p->held.n);
}

static int row_json(struct print *p, sqlite3_stmt *stmt)
{
	for (int i = 0; i < p->n_columns; i++) {
		const char *name = sqlite3_column_name(stmt, i) ?: "";

		out_char(p->out, i ? ',' : '{');
		out_json(p->out, name, strlen(name));
		out_char(p->out, ':');
		put_json(p, stmt, i);
	}
	out_puts(p->out, "}\n");
	return p->held.failed ? -ENOMEM : 0;
}

int print_begin(struct print *p, sqlite3_stmt *stmt)
{
	p->n_columns = sqlite3_column_count(stmt);
	if (p->any && p->format != QUERY_FORMAT_JSON)
		out_char(p->out, '\n');
	p->any = true;
	if (p->format == QUERY_FORMAT_TABLE)
		return begin_table(p, stmt);
	for (int i = 0; i < p->n_columns && p->format != QUERY_FORMAT_JSON; i++) {
		const char *name = sqlite3_column_name(stmt, i) ?: "";

		put_separated(p, name, strlen(name));
		put_end(p, i);
	}
	return p->out->err;
}

int print_row(struct print *p, sqlite3_stmt *stmt)
{
	int r;

	if (p->format == QUERY_FORMAT_TABLE)
		r = row_of_table(p, stmt);
	else if (p->format == QUERY_FORMAT_JSON)
		r = row_json(p, stmt);
	else
		r = row_separated(p, stmt);
	return r ? r : p->out->err;
}

int print_end(struct print *p)
{
	if (p->format == QUERY_FORMAT_TABLE)
		write_held(p);
	return p->out->err;
}
