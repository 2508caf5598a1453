// SPDX-License-Identifier: GPL-2.0-or-later
/* SQLite checks every condition again, so what is told to the merge may be too wide, never too narrow.
 *
 * idxNum: PLAN_TASKS, PLAN_WAITS. idxStr: two characters for each value, role and operator. */
#include <string.h>

#include "query/tables.h"
#include "query/vtab.h"

#define PLAN_TASKS 1
#define PLAN_WAITS 2
#define VALUES_MAX 16

enum operator{ OP_EQ = 'a', OP_GE, OP_LE, OP_GLOB, OP_LIKE, OP_IN };

static int operator_of(int op)
{
	switch (op) {
	case SQLITE_INDEX_CONSTRAINT_EQ:
		return OP_EQ;
	case SQLITE_INDEX_CONSTRAINT_GT:
	case SQLITE_INDEX_CONSTRAINT_GE:
		return OP_GE;
	case SQLITE_INDEX_CONSTRAINT_LT:
	case SQLITE_INDEX_CONSTRAINT_LE:
		return OP_LE;
	case SQLITE_INDEX_CONSTRAINT_GLOB:
		return OP_GLOB;
	case SQLITE_INDEX_CONSTRAINT_LIKE:
		return OP_LIKE;
	default:
		return 0;
	}
}

/* Whether the merge has a use for a condition of that operator. */
static bool is_useful(unsigned role, int op)
{
	switch (role) {
	case ROLE_TICKS:
	case ROLE_TS:
		return op == OP_EQ || op == OP_GE || op == OP_LE;
	case ROLE_END:
		return op == OP_EQ || op == OP_GE;
	case ROLE_MACHINE:
	case ROLE_VM:
	case ROLE_CPU:
	case ROLE_VCPU:
	case ROLE_PID:
		return op == OP_EQ;
	case ROLE_SYSTEM:
		return op == OP_EQ || op == OP_GLOB || op == OP_LIKE;
	case ROLE_EVENT:
		return op == OP_EQ || op == OP_GLOB || op == OP_LIKE || op == OP_IN;
	default:
		return false;
	}
}

/* The operator with which condition i is of use, or 0. A list of values is one pass per value,
 * unless it is taken whole. */
static int useful_operator(const struct query_table *t, sqlite3_index_info *info, int i)
{
	const struct sqlite3_index_constraint *c = &info->aConstraint[i];
	unsigned role;
	int op;

	if (!c->usable || c->iColumn < 0 || (size_t)c->iColumn >= t->columns.n)
		return 0;
	role = t->columns.v[c->iColumn].role;
	op = operator_of(c->op);
	if (op == OP_EQ && sqlite3_vtab_in(info, i, -1)) {
		if (role != ROLE_EVENT)
			return 0;
		op = OP_IN;
	}
	if (!op || !is_useful(role, op) || strcmp(sqlite3_vtab_collation(info, i), "BINARY"))
		return 0;
	return op;
}

/* An OR of conditions must not become one pass for each, as if there were an index: so the best pass
 * costs more than half of the worst. */
static void set_cost(sqlite3_index_info *info, int n, bool fixed)
{
	double rows = fixed ? 10 : 1e7;

	info->estimatedCost = fixed ? 10 : 1e8 * (n > 4 ? 0.6 : 1 - 0.1 * n);
	for (int i = 0; i < n && rows > 100; i++)
		rows /= 10;
	info->estimatedRows = (sqlite3_int64)rows;
}

static bool is_asked_for(const struct query_table *t, const sqlite3_index_info *info, unsigned role)
{
	for (size_t i = 0; i < t->columns.n; i++)
		if (t->columns.v[i].role == role)
			return info->colUsed >> (i < 63 ? i : 63) & 1;
	return false;
}

static bool is_in_order(const struct query_table *t, const sqlite3_index_info *info)
{
	int i = info->nOrderBy == 1 ? info->aOrderBy[0].iColumn : -1;

	return i >= 0 && !info->aOrderBy[0].desc && (size_t)i < t->columns.n &&
	       (t->columns.v[i].role == ROLE_TS || t->columns.v[i].role == ROLE_TICKS);
}

