// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "query/table.h"

/* What the merge's filter takes as the system of "SYSTEM:NAME". */
#define SYSTEM_MAX 127

/* "SYSTEM:NAME" globs of system and names. A system that such a glob cannot tell stays out of it. */
static int make_events(struct query_filter *f)
{
	const char *system = f->system;
	size_t n = f->n ?: 1;

	if (system && (strchr(system, ':') || strlen(system) > SYSTEM_MAX))
		system = NULL;
	if (!system && !f->n)
		return 0;
	f->events = calloc(n, sizeof(*f->events));
	if (!f->events)
		return -ENOMEM;
	for (f->n_events = 0; f->n_events < n; f->n_events++)
		if (asprintf(&f->events[f->n_events], "%s:%s", system ?: "*",
			     f->n ? f->names[f->n_events] : "*") < 0)
			return -ENOMEM;
	f->f.events = (const char *const *)f->events;
	f->f.n_events = n;
	return 0;
}

static int run(void *state, struct pull *p)
{
	struct query_scan *scan = state;

	scan->pull = p;
	return scan->table->ops->run(scan, p);
}

static int start_pass(struct query_scan *scan)
{
	struct query_filter *f = &scan->filter;
	int r = make_events(f);

	f->f.machine = f->machine;
	f->f.vm = f->vm;
	if (!r && !scan->table->ops->own_timeline)
		r = timeline_new(scan->session->in, &f->f, &scan->timeline);
	else if (r)
		log_errno(r, "cannot query \"%s\": %m", scan->session->in->title);
	if (r)
		return r;
	r = pull_new(run, scan, &scan->pull);
	if (r)
		log_errno(r, "cannot query \"%s\": no thread: %m", scan->session->in->title);
	return r;
}

int query_scan_start(struct query_scan *scan, struct query_session *s, const struct query_table *t,
		     struct query_filter *filter)
{
	int r;

	*scan = (struct query_scan){.session = s, .table = t, .filter = *filter};
	*filter = (struct query_filter){0};
	if (t->ops->fixed) {
		t->ops->fixed(s, (const void **)&scan->rows, &scan->n);
		return 0;
	}
	if (scan->filter.nothing) {
		scan->ended = true;
		return 0;
	}
	r = start_pass(scan);
	if (r)
		s->failed = true;
	return r;
}

/* The next batch of a pass. */
static int take(struct query_scan *scan)
{
	const void *rows = NULL;
	int r = 0;

	scan->at = scan->n = 0;
	if (scan->pull)
		r = pull_take(scan->pull, &rows, &scan->n);
	if (r && r != -EINTR)
		scan->session->failed = true;
	if (r)
		return r;
	scan->rows = rows;
	scan->ended = !scan->n;
	return 0;
}

int query_scan_next(struct query_scan *scan)
{
	const struct query_table *t = scan->table;

	while (!scan->ended) {
		int r;

		while (scan->at < scan->n) {
			const void *row = scan->rows + scan->at++ * t->ops->row_bytes;

			if (!t->ops->wants || t->ops->wants(scan->session, t, row))
				return 0;
		}
		r = take(scan);
		if (r)
			return r;
	}
	return 0;
}

void query_scan_stop(struct query_scan *scan)
{
	pull_free(scan->pull);
	timeline_free(scan->timeline);
	query_filter_free(&scan->filter);
	*scan = (struct query_scan){0};
}

int query_scan_run(struct query_scan *scan, const struct consumer *c, void *state)
{
	return timeline_run(scan->timeline, &(struct timeline_use){c, state}, 1);
}
