// SPDX-License-Identifier: GPL-2.0-or-later
#include "query/derived.h"

#include <errno.h>
#include <string.h>

#define LOOKBACK_FIRST_NS 20000000u
#define LOOKBACK_FACTOR	  8

int derived_rows_init(struct derived_rows *d, struct pull *p, size_t row_bytes)
{
	*d = (struct derived_rows){.pull = p, .row_bytes = row_bytes};
	d->rows = calloc(DERIVED_ROWS, row_bytes);
	return d->rows ? 0 : -ENOMEM;
}

void *derived_rows_add(struct derived_rows *d, int *ret_error)
{
	void *row;

	*ret_error = d->n == DERIVED_ROWS ? derived_rows_flush(d) : 0;
	if (*ret_error)
		return NULL;
	row = d->rows + d->n++ * d->row_bytes;
	memset(row, 0, d->row_bytes);
	return row;
}

int derived_rows_flush(struct derived_rows *d)
{
	size_t n = d->n;

	d->n = 0;
	return pull_give(d->pull, d->rows, n);
}

void derived_rows_free(struct derived_rows *d)
{
	free(d->rows);
	d->rows = NULL;
}

static uint64_t first_step(const struct query_session *s)
{
	const struct tick_conv *c = &s->in->conv;

	return c->mult ? conv_from_ns(c, LOOKBACK_FIRST_NS).hi : LOOKBACK_FIRST_NS;
}

int derived_lookback(struct query_scan *scan, uint64_t from,
		     int (*probe)(struct query_scan *scan, struct timeline *t, bool *ret_enough),
		     uint64_t *ret_start)
{
	const struct query_session *s = scan->session;

	*ret_start = 0;
	if (from <= s->first_ticks)
		return 0;
	for (uint64_t step = first_step(s); step < from - s->first_ticks; step *= LOOKBACK_FACTOR) {
		struct timeline_filter f = {
			.vm = scan->filter.vm, .from_ticks = from - step, .to_ticks = from - 1};
		_cleanup_timeline_ struct timeline *t = NULL;
		bool enough = false;
		int r = timeline_new(s->in, &f, &t);

		if (!r)
			r = probe(scan, t, &enough);
		if (r)
			return r;
		if (enough) {
			*ret_start = from - step;
			return 0;
		}
		if (step > UINT64_MAX / LOOKBACK_FACTOR)
			break;
	}
	return 0;
}
