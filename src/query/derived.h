/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tables that are computed from events share: exits, states, sched. Used inside query/ only.
 *
 * What a vCPU does at a moment follows from events before it. So a pass for a window begins earlier,
 * as far as needed to know all that the whole session would tell, and ends later. */
#pragma once

#include "query/tables.h"

#define DERIVED_ROWS 512

/* Rows on their way: collected, and given when there are many. */
struct derived_rows {
	struct pull *pull;
	size_t n, row_bytes;
	char *rows; /* DERIVED_ROWS */
};

must_check int derived_rows_init(struct derived_rows *d, struct pull *p, size_t row_bytes);
/* A zeroed row more, valid until the next call; NULL: *ret_error, nobody wants more. */
void *derived_rows_add(struct derived_rows *d, int *ret_error);
/* Gives what is collected. */
must_check int derived_rows_flush(struct derived_rows *d);
void derived_rows_free(struct derived_rows *d);

/* Runs probe over [start, from) with an earlier start each time until it says that it knows enough, or
 * start is before everything. *ret_start 0: from the start. */
must_check int derived_lookback(struct query_scan *scan, uint64_t from,
				int (*probe)(struct query_scan *scan, struct timeline *t,
					     bool *ret_enough),
				uint64_t *ret_start);
