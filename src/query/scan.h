/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pass over a session for one table, pulled row by row; what is known of the wanted rows spares
 * the merge work. */
#pragma once

#include "base/pull.h"
#include "timeline/timeline.h"

/* What a column is to the merge: a condition on it can leave out events early. */
enum query_role {
	ROLE_NONE,
	ROLE_TICKS,
	ROLE_END, /* ticks of the end of what begins at ROLE_TICKS */
	ROLE_TS,  /* ns since the first event */
	ROLE_MACHINE,
	ROLE_VM,
	ROLE_CPU,
	ROLE_VCPU,
	ROLE_PID,
	ROLE_SYSTEM,
	ROLE_EVENT,
	ROLE_WAITED, /* asking for it means reading further back */
	ROLE_COMM,   /* asking for it means learning names from all events */
};

struct query_session;
struct query_table;

/* Everything may let too many events through, never too few. Zero-initialise. */
struct query_filter {
	struct timeline_filter f;
	bool nothing;	  /* no row can pass */
	bool wants_tasks; /* task names are asked for */
	bool wants_waits; /* a column of ROLE_WAITED is */
	char *machine, *vm;
	char *system; /* glob, NULL: all */
	char **names; /* globs of event names; n 0: all */
	size_t n;
	char **events; /* what f.events points to */
	size_t n_events;
};

void query_filter_free(struct query_filter *f);
/* Tick bounds; to UINT64_MAX: none. */
void query_filter_ticks(struct query_filter *f, uint64_t from, uint64_t to);
/* The same in ns since the first event; without a known frequency nothing. */
void query_filter_ns(struct query_filter *f, const struct query_session *s, int64_t from,
		     int64_t to);
/* The text with what is special in a glob escaped. NULL without memory. */
char *query_glob_of_text(const char *text);
/* A glob that matches whatever SQL's GLOB or LIKE does, and more; NULL: none such, or no memory. */
char *query_glob_of_glob(const char *pattern);
char *query_glob_of_like(const char *pattern);

struct query_scan {
	struct query_session *session;
	const struct query_table *table;
	struct query_filter filter;
	struct timeline *timeline;
	struct pull *pull;
	/* the batch */
	const char *rows;
	size_t n, at;
	bool ended;
};

/* Starts a pass; takes the filter over, also on failure. Messages of failures are said, and
 * session.failed is set. */
must_check int query_scan_start(struct query_scan *scan, struct query_session *s,
				const struct query_table *t, struct query_filter *filter);
/* Goes to the first row, or the next; ended when there is none. -EINTR as pull_take(). */
must_check int query_scan_next(struct query_scan *scan);
void query_scan_stop(struct query_scan *scan);
/* The row that the scan is at, while it has not ended. */
static inline const void *query_scan_row(const struct query_scan *scan, size_t row_bytes)
{
	return scan->rows + (scan->at - 1) * row_bytes;
}
/* A pass of one consumer, for the run of tables. */
must_check int query_scan_run(struct query_scan *scan, const struct consumer *c, void *state);
