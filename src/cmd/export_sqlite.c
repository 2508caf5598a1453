// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc export --to sqlite */
#include "cmd/export.h"
#include "query/todb.h"

int export_sqlite(const struct export_job *job)
{
	const struct todb_config c = {
		.in = job->in, .path = job->path, .ask = job->filter, .stop = job->stop};

	return todb_write(&c);
}