int plan_best(const struct query_table *t, sqlite3_index_info *info)
{
	char text[2 * VALUES_MAX + 1];
	int n = 0;

	for (int i = 0; i < info->nConstraint && n < VALUES_MAX && !t->ops->fixed; i++) {
		int op = useful_operator(t, info, i);

		if (!op)
			continue;
		if (op == OP_IN)
			sqlite3_vtab_in(info, i, 1);
		text[2 * n] = (char)('A' + t->columns.v[info->aConstraint[i].iColumn].role);
		text[2 * n + 1] = (char)op;
		info->aConstraintUsage[i].argvIndex = ++n;
	}
	text[2 * n] = 0;
	info->idxNum = (is_asked_for(t, info, ROLE_COMM) ? PLAN_TASKS : 0) |
		       (is_asked_for(t, info, ROLE_WAITED) ? PLAN_WAITS : 0);
	info->idxStr = sqlite3_mprintf("%s", text);
	info->needToFreeIdxStr = 1;
	info->orderByConsumed = !t->ops->fixed && !t->ops->own_timeline && is_in_order(t, info);
	set_cost(info, n, t->ops->fixed != NULL);
	return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

/* The integers that a number lies between. False: not a number. */
static bool number_of(sqlite3_value *v, int64_t *ret_lo, int64_t *ret_hi)
{
	double d;

	if (sqlite3_value_type(v) == SQLITE_INTEGER) {
		*ret_lo = *ret_hi = sqlite3_value_int64(v);
		return true;
	}
	if (sqlite3_value_type(v) != SQLITE_FLOAT)
		return false;
	d = sqlite3_value_double(v);
	*ret_lo = d >= 0x1p62 ? INT64_MAX / 2 : d <= -0x1p62 ? INT64_MIN : (int64_t)d - 1;
	*ret_hi = d >= 0x1p62 ? INT64_MAX : d <= -0x1p62 ? INT64_MIN / 2 : (int64_t)d + 1;
	return true;
}

static void filter_time(struct query_session *s, unsigned role, int op, sqlite3_value *v,
			struct query_filter *f)
{
	int64_t lo, hi;

	if (!number_of(v, &lo, &hi))
		return;
	if (role == ROLE_END)
		op = OP_GE;
	if (op == OP_LE)
		lo = INT64_MIN;
	if (op == OP_GE)
		hi = INT64_MAX;
	if (role == ROLE_TS)
		query_filter_ns(f, s, lo, hi);
	else if (hi < 0)
		f->nothing = true;
	else
		query_filter_ticks(f, lo > 0 ? (uint64_t)lo : 0,
				   hi == INT64_MAX ? UINT64_MAX : (uint64_t)hi);
}

static void filter_number(unsigned role, sqlite3_value *v, struct query_filter *f)
{
	int64_t n = sqlite3_value_int64(v);

	if (sqlite3_value_type(v) != SQLITE_INTEGER || n < 0 || n > INT32_MAX)
		return;
	if (role == ROLE_CPU) {
		f->f.has_cpu = true;
		f->f.cpu = (unsigned)n;
	} else if (role == ROLE_VCPU) {
		f->f.has_vcpu = true;
		f->f.vcpu = (unsigned)n;
	} else {
		f->f.has_pid = true;
		f->f.pid = (int)n;
	}
}

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if (*s & 0x80)
			return false;
	return true;
}

/* NULL: none. Names that are no UTF-8 look different in SQL, so only ASCII is sure. */
static char *glob_of(int op, sqlite3_value *v)
{
	const char *text = NULL;

	if (v && sqlite3_value_type(v) == SQLITE_TEXT)
		text = (const char *)sqlite3_value_text(v);
	if (!text || !is_ascii(text))
		return NULL;
	return op == OP_GLOB   ? query_glob_of_glob(text)
	       : op == OP_LIKE ? query_glob_of_like(text)
			       : query_glob_of_text(text);
}

static void set_once(char **at, char *glob)
{
	if (*at)
		free(glob);
	else
		*at = glob;
}

static int add_name(struct query_filter *f, char *glob)
{
	char **v = glob ? reallocarray(f->names, f->n + 1, sizeof(*v)) : NULL;

	if (!v) {
		free(glob);
		return SQLITE_NOMEM;
	}
	f->names = v;
	f->names[f->n++] = glob;
	return SQLITE_OK;
}

static void drop_names(struct query_filter *f)
{
	while (f->n)
		free(f->names[--f->n]);
}

/* All of them, or none. */
static int filter_list(struct query_filter *f, sqlite3_value *list)
{
	sqlite3_value *v;
	int r = SQLITE_OK;

	for (int at = sqlite3_vtab_in_first(list, &v); at == SQLITE_OK && v;
	     at = sqlite3_vtab_in_next(list, &v)) {
		char *glob;

		if (sqlite3_value_type(v) != SQLITE_TEXT) /* equals no name */
			continue;
		glob = glob_of(OP_EQ, v);
		if (!glob) {
			drop_names(f);
			return SQLITE_OK;
		}
		r = add_name(f, glob);
		if (r)
			return r;
	}
	return r;
}

static int filter_event(struct query_filter *f, int op, sqlite3_value *v)
{
	char *glob;

	if (f->n) /* one condition is enough, the others only narrow it */
		return SQLITE_OK;
	if (op == OP_IN)
		return filter_list(f, v);
	glob = glob_of(op, v);
	return glob ? add_name(f, glob) : SQLITE_OK;
}

static int filter_one(struct query_session *s, unsigned role, int op, sqlite3_value *v,
		      struct query_filter *f)
{
	switch (role) {
	case ROLE_TICKS:
	case ROLE_END:
	case ROLE_TS:
		filter_time(s, role, op, v, f);
		return SQLITE_OK;
	case ROLE_MACHINE:
		set_once(&f->machine, glob_of(op, v));
		return SQLITE_OK;
	case ROLE_VM:
		set_once(&f->vm, glob_of(op, v));
		return SQLITE_OK;
	case ROLE_SYSTEM:
		set_once(&f->system, glob_of(op, v));
		return SQLITE_OK;
	case ROLE_EVENT:
		return filter_event(f, op, v);
	default:
		filter_number(role, v, f);
		return SQLITE_OK;
	}
}

/* A kind's own table reads nothing else. Its names are as its file has them. */
static int filter_kind(struct query_session *s, const struct query_table *t, struct query_filter *f)
{
	const struct source_kind *k = s->kinds.v[t->first]->kind;

	f->system = query_glob_of_text(k->system);
	return f->system ? add_name(f, query_glob_of_text(k->name)) : SQLITE_NOMEM;
}

int plan_filter(struct query_session *s, const struct query_table *t, int number, const char *text,
		sqlite3_value **v, int n, struct query_filter *ret)
{
	int r = SQLITE_OK;

	ret->wants_tasks = number & PLAN_TASKS;
	ret->wants_waits = number & PLAN_WAITS;
	if (t->is_kind)
		r = filter_kind(s, t, ret);
	for (int i = 0; i < n && !r; i++)
		r = filter_one(s, (unsigned)(text[2 * i] - 'A'), text[2 * i + 1], v[i], ret);
	return r;
}
