/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of a session under SQLite. Used inside query/ only. */
#pragma once

#include <sqlite3.h>

#include "query/table.h"

/* Makes all tables known to db, as eponymous virtual tables: each is made when first asked for.
 * s outlives db. A SQLITE_ code. */
must_check int vtab_register(sqlite3 *db, struct query_session *s);

/* plan.c: what of a query's conditions is told to the merge. */
must_check int plan_best(const struct query_table *t, sqlite3_index_info *info);
/* The conditions' values, as the plan chose them, as a filter. SQLITE_OK or SQLITE_NOMEM. */
must_check int plan_filter(struct query_session *s, const struct query_table *t, int number,
			   const char *text, sqlite3_value **v, int n, struct query_filter *ret);
