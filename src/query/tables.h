/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which tables there are. Used inside query/ only. */
#pragma once

#include "query/table.h"
#include "sink/out.h"

/* All tables of a session, in the order in which they are listed; s->in is set. -ENOMEM. */
must_check int query_tables_make(struct query_session *s);
/* kinds.c: a table per kind of event. */
must_check int query_kinds_make(struct query_session *s);
must_check int query_kinds_columns(struct query_session *s, struct query_table *t);

/* A table more, or NULL without memory. name is copied. */
struct query_table *query_table_add(struct query_session *s, const char *name, const char *help,
				    const struct query_table_ops *ops);
must_check int query_table_columns(struct query_table *t, const struct query_column *columns,
				   size_t n);

/* events.c: columns that every table of events has. */
enum query_base {
	BASE_TS_NS,
	BASE_TICKS,
	BASE_WIDTH,
	BASE_MACHINE,
	BASE_CPU,
	BASE_VM,
	BASE_VCPU,
	BASE_PID,
	BASE_COMM,
	BASE_SYSTEM,
	BASE_EVENT,
	BASE_TEXT,
	BASE_ERROR_TICKS,
	BASE_DOUBTFUL,
	BASE_RAW_TICKS,
	BASE_FIELDS,
	BASE_LOST,
	BASE_END_TICKS,
	BASE_FIELD, /* a field of the kind */
};
extern const struct query_table_ops query_events_ops, query_kind_ops, query_lost_ops;
extern const struct query_table_ops query_exits_ops, query_states_ops, query_sched_ops;
extern const struct query_column query_kind_front[], query_kind_back[];
extern const size_t query_kind_n_front, query_kind_n_back;
must_check int query_events_make(struct query_session *s);

/* ns since the first event; NULL value without a known frequency. */
void query_value_ts(const struct query_session *s, uint64_t ticks, struct query_value *ret);
/* Above 2^63, where INTEGER ends, REAL: so order stays. */
void query_value_ticks(uint64_t ticks, struct query_value *ret);
/* ns of a duration; NULL value without a known frequency. */
void query_value_span(const struct query_session *s, uint64_t ticks, struct query_value *ret);
void query_value_int(int64_t v, struct query_value *ret);
/* The vCPU that a thread of the host is, or NULL. */
const struct query_thread *query_thread_find(const struct query_session *s, int pid);

/* sched.c: sched */
must_check int query_sched_make(struct query_session *s);
/* exits.c: exits, states */
must_check int query_exits_make(struct query_session *s);
/* machines.c: machines, vcpus */
must_check int query_machines_make(struct query_session *s);

/* help.c; the contracts are in query.h */
must_check int query_help_tables(struct query_session *s, bool with_empty, struct out *o);
must_check int query_help_schema(struct query_session *s, const char *glob, struct out *o);
