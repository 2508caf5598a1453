// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc export --to trace.dat */
#include "cmd/export.h"
#include "sink/tracedat.h"

int export_tracedat(const struct export_job *job)
{
	struct sink_tracedat *s;
	int r = sink_tracedat_new(job->in, job->path, &s);

	if (r)
		return r;
	r = export_pass(job, &(struct timeline_use){&sink_tracedat_consumer, s}, 1);
	sink_tracedat_free(s);
	return r;
}
