// SPDX-License-Identifier: GPL-2.0-or-later
/* Version 6: one thing after the other, then the CPUs' pages. */
#include "source/dat.h"

#include <event-parse.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"

/* u32 length and text; read when a text is first printed. */
static int skip_text(struct dat_in *in, struct dat_in *ret)
{
	struct dat_in at = *in;
	uint32_t n;

	if (!dat_in_u32(in, &n) || !dat_in_take(in, n))
		return -ENODATA;
	at.end = in->p;
	*ret = at;
	return 0;
}

static int read_options(struct dat *d, struct dat_in *in)
{
	for (;;) {
		struct dat_in opt = {.base = dat_in_offset(in)};
		uint16_t id;
		uint32_t n;
		int r;

		if (!dat_in_u16(in, &id))
			return -ENODATA;
		if (id == DAT_DONE)
			return 0;
		if (!dat_in_u32(in, &n))
			return -ENODATA;
		opt.start = opt.p = dat_in_take(in, n);
		if (!opt.p)
			return -ENODATA;
		opt.end = opt.p + n;
		r = dat_option(d, id, &opt);
		if (r == -ENODATA || r == -EBADMSG)
			dat_warn(d, opt.base, "option %u makes no sense", id);
		else if (r)
			return r;
	}
}

/* BASE.cpuN of a recording that did not end; BASE.head has said how many there are. */
static int add_parts(struct dat *d, const char *buffer)
{
	const char *head = d->maps.v[0]->path;
	int base = (int)(strlen(head) - strlen(".head"));

	d->s.facts.unfinished = true;
	for (uint32_t cpu = 0; cpu < d->cpus; cpu++) {
		_cleanup_strbuf_ struct strbuf path = {0};
		struct dat_map *map;
		int r;

		strbuf_printf(&path, "%.*s.cpu%u", base, head, cpu);
		if (path.failed)
			return -ENOMEM;
		if (access(path.s, F_OK)) {
			log_warn("\"%s\" is missing; CPU %u has no events", path.s, cpu);
			continue;
		}
		r = dat_map_file(d, path.s, &map);
		if (!r)
			r = dat_lane_add(d, buffer, cpu,
					 &(struct dat_place){.map = map,
							     .n = map->n,
							     .page_bytes = d->page_bytes});
		if (r)
			return r;
	}
	return 0;
}

static bool is_parts(const struct dat *d)
{
	size_t n = strlen(d->maps.v[0]->path);

	return n > 5 && !strcmp(d->maps.v[0]->path + n - 5, ".head");
}

/* CPUs from that one on: nothing of their data is in the file, nor where it was. */
static int add_cut(struct dat *d, const char *buffer, uint32_t cpu)
{
	struct dat_place at = {
		.map = d->maps.v[0], .page_bytes = d->page_bytes, .open_ended = true};
	int r = 0;

	for (; cpu < d->cpus && !r; cpu++)
		r = dat_lane_add(d, buffer, cpu, &at);
	return r;
}

static int read_flyrecord(struct dat *d, struct dat_in *in, const char *buffer)
{
	for (uint32_t cpu = 0; cpu < d->cpus; cpu++) {
		uint64_t at, n;
		int r;

		if (!dat_in_u64(in, &at) || !dat_in_u64(in, &n))
			return add_cut(d, buffer, cpu);
		r = dat_lane_add(d, buffer, cpu,
				 &(struct dat_place){.map = d->maps.v[0],
						     .offset = at,
						     .n = n,
						     .page_bytes = d->page_bytes});
		if (r)
			return r;
	}
	return 0;
}

/* "options  ", then "flyrecord" or "latency  ": what the CPUs hold. */
static int read_data(struct dat *d, struct dat_in *in, const char *buffer)
{
	uint64_t at = dat_in_offset(in);
	const char *tag = dat_in_take(in, 10);
	int r;

	if (tag && !memcmp(tag, "options  ", 10)) {
		r = read_options(d, in);
		if (d->cpus > DAT_CPUS_MAX)
			return dat_err(d, at, "%u CPUs are more than %u", d->cpus, DAT_CPUS_MAX);
		if (r == -ENODATA && !is_parts(d))
			return add_cut(d, buffer, 0);
		if (r)
			return r;
		at = dat_in_offset(in);
		tag = dat_in_take(in, 10);
	}
	if (!tag)
		return add_cut(d, buffer, 0);
	if (!memcmp(tag, "latency  ", 10))
		return dat_err(d, at, "holds the text of a latency tracer, not events");
	if (memcmp(tag, "flyrecord", 10))
		return dat_err(d, at, "\"flyrecord\" expected");
	return is_parts(d) ? add_parts(d, buffer) : read_flyrecord(d, in, buffer);
}

static int read_buffers(struct dat *d)
{
	const struct dat_map *m = d->maps.v[0];
	size_t n = d->buffers.n; /* an instance may not bring more of them */
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		const struct dat_buffer *b = &d->buffers.v[i];
		uint64_t at = b->offset < m->n ? b->offset : m->n;
		struct dat_in in = {m->p + at, m->p + at, m->p + m->n, at};

		if (b->offset >= m->n)
			r = add_cut(d, b->name, 0);
		else
			r = read_data(d, &in, b->name);
	}
	return r;
}

static int read_descriptions(struct dat *d, struct dat_in *in)
{
	int r;

	r = dat_meta_header(d, in);
	if (!r)
		r = dat_meta_ftrace(d, in);
	if (!r)
		r = dat_meta_events(d, in);
	if (!r)
		r = skip_text(in, &d->kallsyms);
	if (!r)
		r = skip_text(in, &d->printk);
	return r ? r : dat_meta_cmdlines(d, in);
}

/* Descriptions that make no sense, as with a wrong length in them: goes to the number of CPUs in front
 * of the options. */
static bool find_options(struct dat *d, struct dat_in *in)
{
	static const char tag[10] = "options  ";
	const uint8_t *p = memmem(in->start, (size_t)(in->end - in->start), tag, sizeof(tag));

	if (!d->commit_bytes || !p || p - in->start < 4)
		return false;
	in->p = p - 4;
	dat_warn(
		d, dat_in_offset(in),
		"the descriptions before it make no sense; some formats of events, symbols or names "
		"of tasks are lost");
	return true;
}

int dat_v6_read(struct dat *d, struct dat_in *in)
{
	uint64_t at;
	int r;

	r = read_descriptions(d, in);
	if (r == -ENODATA && find_options(d, in))
		r = 0;
	if (r)
		return r;
	at = dat_in_offset(in);
	if (!dat_page_is_sane(d->page_bytes))
		return dat_err(d, 14, "a page of %u bytes", d->page_bytes);
	if (!dat_in_u32(in, &d->cpus))
		return -ENODATA;
	if (d->cpus > DAT_CPUS_MAX)
		return dat_err(d, at, "%u CPUs are more than %u", d->cpus, DAT_CPUS_MAX);
	r = read_data(d, in, "");
	return r ? r : read_buffers(d);
}
