// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc export --to perfetto */
#include "cmd/export.h"
#include "sink/perfetto.h"

int export_perfetto(const struct export_job *job)
{
	struct sink_perfetto *s;
	struct exits *exits = NULL;
	int r = sink_perfetto_new(job->in, job->out, &s);

	if (r)
		return r;
	r = exits_new(&perfetto_exits_ops, s, &exits);
	if (!r) {
		exits_limit(exits, job->vm);
		r = export_pass(job,
				(struct timeline_use[]){{&exits_consumer, exits},
							{&sink_perfetto_consumer, s}},
				2);
	}
	exits_free(exits);
	sink_perfetto_free(s);
	return r;
}
