// SPDX-License-Identifier: GPL-2.0-or-later
/* Version 7: sections anywhere in the file, found through chained lists of options. */
#include "source/dat.h"

#include <stdlib.h>

#include "base/large.h"
#include "base/log.h"

#define LISTS_MAX 4096u

enum { SECTION_COMPRESSED = 1 };

/* Section header: u16 id, u16 flags, u32 name, u64 bytes in the file; when compressed then u32
 * compressed bytes, u32 bytes, data. */
const char *dat_section_find(struct dat *d, uint64_t offset, unsigned id, struct dat_section *ret)
{
	const struct dat_map *m = d->maps.v[0];
	struct dat_in in = {m->p, m->p, m->p + m->n, 0};
	struct dat_unpacker unpacker = {0};
	uint16_t found, flags;
	uint32_t name, packed, plain;
	uint64_t n;
	const void *data;
	void *own;
	int r;

	if (!dat_in_take(&in, offset) || !dat_in_u16(&in, &found) || !dat_in_u16(&in, &flags) ||
	    !dat_in_u32(&in, &name) || !dat_in_u64(&in, &n))
		return "lies behind the end of the file";
	if (found != id)
		return "is not there";
	if (n > dat_in_left(&in))
		n = dat_in_left(&in); /* reading on finds out where it is cut */
	in = (struct dat_in){in.p, in.p, in.p + n, dat_in_offset(&in)};
	if (!(flags & SECTION_COMPRESSED)) {
		*ret = (struct dat_section){.in = in};
		return NULL;
	}
	if (!dat_in_u32(&in, &packed) || !dat_in_u32(&in, &plain))
		return "is cut short";
	if (plain > DAT_SECTION_MAX)
		return "is too large";
	data = dat_in_take(&in, packed);
	if (!data)
		return "is cut short";
	own = large_new((size_t)plain + 1);
	if (!own)
		return "does not fit into memory";
	r = dat_unpack(&unpacker, d->compression, data, packed, own, plain);
	dat_unpacker_free(&unpacker);
	if (r) {
		free(own);
		return "does not decompress";
	}
	*ret = (struct dat_section){{own, own, (uint8_t *)own + plain, offset}, own};
	return NULL;
}

void dat_section_close(struct dat_section *s)
{
	free(s->own);
	s->own = NULL;
}

/* One list; *ret_next is the offset of the next one, 0 at the end. */
static int read_options(struct dat *d, struct dat_in *in, uint64_t *ret_next)
{
	for (;;) {
		struct dat_in opt = {.base = dat_in_offset(in)};
		uint16_t id;
		uint32_t n;
		int r;

		if (!dat_in_u16(in, &id) || !dat_in_u32(in, &n))
			return -ENODATA;
		opt.start = opt.p = dat_in_take(in, n);
		if (!opt.p)
			return -ENODATA;
		opt.end = opt.p + n;
		if (id == DAT_DONE)
			return dat_in_u64(&opt, ret_next) ? 0 : -ENODATA;
		r = dat_option(d, id, &opt);
		if (r == -ENODATA || r == -EBADMSG)
			dat_warn(d, opt.base, "option %u makes no sense", id);
		else if (r)
			return r;
	}
}

/* *ret_next 0: nothing follows. */
static int read_list(struct dat *d, uint64_t at, uint64_t *ret_next)
{
	uint64_t *slot = array_add(&d->lists);
	struct dat_section s;
	const char *wrong;
	int r;

	if (!slot)
		return -ENOMEM;
	*slot = at;
	wrong = dat_section_find(d, at, DAT_DONE, &s);
	if (wrong) {
		dat_warn(d, at, "a list of contents %s", wrong);
		return -EBADMSG;
	}
	r = read_options(d, &s.in, ret_next);
	dat_section_close(&s);
	if (r == -ENODATA)
		dat_warn(d, at, "the list of contents ends too early");
	return r == -ENODATA ? -EBADMSG : r;
}

static int read_found_list(struct dat *d, uint64_t at)
{
	uint64_t next;

	return read_list(d, at, &next);
}

static bool list_is_read(const struct dat *d, uint64_t at)
{
	array_for_each(l, &d->lists)
		if (*l == at)
			return true;
	return false;
}

