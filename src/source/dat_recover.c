// SPDX-License-Identifier: GPL-2.0-or-later
/* What can be read of a version 7 file without its lists of contents, as a cut or damaged one: sections
 * stand one behind the other, and in a buffer's section the CPUs' data (out_write_cpu_data(),
 * lib/trace-cmd/trace-output.c, trace-cmd 3.1.6), each from a page's border on. */
#include "source/dat.h"

#include <stdio.h>

#include "base/log.h"

#define SECTION_HEAD 16
#define BUFFERS_MAX  256

enum { FLAG_COMPRESSED = 1 };

struct found_buffer {
	uint64_t at, end; /* behind the header */
	bool compressed, whole;
};

struct recovery {
	struct dat *d;
	int (*read_list)(struct dat *d, uint64_t offset);
	struct ARRAY(struct found_buffer) buffers;
	uint64_t end; /* of the sections that made sense */
	bool lost_track;
};

static bool has(const uint64_t *v, size_t n, uint64_t x)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == x)
			return true;
	return false;
}

static int found_section(struct recovery *r, uint64_t at, unsigned id, unsigned flags, uint64_t end,
			 bool whole)
{
	struct dat *d = r->d;
	struct found_buffer *b;

	if (id >= DAT_HEADER_INFO && id <= DAT_CMDLINES && !d->section_at[id])
		d->section_at[id] = at;
	if (id == DAT_DONE && !has(d->lists.v, d->lists.n, at) && d->lists.n < BUFFERS_MAX) {
		int err = r->read_list(d, at);

		return err == -EBADMSG ? 0 : err;
	}
	if (id != DAT_BUFFER || has(d->found.v, d->found.n, at) || r->buffers.n >= BUFFERS_MAX)
		return 0;
	b = array_add(&r->buffers);
	if (!b)
		return -ENOMEM;
	*b = (struct found_buffer){at + SECTION_HEAD, end, flags & FLAG_COMPRESSED, whole};
	return 0;
}

static int walk(struct recovery *r, uint64_t at)
{
	const struct dat_map *m = r->d->maps.v[0];
	int err = 0;

	while (!err && at < m->n && m->n - at >= SECTION_HEAD) {
		struct dat_in in = {m->p + at, m->p + at, m->p + m->n, at};
		uint16_t id = 0, flags = 0;
		uint32_t name = 0;
		uint64_t n = 0, left;

		if (!dat_in_u16(&in, &id) || !dat_in_u16(&in, &flags) || !dat_in_u32(&in, &name) ||
		    !dat_in_u64(&in, &n))
			break;
		left = dat_in_left(&in);
		/* ids are below 32 in all versions so far; the size is put in when all is written */
		r->lost_track = id > 31 || (!n && id != DAT_BUFFER);
		if (r->lost_track)
			break;
		err = found_section(r, at, id, flags, n && n < left ? at + SECTION_HEAD + n : m->n,
				    n && n <= left);
		at = n && n < left ? at + SECTION_HEAD + n : m->n;
	}
	r->end = at;
	return err;
}

/* The end of a compressed CPU's data: a number of chunks, each with a header. */
static uint64_t chunks_end(const struct dat_map *m, uint64_t at, uint64_t end, bool *ret_whole)
{
	struct dat_in in = {m->p + at, m->p + at, m->p + end, at};
	uint32_t n = 0, packed = 0, plain = 0;

	*ret_whole = dat_in_u32(&in, &n);
	for (uint32_t i = 0; i < n && *ret_whole; i++)
		*ret_whole = dat_in_u32(&in, &packed) && dat_in_u32(&in, &plain) &&
			     dat_in_take(&in, packed);
	return *ret_whole ? dat_in_offset(&in) : end;
}

/* Stamp of the page's last record. */
static uint64_t page_last_ticks(const struct dat *d, const uint8_t *page)
{
	static const struct source_kind any = {.pid_at = -1};
	struct ringbuf rb = {.kinds = {.unknown = &any, .broken = &any},
			     .commit_bytes = d->user_long};
	struct source_item items[64];

	if (ringbuf_page(&rb, page, d->page_bytes, d->page_bytes))
		while (ringbuf_read(&rb, items, ARRAY_SIZE(items)))
			;
	return rb.last_ticks;
}

/* The end of a plain CPU's pages: the next CPU's begin earlier. */
static uint64_t pages_end(const struct dat *d, uint64_t at, uint64_t end, bool *ret_whole)
{
	const uint8_t *p = d->maps.v[0]->p;
	uint64_t last = 0;

	*ret_whole = false;
	for (; end - at >= sizeof(last); at += d->page_bytes) {
		*ret_whole = ringbuf_page_ticks(p + at) < last;
		if (*ret_whole || end - at < d->page_bytes)
			break;
		last = page_last_ticks(d, p + at);
	}
	return *ret_whole ? at : end;
}

static int add_cpu(struct dat *d, const struct found_buffer *b, const char *name, unsigned cpu,
		   uint64_t *at)
{
	uint64_t start = (*at + d->page_bytes - 1) / d->page_bytes * d->page_bytes;
	struct dat_place place = {.map = d->maps.v[0],
				  .offset = start,
				  .page_bytes = d->page_bytes,
				  .compressed = b->compressed,
				  .open_ended = true};
	bool whole = false;

	if (start < b->end) {
		*at = b->compressed ? chunks_end(place.map, start, b->end, &whole)
				    : pages_end(d, start, b->end, &whole);
		place.n = *at - start;
		place.open_ended = !whole && !(b->whole && !b->compressed);
	} else {
		*at = b->end;
	}
	return dat_lane_add(d, name, cpu, &place);
}

static bool is_empty(const struct dat *d, const char *buffer, unsigned cpu)
{
	const struct dat_stat *s = dat_stat_find(d, buffer, cpu);

	return s && !s->events;
}

static int add_buffer(struct dat *d, const struct found_buffer *b, unsigned index)
{
	uint64_t at = b->at;
	char text[32] = "";
	const char *name;
	int r = 0;

	if (index) /* its name stood in what is lost */
		snprintf(text, sizeof(text), "buffer-%u", index + 1);
	name = dat_keep_name(d, text);
	if (!name)
		return -ENOMEM;
	dat_warn(d, b->at - SECTION_HEAD,
		 "data of a buffer that no list of contents tells of; its CPUs are numbered by "
		 "their order");
	for (uint32_t cpu = 0; cpu < d->cpus && !r; cpu++)
		if (!is_empty(d, name, cpu))
			r = add_cpu(d, b, name, cpu, &at);
	return r;
}

int dat_recover(struct dat *d, uint64_t offset, int (*read_list)(struct dat *d, uint64_t offset))
{
	struct recovery r = {.d = d, .read_list = read_list};
	unsigned known = (unsigned)d->found.n;
	int err = walk(&r, offset);

	dat_stats_sort(d);
	if (r.lost_track)
		dat_warn(d, r.end, "no section there; what is behind it is lost");
	d->s.facts.truncated = true;
	if (d->cpus > DAT_CPUS_MAX || !dat_page_is_sane(d->page_bytes))
		r.buffers.n = 0;
	for (size_t i = 0; i < r.buffers.n && !err; i++)
		err = add_buffer(d, &r.buffers.v[i], known + (unsigned)i);
	array_free(&r.buffers);
	return err;
}
