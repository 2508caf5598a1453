// SPDX-License-Identifier: GPL-2.0-or-later
/* Version 7: sections anywhere in the file, found through chained lists of options. */
#include "source/dat.h"

#include <stdlib.h>

#include "base/log.h"

enum { SECTION_COMPRESSED = 1 };

/* Section header: u16 id, u16 flags, u32 name, u64 bytes in the file; when compressed then u32
 * compressed bytes, u32 bytes, data. */
int dat_section_open(struct dat *d, uint64_t offset, unsigned id, struct dat_section *ret)
{
	const struct dat_map *m = d->maps.v[0];
	struct dat_in in = {m->p + offset, m->p + offset, m->p + m->n, offset};
	struct dat_unpacker unpacker = {0};
	uint16_t found, flags;
	uint32_t name, packed, plain;
	uint64_t n;
	void *own;
	const void *data;
	int r;

	if (offset >= m->n || !dat_in_u16(&in, &found) || !dat_in_u16(&in, &flags) ||
	    !dat_in_u32(&in, &name) || !dat_in_u64(&in, &n))
		return dat_err(d, offset, "section %u lies behind the end of the file", id);
	if (found != id)
		return dat_err(d, offset, "section %u expected, %u found", id, found);
	if (n > dat_in_left(&in))
		n = dat_in_left(&in); /* reading on finds out where it is cut */
	in.end = in.p + n;
	if (!(flags & SECTION_COMPRESSED)) {
		*ret = (struct dat_section){.in = in};
		return 0;
	}
	if (!dat_in_u32(&in, &packed) || !dat_in_u32(&in, &plain))
		return dat_err(d, offset, "section %u is cut short", id);
	if (plain > DAT_SECTION_MAX)
		return dat_err(d, offset, "section %u of %u bytes is too large", id, plain);
	data = dat_in_take(&in, packed);
	if (!data)
		return dat_err(d, offset, "section %u is cut short", id);
	own = malloc((size_t)plain + 1);
	if (!own)
		return -ENOMEM;
	r = dat_unpack(&unpacker, d->compression, data, packed, own, plain);
	dat_unpacker_free(&unpacker);
	if (r) {
		free(own);
		return dat_err(d, offset, "section %u does not decompress", id);
	}
	*ret = (struct dat_section){{own, own, (uint8_t *)own + plain, offset}, own};
	return 0;
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
			return dat_err(d, opt.base, "option %u makes no sense", id);
		if (r)
			return r;
	}
}

static int read_all_options(struct dat *d, uint64_t at)
{
	if (!at)
		return dat_err(d, 0, "no options: the recording did not reach its end");
	/* a list per 16 bytes at most, so a ring of lists ends too */
	for (size_t left = d->maps.v[0]->n / 16; at; left--) {
		struct dat_section s;
		int r;

		if (!left)
			return dat_err(d, at, "the lists of options run in a ring");
		if (at >= d->maps.v[0]->n)
			return dat_err(d, d->maps.v[0]->n,
				       "the file ends before its list of contents, at byte %llu",
				       (unsigned long long)at);
		r = dat_section_open(d, at, DAT_DONE, &s);
		if (r)
			return r;
		r = read_options(d, &s.in, &at);
		dat_section_close(&s);
		if (r)
			return r;
	}
	return 0;
}

/* Reads one kind of section when the file has it. */
static int read_section(struct dat *d, unsigned id, int (*read)(struct dat *d, struct dat_in *in))
{
	struct dat_section s;
	int r;

	if (!d->section_at[id])
		return 0;
	r = dat_section_open(d, d->section_at[id], id, &s);
	if (r)
		return r;
	r = read(d, &s.in);
	dat_section_close(&s);
	if (r == -ENODATA)
		return dat_err(d, d->section_at[id], "section %u ends too early", id);
	return r;
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

int dat_v7_read(struct dat *d, struct dat_in *in)
{
	uint64_t options;
	int r;

	r = take_compression(d, in);
	if (r)
		return r;
	if (!dat_in_u64(in, &options))
		return -ENODATA;
	r = read_all_options(d, options);
	if (r)
		return r;
	if (!d->section_at[DAT_HEADER_INFO])
		return dat_err(d, 0, "no header information");
	r = read_section(d, DAT_HEADER_INFO, dat_meta_header);
	if (!r)
		r = read_section(d, DAT_FTRACE_EVENTS, dat_meta_ftrace);
	if (!r)
		r = read_section(d, DAT_EVENT_FORMATS, dat_meta_events);
	return r ? r : read_section(d, DAT_CMDLINES, dat_meta_cmdlines);
}
