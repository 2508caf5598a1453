/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables that a session has: names, typed columns, and where their rows come from. Knows nothing
 * of SQL: vtab.c puts them under SQLite, todb.c writes them to a file. */
#pragma once

#include <signal.h>

#include "base/array.h"
#include "base/text.h"
#include "query/scan.h"
#include "timeline/timeline.h"

enum query_type { QUERY_NULL, QUERY_INT, QUERY_REAL, QUERY_TEXT, QUERY_BLOB };

/* p is valid until the next value of the same session is taken. */
struct query_value {
	enum query_type type;
	int64_t i;
	double r;
	const void *p;
	size_t n;
};

struct query_column {
	const char *name;
	const char *help; /* NULL: none */
	uint8_t type;	  /* enum query_type */
	uint8_t role;	  /* enum query_role, scan.h */
	uint8_t base;	  /* of tables of events: which column of all events; BASE_FIELD */
	bool hidden;	  /* not in SELECT * */
	bool in_file;	  /* also in an exported database */
	bool is_derived;  /* follows from the others, or depends on what else is asked for */
	uint32_t field;	  /* BASE_FIELD: index into query_kind.fields */
};

struct query_session;
struct query_table;

struct query_table_ops {
	size_t row_bytes;
	/* Gives rows in order of time to scan->pull; NULL: fixed() has them all. */
	int (*run)(void *scan, struct pull *p);
	void (*fixed)(struct query_session *s, const void **ret, size_t *ret_n);
	bool own_timeline; /* run makes its own */
	bool (*wants)(const struct query_session *s, const struct query_table *t, const void *row);
	int (*value)(struct query_session *s, const struct query_table *t, const void *row,
		     size_t column, struct query_value *ret);
};

struct query_table {
	char *name;	 /* what SQL calls it; unique without regard to case, valid UTF-8 */
	char *full_name; /* of a kind: "kvm:kvm_exit", also known to SQL; else NULL */
	const char *help;
	const struct query_table_ops *ops;
	struct ARRAY(struct query_column) columns;
	char **names; /* of columns that are made up here */
	size_t n_names;
	/* kinds: [first, first + n) of query_session.kinds */
	size_t first, n;
	uint32_t index;
	bool is_kind, has_columns, shares_name;
};

/* A kind of one machine. */
struct query_kind {
	const struct source_kind *kind;
	const struct source_field **fields; /* by column.field; NULL: it has none */
	uint32_t machine, table;
};

struct query_thread {
	int pid;
	const struct input_machine *machine;
	const struct input_vcpu *vcpu;
};

struct query_vcpu_row {
	const struct input_machine *machine;
	const struct input_vcpu *vcpu;
	size_t epoch; /* index; 0 also when there is none */
};

struct query_session {
	const struct input *in;
	uint64_t first_ticks;
	struct ARRAY(struct query_table) tables;
	struct ARRAY(struct query_kind *) kinds;	    /* by table */
	struct query_kind **by_index;			    /* [machine][kind index] */
	struct ARRAY(struct query_thread) threads;	    /* by pid */
	struct ARRAY(struct query_vcpu_row) vcpus, offsets; /* rows of these tables */
	struct eventtext *texts;			    /* when first needed */
	struct out *fields;				    /* likewise */
	struct strbuf scratch;
	bool declares;			   /* a table is being made known to SQL */
	bool abandoned;			   /* a thread still uses the session */
	bool failed;			   /* reading failed, and that was said */
	const volatile sig_atomic_t *stop; /* a pass that waits for rows ends; NULL: never */
};

/* in outlives it. One message per failure. */
must_check int query_session_new(const struct input *in, struct query_session **ret);
void query_session_free(struct query_session *s);
/* By name or full name, without regard to case; NULL. */
struct query_table *query_table_find(struct query_session *s, const char *name);
/* Fills in columns of a kind's table, which takes time when there are thousands. -ENOMEM. */
must_check int query_table_prepare(struct query_session *s, struct query_table *t);
/* In double quotes. */
void query_quote(struct strbuf *b, const char *name);
const char *query_type_name(unsigned type); /* "INTEGER" … */

/* A text as SQL wants it: valid UTF-8. */
void query_value_text(struct query_session *s, const char *text, size_t n, struct query_value *ret);
