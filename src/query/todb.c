// SPDX-License-Identifier: GPL-2.0-or-later
#include "query/todb.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

#include "base/log.h"
#include "query/tables.h"

#define KINDS_MAX 2000 /* that get a table of their own */
#define SHOW_ROWS 200000
#define CACHE_PRAGMAS                                                                      \
	"PRAGMA page_size=8192; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;"          \
	"PRAGMA locking_mode=EXCLUSIVE; PRAGMA cache_size=-16000; PRAGMA temp_store=FILE;" \
	"PRAGMA application_id=0x6f747363; PRAGMA user_version=1; BEGIN"
/* No table's name has a '~' without a ':'. */
#define INDEX(table) "CREATE INDEX \"ticks~" table "\" ON " table "(ticks);"
#define END_SQL	     INDEX("events") INDEX("exits") INDEX("states") INDEX("sched") "COMMIT"

struct todb {
	const struct todb_config *c;
	struct query_session *s;
	sqlite3 *db;
	sqlite3_stmt **inserts; /* by table */
	size_t n_kinds, left_out;
	uint64_t rows;
};

static int fail(struct todb *d)
{
	int code = sqlite3_errcode(d->db), err = sqlite3_system_errno(d->db);

	if (code == SQLITE_FULL && !err)
		err = ENOSPC;
	if (code == SQLITE_NOMEM)
		err = ENOMEM;
	if (err)
		return log_err_r(-err, "cannot write the database: %m");
	return log_err_r(-EIO, "cannot write the database: %s", sqlite3_errmsg(d->db));
}

static int run_sql(struct todb *d, const char *sql)
{
	return sqlite3_exec(d->db, sql, NULL, NULL, NULL) ? fail(d) : 0;
}

/* CREATE TABLE and INSERT of the columns that a file has. */
static void add_sql(const struct query_table *t, struct strbuf *create, struct strbuf *insert)
{
	const char *comma = "";

	strbuf_puts(create, "CREATE TABLE ");
	query_quote(create, t->name);
	strbuf_puts(insert, "INSERT INTO ");
	query_quote(insert, t->name);
	strbuf_puts(create, "(");
	strbuf_puts(insert, " VALUES(");
	array_for_each(c, &t->columns) {
		if (!c->in_file)
			continue;
		strbuf_puts(create, comma);
		query_quote(create, c->name);
		strbuf_printf(create, " %s", query_type_name(c->type));
		strbuf_printf(insert, "%s?", comma);
		comma = ",";
	}
	strbuf_puts(create, ")");
	strbuf_puts(insert, ")");
}

/* Makes a table when its first row comes, the fixed ones at once. */
static int make_table(struct todb *d, struct query_table *t)
{
	_cleanup_strbuf_ struct strbuf create = {0}, insert = {0};
	int r = query_table_prepare(d->s, t);

	if (!r) {
		add_sql(t, &create, &insert);
		r = create.failed || insert.failed ? -ENOMEM : 0;
	}
	if (r)
		return log_err_r(r, "cannot write the database: %m");
	r = run_sql(d, create.s);
	if (r)
		return r;
	if (sqlite3_prepare_v3(d->db, insert.s, -1, SQLITE_PREPARE_PERSISTENT,
			       &d->inserts[t->index], NULL))
		return fail(d);
	return 0;
}

static int bind(sqlite3_stmt *stmt, int at, const struct query_value *v)
{
	switch (v->type) {
	case QUERY_INT:
		return sqlite3_bind_int64(stmt, at, v->i);
	case QUERY_REAL:
		return sqlite3_bind_double(stmt, at, v->r);
	case QUERY_TEXT:
		return sqlite3_bind_text64(stmt, at, v->p, v->n, SQLITE_TRANSIENT, SQLITE_UTF8);
	case QUERY_BLOB:
		return sqlite3_bind_blob64(stmt, at, v->p, v->n, SQLITE_TRANSIENT);
	default:
		return sqlite3_bind_null(stmt, at);
	}
}

static int insert(struct todb *d, const struct query_table *t, const void *row)
{
	sqlite3_stmt *stmt = d->inserts[t->index];
	int at = 0;

	for (size_t i = 0; i < t->columns.n; i++) {
		struct query_value v = {0};
		int r;

		if (!t->columns.v[i].in_file)
			continue;
		r = t->ops->value(d->s, t, row, i, &v);
		if (r)
			return log_err_r(r, "cannot write the database: %m");
		if (bind(stmt, ++at, &v))
			return fail(d);
	}
	if (sqlite3_step(stmt) != SQLITE_DONE)
		return fail(d);
	sqlite3_reset(stmt);
	return 0;
}

