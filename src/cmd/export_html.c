// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc export --to html */
#include "cmd/export.h"
#include "sink/html.h"

int export_html(const struct export_job *job)
{
	struct sink_html *s;
	int r = sink_html_new(job->in, &(struct sink_html_config){.out = job->out}, &s);

	if (r)
		return r;
	r = export_pass(job, &(struct timeline_use){&sink_html_consumer, s}, 1);
	sink_html_free(s);
	return r;
}
