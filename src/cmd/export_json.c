// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc export --to json */
#include "base/log.h"
#include "cmd/export.h"
#include "sink/sink.h"

#define MANY_EVENTS 1000000

int export_json(const struct export_job *job)
{
	struct sink_json *s;
	uint64_t events = 0;
	int r = sink_json_new(job->in, job->out, &s);

	if (r)
		return r;
	sink_json_set_document(s);
	sink_json_document_begin(job->t, job->out);
	r = export_pass(job, &(struct timeline_use){&sink_json_consumer, s}, 1);
	sink_json_document_end(job->out);
	sink_json_free(s);
	for (size_t i = 0; i < job->in->machines.n; i++)
		events += timeline_totals(job->t, (unsigned)i)->events;
	if (!r && events > MANY_EVENTS)
		log_warn("%llu events in one JSON document are more than most programs can load; "
			 "take a window (--from, --to), --to sqlite, or report --json",
			 (unsigned long long)events);
	return r;
}