static int insert_kind(struct todb *d, const struct event *ev)
{
	uint32_t index = d->s->by_index[ev->machine][ev->kind->index].table;
	struct query_table *t;
	int r = 0;

	if (index >= d->s->tables.n)
		return 0;
	t = &d->s->tables.v[index];
	if (!d->inserts[index]) {
		if (d->n_kinds >= KINDS_MAX) {
			d->left_out++;
			return 0;
		}
		d->n_kinds++;
		r = make_table(d, t);
	}
	return r ? r : insert(d, t, ev);
}

static int put_row(struct todb *d, const struct query_table *t, const void *row)
{
	int r = insert(d, t, row);

	if (!r && t->ops == &query_events_ops)
		r = insert_kind(d, row);
	if (!r && *d->c->stop)
		r = -EINTR;
	if (++d->rows % SHOW_ROWS == 0)
		log_progress("exporting: %.1f million rows", (double)d->rows / 1e6);
	return r;
}

static int make_filter(const struct todb *d, const struct query_table *t, struct query_filter *f)
{
	const struct timeline_filter *ask = d->c->ask;

	f->wants_tasks = f->wants_waits = true;
	query_filter_ticks(f, ask->from_ticks, ask->to_ticks ?: UINT64_MAX);
	if (ask->vm)
		f->vm = strdup(ask->vm);
	if (t->ops == &query_lost_ops) { /* no event has no name */
		f->system = strdup("");
		if (!f->system)
			return -ENOMEM;
	}
	return ask->vm && !f->vm ? -ENOMEM : 0;
}

static int fill_from(struct todb *d, const struct query_table *t, struct query_scan *scan)
{
	for (;;) {
		int r = query_scan_next(scan);

		if (r == -EINTR && !*d->c->stop)
			continue;
		if (r || scan->ended)
			return r;
		r = put_row(d, t, query_scan_row(scan, t->ops->row_bytes));
		if (r)
			return r;
	}
}

static int fill(struct todb *d, const struct query_table *t)
{
	struct query_filter f = {0};
	struct query_scan scan = {0};
	int r = make_filter(d, t, &f);

	if (r) {
		query_filter_free(&f);
		return log_err_r(r, "cannot write the database: %m");
	}
	r = query_scan_start(&scan, d->s, t, &f);
	if (!r)
		r = fill_from(d, t, &scan);
	query_scan_stop(&scan);
	return r;
}

/* What a reader may want to compute with. */
static int put_session(struct todb *d)
{
	const struct input *in = d->c->in;
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_printf(&b,
		      "CREATE TABLE session(name TEXT, value);"
		      "INSERT INTO session VALUES('onetsc', '%s'), ('first_ticks', %llu)",
		      ONETSC_VERSION, (unsigned long long)d->s->first_ticks);
	if (in->conv.mult)
		strbuf_printf(&b, ", ('tsc_hz', %llu)", (unsigned long long)conv_hz(&in->conv));
	return b.failed ? log_err_r(-ENOMEM, "cannot write the database: %m") : run_sql(d, b.s);
}

static int write_all(struct todb *d)
{
	int r = run_sql(d, CACHE_PRAGMAS);

	if (!r)
		r = put_session(d);
	for (size_t i = 0; i < d->s->tables.n && !r; i++) {
		struct query_table *t = &d->s->tables.v[i];

		if (t->is_kind)
			continue;
		r = make_table(d, t);
	}
	for (size_t i = 0; i < d->s->tables.n && !r; i++)
		if (!d->s->tables.v[i].is_kind)
			r = fill(d, &d->s->tables.v[i]);
	for (size_t i = 0; i < d->s->tables.n; i++)
		sqlite3_finalize(d->inserts[i]);
	return r ? r : run_sql(d, END_SQL);
}

static int open_db(struct todb *d)
{
	d->inserts = calloc(d->s->tables.n + 1, sizeof(sqlite3_stmt *));
	if (!d->inserts)
		return log_err_r(-ENOMEM, "cannot write \"%s\": %m", d->c->path);
	if (sqlite3_open_v2(d->c->path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL))
		return fail(d);
	return 0;
}

int todb_write(const struct todb_config *c)
{
	struct todb d = {.c = c};
	int r = query_session_new(c->in, &d.s);

	if (!r) {
		d.s->stop = c->stop;
		r = open_db(&d);
	}
	if (!r)
		r = write_all(&d);
	log_progress_end();
	if (!r && d.left_out)
		log_warn("only the first %u kinds of events have tables of their own; %zu events "
			 "are in table events alone",
			 KINDS_MAX, d.left_out);
	free(d.inserts);
	if (sqlite3_close(d.db) && !r)
		r = log_err_r(-EIO, "cannot write \"%s\": it could not be closed", c->path);
	query_session_free(d.s);
	return r;
}