/* first: where sections begin. A chain that breaks off is not the end: what is there is looked for. */
static int read_all_options(struct dat *d, uint64_t at, uint64_t first)
{
	int r = at ? 0 : -EBADMSG;

	if (r)
		log_warn("\"%s\": no list of contents: the recording did not reach its end",
			 d->maps.v[0]->path);
	while (!r && at && d->lists.n < LISTS_MAX) {
		if (list_is_read(d, at)) {
			dat_warn(d, at, "the lists of contents run in a ring");
			r = -EBADMSG;
		} else {
			r = read_list(d, at, &at);
		}
	}
	return r == -EBADMSG ? dat_recover(d, first, read_found_list) : r;
}

static bool is_needed(unsigned id)
{
	return id == DAT_HEADER_INFO;
}

/* Kinds point into these (struct dat_kind). */
static bool is_kept(unsigned id)
{
	return id == DAT_FTRACE_EVENTS || id == DAT_EVENT_FORMATS;
}

static int keep_section(struct dat *d, struct dat_section *s)
{
	void **slot = s->own ? array_add(&d->sections) : NULL;

	if (slot)
		*slot = TAKE_PTR(s->own);
	return s->own ? -ENOMEM : 0;
}

/* Reads one kind of section when the file has it. Without most of them events can still be shown. */
static int read_section(struct dat *d, unsigned id, int (*read)(struct dat *d, struct dat_in *in))
{
	uint64_t at = d->section_at[id];
	struct dat_section s;
	const char *wrong;
	int r = -ENODATA;

	if (!at)
		return 0;
	wrong = dat_section_find(d, at, id, &s);
	if (!wrong) {
		r = read(d, &s.in);
		if (r != -ENOMEM && is_kept(id))
			r = keep_section(d, &s) ?: r;
		dat_section_close(&s);
	}
	if (r == -ENODATA && is_needed(id))
		return dat_err(d, at, "section %u %s", id, wrong ?: "ends too early");
	if (r == -ENODATA)
		dat_warn(d, at, "section %u (%s) %s", id,
			 id == DAT_CMDLINES ? "names of tasks" : "formats of events",
			 wrong ?: "ends too early");
	return r == -ENODATA ? 0 : r;
}

static int take_compression(struct dat *d, struct dat_in *in)
{
	uint64_t at = dat_in_offset(in);
	const char *name = dat_in_str(in);
	const char *version = name ? dat_in_str(in) : NULL;

	if (!version)
		return -ENODATA;
	if (!strcmp(name, "none"))
		d->compression = DAT_PLAIN;
	else if (!strcmp(name, "zlib"))
		d->compression = DAT_ZLIB;
	else if (!strcmp(name, "zstd"))
		d->compression = DAT_ZSTD;
	else
		return dat_err(d, at, "compressed in a way that is not known here (zlib, zstd)");
	return 0;
}

/* Places where no section of that kind is. */
static bool drop_wrong_places(struct dat *d)
{
	const struct dat_map *m = d->maps.v[0];
	bool any = false;

	for (unsigned id = DAT_HEADER_INFO; id <= DAT_CMDLINES; id++) {
		struct dat_in in = {m->p, m->p, m->p + m->n, 0};
		uint16_t found = 0;

		if (!d->section_at[id] ||
		    (dat_in_take(&in, d->section_at[id]) && dat_in_u16(&in, &found) && found == id))
			continue;
		dat_warn(d, d->section_at[id], "section %u should be there", id);
		d->section_at[id] = 0;
		any = true;
	}
	return any;
}

int dat_v7_read(struct dat *d, struct dat_in *in)
{
	uint64_t options, first;
	int r;

	r = take_compression(d, in);
	if (r)
		return r;
	if (!dat_in_u64(in, &options))
		return -ENODATA;
	first = dat_in_offset(in);
	r = read_all_options(d, options, first);
	if (!r && drop_wrong_places(d))
		r = dat_recover(d, first, read_found_list);
	if (r)
		return r;
	if (!d->section_at[DAT_HEADER_INFO] && dat_in_left(in) < 16)
		return -ENODATA;
	if (!d->section_at[DAT_HEADER_INFO])
		return dat_err(d, 0, "the ring buffer's header page is not in the file");
	r = read_section(d, DAT_HEADER_INFO, dat_meta_header);
	if (!r)
		r = read_section(d, DAT_FTRACE_EVENTS, dat_meta_ftrace);
	if (!r)
		r = read_section(d, DAT_EVENT_FORMATS, dat_meta_events);
	return r ? r : read_section(d, DAT_CMDLINES, dat_meta_cmdlines);
}
