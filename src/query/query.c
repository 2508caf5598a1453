// SPDX-License-Identifier: GPL-2.0-or-later
#include "query/query.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "query/print.h"
#include "query/tables.h"
#include "query/vtab.h"

#define HEAP_MAX (512ll << 20) /* of SQLite: sorting goes to a file long before */

struct query {
	struct query_session *session;
	sqlite3 *db;
	volatile sig_atomic_t stop;
};

/* Whatever a statement does besides reading is refused. */
static int authorize(void *state, int action, const char *a, const char *b, const char *db,
		     const char *trigger)
{
	static const char *const pragmas[] = {"table_info", "table_xinfo", "table_list",
					      "function_list", "compile_options"};

	if (((const struct query *)state)->session->declares)
		return SQLITE_OK;
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_RECURSIVE:
	case SQLITE_FUNCTION:
		return b && !strcasecmp(b, "load_extension") ? SQLITE_DENY : SQLITE_OK;
	case SQLITE_PRAGMA:
		for (size_t i = 0; i < ARRAY_SIZE(pragmas); i++)
			if (!strcasecmp(a, pragmas[i]))
				return SQLITE_OK;
		return SQLITE_DENY;
	default:
		return SQLITE_DENY;
	}
}

/* to_hex(N): an integer as the 64 bits that it is, "0xffffffff81000000". */
static void to_hex(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	char text[20];

	if (sqlite3_value_type(v[0]) != SQLITE_INTEGER)
		return;
	snprintf(text, sizeof(text), "%#llx", (unsigned long long)sqlite3_value_int64(v[0]));
	sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
}

static int set_up(struct query *q)
{
	static const struct {
		int id, max;
	} limits[] = {{SQLITE_LIMIT_ATTACHED, 0},	   {SQLITE_LIMIT_LENGTH, 64 << 20},
		      {SQLITE_LIMIT_SQL_LENGTH, 1 << 20},  {SQLITE_LIMIT_EXPR_DEPTH, 200},
		      {SQLITE_LIMIT_COMPOUND_SELECT, 100}, {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 4096},
		      {SQLITE_LIMIT_WORKER_THREADS, 0},	   {SQLITE_LIMIT_TRIGGER_DEPTH, 1}};
	int r;

	sqlite3_hard_heap_limit64(HEAP_MAX);
	r = sqlite3_open_v2(":memory:", &q->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	if (r)
		return r;
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(q->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		sqlite3_limit(q->db, limits[i].id, limits[i].max);
	r = sqlite3_create_function_v2(q->db, "to_hex", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
				       to_hex, NULL, NULL, NULL);
	if (!r)
		r = vtab_register(q->db, q->session);
	/* tables of SQLite's own are made when first named, which is not authorised later */
	if (!r)
		r = sqlite3_exec(q->db,
				 "PRAGMA query_only=1; PRAGMA temp_store=file;"
				 "SELECT 1 FROM json_each('[]'), json_tree('[]')",
				 NULL, NULL, NULL);
	return r ? r : sqlite3_set_authorizer(q->db, authorize, q);
}

int query_new(const struct input *in, struct query **ret)
{
	struct query *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return log_err_r(-ENOMEM, "cannot query \"%s\": %m", in->title);
	r = query_session_new(in, &q->session);
	if (!r && set_up(q))
		r = log_err_r(-ENOMEM, "cannot query \"%s\": SQLite: %s", in->title,
			      sqlite3_errmsg(q->db));
	if (r) {
		query_free(q);
		return r;
	}
	q->session->stop = &q->stop;
	*ret = q;
	return 0;
}

void query_free(struct query *q)
{
	if (!q)
		return;
	sqlite3_close(q->db);
	query_session_free(q->session);
	free(q);
}

bool query_is_abandoned(const struct query *q)
{
	return q->session->abandoned;
}

void query_stop(struct query *q)
{
	q->stop = 1;
	sqlite3_interrupt(q->db);
}

/* The line of the SQL that the error is in, and where in it. */
static void log_place(const char *sql, int offset)
{
	const char *from = sql + offset, *end = from + strcspn(from, "\n");
	char line[161], mark[161];
	size_t n, at;

	while (from > sql && from[-1] != '\n')
		from--;
	at = (size_t)(sql + offset - from);
	if (at > 100) { /* what is right before it is enough */
		from += at - 100;
		at = 100;
	}
	n = (size_t)(end - from) < sizeof(line) - 1 ? (size_t)(end - from) : sizeof(line) - 1;
	for (size_t i = 0; i < n; i++) /* the SQL may come from anywhere too */
		line[i] = (unsigned char)from[i] < 0x20 || from[i] == 0x7f ? ' ' : from[i];
	line[n] = 0;
	memset(mark, ' ', at);
	mark[at] = 0;
	log_err("  %s", line);
	log_err("  %s^", mark);
}

static int log_failure(struct query *q, const char *sql)
{
	int code = sqlite3_errcode(q->db), offset = sqlite3_error_offset(q->db);

	if (code == SQLITE_INTERRUPT || q->stop)
		return log_err_r(-EINTR, "interrupted");
	if (q->session->failed)
		return -EIO;
	if (code == SQLITE_AUTH)
		return log_err_r(-EINVAL, "a session can only be read: %s", sqlite3_errmsg(q->db));
	if (code == SQLITE_NOMEM)
		return log_err_r(-ENOMEM, "the query needs too much memory");
	log_err("SQL: %s", sqlite3_errmsg(q->db));
	if (offset >= 0 && (size_t)offset <= strlen(sql))
		log_place(sql, offset);
	return -EINVAL;
}

static int run_statement(struct query *q, sqlite3_stmt *stmt, const char *sql, struct print *p)
{
	int r = print_begin(p, stmt), step = SQLITE_DONE, end;

	while (!r && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		r = print_row(p, stmt);
	end = r ? r : print_end(p); /* rows before a failure too */
	if (end == -ENOMEM)
		log_errno(end, "cannot write the rows: %m");
	return end || step == SQLITE_DONE ? end : log_failure(q, sql);
}

static int run_all(struct query *q, const char *sql, struct print *p)
{
	while (*sql) {
		sqlite3_stmt *stmt = NULL;
		const char *tail = "";
		int r = 0;

		if (sqlite3_prepare_v2(q->db, sql, -1, &stmt, &tail))
			return log_failure(q, sql);
		if (stmt && !sqlite3_stmt_readonly(stmt))
			r = log_err_r(-EINVAL, "SQL: a session can only be read");
		else if (stmt)
			r = run_statement(q, stmt, sql, p);
		sqlite3_finalize(stmt);
		if (r)
			return r;
		sql = tail;
	}
	return 0;
}

int query_run(struct query *q, const char *sql, enum query_format format, struct out *out)
{
	struct print *p;
	int r = print_new(out, format, &p);

	if (r)
		return log_err_r(r, "cannot query: %m");
	r = run_all(q, sql, p);
	print_free(p);
	return out_flush(out) ?: r;
}

int query_print_tables(struct query *q, bool with_empty, struct out *out)
{
	return query_help_tables(q->session, with_empty, out);
}

int query_print_schema(struct query *q, const char *glob, struct out *out)
{
	return query_help_schema(q->session, glob, out);
}
