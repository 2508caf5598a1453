/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQL over a session in place. Nothing can be written: no ATTACH, no extensions, no pragmas that
 * change anything. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"
#include "sink/out.h"
#include "timeline/input.h"

enum query_format { QUERY_FORMAT_TABLE, QUERY_FORMAT_CSV, QUERY_FORMAT_TSV, QUERY_FORMAT_JSON };

struct query;

/* in outlives it. One message per failure. */
must_check int query_new(const struct input *in, struct query **ret);
void query_free(struct query *q);
/* Runs the statements one after the other and writes their rows. -EINVAL: the SQL is wrong; -EINTR:
 * query_stop(); after a message, but for failures of out, which stay in it. */
must_check int query_run(struct query *q, const char *sql, enum query_format format,
			 struct out *out);
/* After query_run() was stopped: a thread may still read the input, so neither it nor the query can be
 * freed. All is written; the program should end. */
bool query_is_abandoned(const struct query *q);
/* Ends a query_run() soon. May be called from a signal handler. */
void query_stop(struct query *q);

/* The names of all tables with how many events they hold, with_empty: those of kinds of which there is
 * none too; or the columns of those that match the glob (NULL: all that are not of one
 * kind of event). -ENOENT after a message: there is no such table. */
must_check int query_print_tables(struct query *q, bool with_empty, struct out *out);
must_check int query_print_schema(struct query *q, const char *glob, struct out *out);

#define _cleanup_query_ _cleanup_(query_cleanup)
static inline void query_cleanup(struct query **q)
{
	query_free(*q);
}
