// SPDX-License-Identifier: GPL-2.0-or-later
#include "query/tables.h"

#include <errno.h>

struct query_table *query_table_add(struct query_session *s, const char *name, const char *help,
				    const struct query_table_ops *ops)
{
	struct query_table *t = array_add(&s->tables);

	if (!t)
		return NULL;
	t->index = (uint32_t)s->tables.n - 1;
	t->help = help;
	t->ops = ops;
	t->name = strdup(name);
	return t->name ? t : NULL;
}

int query_table_columns(struct query_table *t, const struct query_column *columns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct query_column *c = array_add(&t->columns);

		if (!c)
			return -ENOMEM;
		*c = columns[i];
	}
	t->has_columns = true;
	return 0;
}

int query_table_prepare(struct query_session *s, struct query_table *t)
{
	int r;

	if (t->has_columns)
		return 0;
	r = query_kinds_columns(s, t);
	t->has_columns = !r;
	return r;
}

int query_tables_make(struct query_session *s)
{
	int r = query_events_make(s);

	if (!r)
		r = query_sched_make(s);
	if (!r)
		r = query_exits_make(s);
	if (!r)
		r = query_machines_make(s);
	return r ? r : query_kinds_make(s);
}
