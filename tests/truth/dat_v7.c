// SPDX-License-Identifier: GPL-2.0-or-later
/* trace.dat version 7, section by section in the order of trace-cmd 3.1.6: descriptions, a list of
 * options, the CPUs' data, a list that tells where they are. */
#include <errno.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "files.h"

enum {
	SEC_BUFFER = 3,
	SEC_HEADERS = 16,
	SEC_FTRACE,
	SEC_FORMATS,
	SEC_SYMBOLS,
	SEC_PRINTK,
	SEC_COMMS
};
enum { OPT_BUFFER = 3 };

#define CHUNK_PAGES 10 /* as trace-cmd */

struct v7 {
	struct bytes *b;
	const struct dat_file *f;
	uint64_t at[SEC_COMMS + 1];
	size_t chain; /* where the place of the next list of options is to be put */
};

/* Length packed, length, bytes. */
static int add_packed(struct bytes *b, enum truth_packing how, const void *p, size_t n)
{
	size_t room = how == PACK_ZLIB ? compressBound(n) : ZSTD_compressBound(n), packed = room;
	uint8_t *out = malloc(room);
	uLongf len = room;
	int r = out ? 0 : -ENOMEM;

	if (!r && how == PACK_ZLIB) {
		r = compress2(out, &len, p, n, 6) == Z_OK ? 0 : -EIO;
		packed = len;
	} else if (!r) {
		packed = ZSTD_compress(out, room, p, n, 3);
		r = ZSTD_isError(packed) ? -EIO : 0;
	}
	if (!r)
		r = dat_add_int(b, packed, 4);
	if (!r)
		r = dat_add_int(b, n, 4);
	if (!r)
		r = bytes_add(b, out, packed);
	free(out);
	return r;
}

static int begin_section(struct bytes *b, unsigned id, bool packed)
{
	int r = dat_add_int(b, id, 2);

	if (!r)
		r = dat_add_int(b, packed, 2);
	return r ? r : bytes_add(b, NULL, 12); /* name; bytes, to be put in */
}

static void end_section(struct bytes *b, size_t at)
{
	memcpy(b->v + at + 8, &(uint64_t){b->n - at - 16}, 8);
}

static int add_section(struct v7 *v, unsigned id, const struct bytes *content)
{
	bool packed = v->f->form.packing != PACK_NONE;
	int r;

	v->at[id] = v->b->n;
	r = begin_section(v->b, id, packed);
	if (!r && packed)
		r = add_packed(v->b, v->f->form.packing, content->v, content->n);
	else if (!r)
		r = bytes_add(v->b, content->v, content->n);
	end_section(v->b, v->at[id]);
	return r;
}

static int fill_section(struct bytes *b, const struct dat_file *f, unsigned id)
{
	switch (id) {
	case SEC_HEADERS:
		return dat_add_headers(b, f);
	case SEC_FTRACE:
		return dat_add_ftrace(b);
	case SEC_FORMATS:
		return dat_add_formats(b);
	case SEC_SYMBOLS:
		return dat_add_symbols(b);
	case SEC_PRINTK:
		return dat_add_printk(b);
	default:
		return dat_add_comms(b, f);
	}
}

static int add_descriptions(struct v7 *v)
{
	int r = 0;

	for (unsigned id = SEC_HEADERS; id <= SEC_COMMS && !r; id++) {
		struct bytes content = {0};

		r = fill_section(&content, v->f, id);
		if (!r)
			r = add_section(v, id, &content);
		free(content.v);
	}
	return r;
}

/* A list of options is never compressed; the list before tells where it is. */
static int begin_list(struct v7 *v, size_t *ret_at)
{
	*ret_at = v->b->n;
	memcpy(v->b->v + v->chain, &(uint64_t){v->b->n}, 8);
	return begin_section(v->b, 0, false);
}

static int end_list(struct v7 *v, size_t at)
{
	int r = dat_add_option(v->b, 0, &(uint64_t){0}, 8);

	v->chain = v->b->n - 8;
	end_section(v->b, at);
	return r;
}

static int add_first_list(struct v7 *v)
{
	size_t at;
	int r = begin_list(v, &at);

	for (unsigned id = SEC_HEADERS; id <= SEC_COMMS && !r; id++)
		r = dat_add_option(v->b, id, &v->at[id], 8);
	if (!r)
		r = dat_add_options(v->b, v->f);
	return r ? r : end_list(v, at);
}

/* Number of chunks, the chunks. */
static int add_chunks(struct v7 *v, const struct bytes *pages)
{
	size_t chunk = (size_t)CHUNK_PAGES * v->f->w->page_bytes;
	int r = dat_add_int(v->b, (pages->n + chunk - 1) / chunk, 4);

	for (size_t i = 0; i < pages->n && !r; i += chunk)
		r = add_packed(v->b, v->f->form.packing, pages->v + i,
			       pages->n - i < chunk ? pages->n - i : chunk);
	return r;
}

/* The CPU's data from a page's border on; its option leaves the number of chunks out of the size. */
static int add_cpu(struct v7 *v, const struct bytes *pages, unsigned cpu, struct bytes *option)
{
	bool packed = v->f->form.packing != PACK_NONE;
	int r = dat_pad(v->b, v->f->w->page_bytes);
	uint64_t at = v->b->n;

	if (!r && packed && pages->n)
		r = add_chunks(v, pages);
	else if (!r)
		r = bytes_add(v->b, pages->v ?: (uint8_t *)"", pages->n);
	if (!r)
		r = dat_add_int(option, cpu, 4);
	if (!r)
		r = dat_add_int(option, at, 8);
	return r ? r : dat_add_int(option, v->b->n - at - (packed && pages->n ? 4 : 0), 8);
}

static int add_buffer(struct v7 *v, const struct dat_buffer *buf)
{
	struct bytes option = {0};
	size_t at = v->b->n, list;
	int r = dat_add_int(&option, at, 8);

	if (!r)
		r = bytes_add(&option, buf->name, strlen(buf->name) + 1);
	if (!r)
		r = bytes_add(&option, "tsc2nsec", 9);
	if (!r)
		r = dat_add_int(&option, v->f->w->page_bytes, 4);
	if (!r)
		r = dat_add_int(&option, v->f->cpus, 4);
	if (!r)
		r = begin_section(v->b, SEC_BUFFER, v->f->form.packing != PACK_NONE);
	for (unsigned i = 0; i < v->f->cpus && !r; i++)
		r = add_cpu(v, &buf->pages[i], i, &option);
	if (!r) {
		end_section(v->b, at);
		r = begin_list(v, &list);
	}
	if (!r)
		r = dat_add_option(v->b, OPT_BUFFER, option.v, option.n);
	if (!r)
		r = end_list(v, list);
	free(option.v);
	return r;
}

int dat_make_v7(struct bytes *b, const struct dat_file *f)
{
	static const char *const names[] = {"none\0", "zlib\0001.2.13", "zstd\0001.5.4"};
	static const size_t sizes[] = {6, 12, 11};
	struct v7 v = {.b = b, .f = f};
	int r = dat_add_begin(b, f);

	if (!r)
		r = bytes_add(b, names[f->form.packing], sizes[f->form.packing]);
	v.chain = b->n;
	if (!r)
		r = bytes_add(b, NULL, 8);
	if (!r)
		r = add_descriptions(&v);
	if (!r)
		r = add_first_list(&v);
	for (unsigned i = 0; i < f->n_buffers && !r; i++)
		r = add_buffer(&v, &f->buffers[i]);
	return r;
}
