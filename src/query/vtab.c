// SPDX-License-Identifier: GPL-2.0-or-later
#include "query/vtab.h"

#include <errno.h>
#include <string.h>

struct vtab {
	sqlite3_vtab base; /* must be first */
	struct query_session *session;
	struct query_table *table;
};

struct cursor {
	sqlite3_vtab_cursor base; /* must be first */
	struct query_scan *scan;
};

/* One of a name of a table. */
struct module {
	struct query_session *session;
	struct query_table *table;
};

static int declare(sqlite3 *db, const struct query_table *t)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_puts(&b, "CREATE TABLE x(");
	array_for_each(c, &t->columns) {
		if (c != t->columns.v)
			strbuf_puts(&b, ",");
		query_quote(&b, c->name);
		strbuf_printf(&b, " %s%s", query_type_name(c->type), c->hidden ? " HIDDEN" : "");
	}
	strbuf_puts(&b, ")");
	return b.failed ? SQLITE_NOMEM : sqlite3_declare_vtab(db, b.s);
}

static int vtab_connect(sqlite3 *db, void *aux, int argc, const char *const *argv,
			sqlite3_vtab **ret, char **ret_error)
{
	const struct module *m = aux;
	struct vtab *v;
	int r;

	if (query_table_prepare(m->session, m->table))
		return SQLITE_NOMEM;
	m->session->declares = true;
	r = declare(db, m->table);
	m->session->declares = false;
	if (r) {
		*ret_error = sqlite3_mprintf("%s", sqlite3_errmsg(db));
		return r;
	}
	v = sqlite3_malloc(sizeof(*v));
	if (!v)
		return SQLITE_NOMEM;
	*v = (struct vtab){.session = m->session, .table = m->table};
	*ret = &v->base;
	return SQLITE_OK;
}

static int vtab_disconnect(sqlite3_vtab *v)
{
	sqlite3_free(v);
	return SQLITE_OK;
}

static int vtab_best(sqlite3_vtab *v, sqlite3_index_info *info)
{
	return plan_best(((struct vtab *)v)->table, info);
}

static int vtab_open(sqlite3_vtab *v, sqlite3_vtab_cursor **ret)
{
	struct cursor *c = sqlite3_malloc(sizeof(*c));

	if (!c)
		return SQLITE_NOMEM;
	memset(c, 0, sizeof(*c));
	*ret = &c->base;
	return SQLITE_OK;
}

static int vtab_close(sqlite3_vtab_cursor *cursor)
{
	struct cursor *c = (struct cursor *)cursor;

	if (c->scan)
		query_scan_stop(c->scan);
	free(c->scan);
	sqlite3_free(cursor);
	return SQLITE_OK;
}

/* A search for what is not there would read on to the end: it is left alone. */
static int abandon(struct cursor *c)
{
	c->scan->session->abandoned = true;
	c->scan = NULL;
	return SQLITE_INTERRUPT;
}

static int next(struct cursor *c)
{
	const struct query_session *s = c->scan->session;
	int r;

	do {
		if (s->stop && *s->stop)
			return abandon(c);
		r = query_scan_next(c->scan);
	} while (r == -EINTR);
	return r ? SQLITE_ERROR : SQLITE_OK;
}

static int vtab_next(sqlite3_vtab_cursor *cursor)
{
	return next((struct cursor *)cursor);
}

static int vtab_filter(sqlite3_vtab_cursor *cursor, int number, const char *text, int n,
		       sqlite3_value **v)
{
	struct cursor *c = (struct cursor *)cursor;
	const struct vtab *t = (const struct vtab *)cursor->pVtab;
	struct query_filter f = {0};
	int r;

	if (t->session->stop && *t->session->stop)
		return SQLITE_INTERRUPT;
	if (c->scan)
		query_scan_stop(c->scan);
	else
		c->scan = calloc(1, sizeof(*c->scan));
	if (!c->scan)
		return SQLITE_NOMEM;
	r = plan_filter(t->session, t->table, number, text, v, n, &f);
	if (r) {
		query_filter_free(&f);
		return r;
	}
	if (query_scan_start(c->scan, t->session, t->table, &f))
		return SQLITE_ERROR;
	return next(c);
}

static int vtab_eof(sqlite3_vtab_cursor *cursor)
{
	return ((struct cursor *)cursor)->scan->ended;
}

static const void *row_of(const struct cursor *c)
{
	return query_scan_row(c->scan, c->scan->table->ops->row_bytes);
}

static int vtab_column(sqlite3_vtab_cursor *cursor, sqlite3_context *ctx, int i)
{
	struct cursor *c = (struct cursor *)cursor;
	const struct query_table *t = c->scan->table;
	struct query_value v = {0};

	if (t->ops->value(c->scan->session, t, row_of(c), (size_t)i, &v))
		return SQLITE_NOMEM;
	switch (v.type) {
	case QUERY_INT:
		sqlite3_result_int64(ctx, v.i);
		break;
	case QUERY_REAL:
		sqlite3_result_double(ctx, v.r);
		break;
	case QUERY_TEXT:
		sqlite3_result_text64(ctx, v.p, v.n, SQLITE_TRANSIENT, SQLITE_UTF8);
		break;
	case QUERY_BLOB:
		sqlite3_result_blob64(ctx, v.p, v.n, SQLITE_TRANSIENT);
		break;
	default:
		break; /* NULL */
	}
	return SQLITE_OK;
}

/* Rows have no number of their own that would not depend on what else is asked for, so it is worked
 * out of what they hold (FNV-1a). SQLite needs it when it comes by the same row twice. */
static int vtab_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret)
{
	struct cursor *c = (struct cursor *)cursor;
	const struct query_table *t = c->scan->table;
	uint64_t hash = 14695981039346656037u;

	for (size_t i = 0; i < t->columns.n && i < 63; i++) {
		struct query_value v = {0};

		if (t->columns.v[i].is_derived)
			continue;
		if (t->ops->value(c->scan->session, t, row_of(c), i, &v))
			return SQLITE_NOMEM;
		hash = (hash ^ (uint64_t)v.i ^ v.type) * 1099511628211u;
		for (size_t k = 0; k < v.n; k++)
			hash = (hash ^ ((const uint8_t *)v.p)[k]) * 1099511628211u;
	}
	*ret = (sqlite3_int64)(hash >> 1);
	return SQLITE_OK;
}

static const sqlite3_module vtab_module = {
	.iVersion = 3,
	.xConnect = vtab_connect,
	.xBestIndex = vtab_best,
	.xDisconnect = vtab_disconnect,
	.xOpen = vtab_open,
	.xClose = vtab_close,
	.xFilter = vtab_filter,
	.xNext = vtab_next,
	.xEof = vtab_eof,
	.xColumn = vtab_column,
	.xRowid = vtab_rowid,
};

static int register_name(sqlite3 *db, struct query_session *s, struct query_table *t,
			 const char *name)
{
	struct module *m = malloc(sizeof(*m));

	if (!m)
		return SQLITE_NOMEM;
	*m = (struct module){s, t};
	return sqlite3_create_module_v2(db, name, &vtab_module, m, free);
}

int vtab_register(sqlite3 *db, struct query_session *s)
{
	int r = SQLITE_OK;

	array_for_each(t, &s->tables) {
		if (!r)
			r = register_name(db, s, t, t->name);
		if (!r && t->full_name && !t->shares_name)
			r = register_name(db, s, t, t->full_name);
	}
	return r;
}
