// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc export --to perfetto */
#include "cmd/export.h"
#include "sink/perfetto.h"

int export_perfetto(const struct export_job *job)
{
	struct sink_perfetto *s;
	int r = sink_perfetto_new(job->in, job->out, &s);

	if (r)
		return r;
	r = export_pass(job, &(struct timeline_use){&sink_perfetto_consumer, s}, 1);
	sink_perfetto_free(s);
	return r;
}
