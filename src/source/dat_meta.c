// SPDX-License-Identifier: GPL-2.0-or-later
/* Header page, event formats, symbols, task names: the same bytes in both versions. */
#include "source/dat.h"

#include <event-parse.h>
#include <stdlib.h>

#include "base/log.h"

/* u64 length and as many bytes, behind a name. */
static int take_named(struct dat_in *in, const char *name, const void **ret, uint64_t *ret_n)
{
	if (!dat_in_magic(in, name, strlen(name) + 1) || !dat_in_u64(in, ret_n))
		return -ENODATA;
	*ret = dat_in_take(in, *ret_n);
	return *ret ? 0 : -ENODATA;
}

int dat_meta_header(struct dat *d, struct dat_in *in)
{
	uint64_t at = dat_in_offset(in), n;
	const void *p;
	char *copy;
	int r;

	r = take_named(in, "header_page", &p, &n);
	if (r)
		return r;
	copy = strndup(p, n);
	if (!copy)
		return -ENOMEM;
	dat_tep_lock();
	tep_parse_header_page(d->tep, copy, strlen(copy), (int)d->user_long);
	dat_tep_unlock();
	free(copy);
	d->commit_bytes = (unsigned)tep_get_header_page_size(d->tep);
	if ((d->commit_bytes != 4 && d->commit_bytes != 8) ||
	    tep_get_header_timestamp_size(d->tep) != 8)
		return dat_err(d, at, "the ring buffer's page header is of an unknown shape");
	return take_named(in, "header_event", &p, &n);
}

static int take_format(struct dat *d, struct dat_in *in, const char *system)
{
	uint64_t at, n;
	const void *p;
	int r;

	if (!dat_in_u64(in, &n))
		return -ENODATA;
	at = dat_in_offset(in);
	p = dat_in_take(in, n);
	if (!p)
		return -ENODATA;
	r = dat_kind_add(d, system, at, p, n);
	if (r == -EBADMSG)
		log_debug("\"%s\": byte %llu: format of an event of \"%s\" not understood",
			  d->maps.v[0]->path, (unsigned long long)at, system);
	return r == -EBADMSG ? 0 : r;
}

int dat_meta_ftrace(struct dat *d, struct dat_in *in)
{
	uint32_t n;
	int r = 0;

	if (!dat_in_u32(in, &n))
		return -ENODATA;
	for (uint32_t i = 0; i < n && !r; i++)
		r = take_format(d, in, "ftrace");
	return r;
}

int dat_meta_events(struct dat *d, struct dat_in *in)
{
	uint32_t systems, n;
	int r = 0;

	if (!dat_in_u32(in, &systems))
		return -ENODATA;
	for (uint32_t i = 0; i < systems && !r; i++) {
		const char *system = dat_in_str(in);

		if (!system || !dat_in_u32(in, &n))
			return -ENODATA;
		for (uint32_t k = 0; k < n && !r; k++)
			r = take_format(d, in, system);
	}
	return r;
}

/* "PID NAME" */
static void take_comm(struct dat *d, const char *line)
{
	char *name;
	long pid = strtol(line, &name, 10);

	if (name != line && *name == ' ' && pid >= 0 && pid <= INT32_MAX)
		comms_add(&d->comms, (int)pid, name + 1, strlen(name + 1));
}

int dat_meta_cmdlines(struct dat *d, struct dat_in *in)
{
	_cleanup_free_ char *text = NULL;
	uint64_t n;
	const void *p;

	if (!dat_in_u64(in, &n))
		return -ENODATA;
	p = dat_in_take(in, n);
	if (!p)
		return -ENODATA;
	text = strndup(p, n);
	if (!text)
		return -ENOMEM;
	for (char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		bool last = !line[len];

		line[len] = 0;
		take_comm(d, line);
		line += len + !last;
	}
	return 0;
}
