// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/html_parts.h"

#include <errno.h>

#define BYTES_SHOWN 48 /* of a field that is no number and no text */

int html_events_init(struct html_events *h, const struct input *in, struct block *b, size_t n_lanes)
{
	h->in = in;
	h->block = b;
	h->n_lanes = n_lanes;
	h->ago = calloc(n_lanes + 1, sizeof(*h->ago));
	h->index = calloc(in->machines.n + 1, sizeof(*h->index));
	if (!h->ago || !h->index)
		return -ENOMEM;
	for (size_t i = 0; i < in->machines.n; i++) {
		const struct source *s = in->machines.v[i].source;

		h->index[i] = calloc(s ? source_facts(s)->n_kinds + 1 : 1, sizeof(**h->index));
		if (!h->index[i])
			return -ENOMEM;
	}
	return 0;
}

/* The page's number of the kind; UINT32_MAX without memory. */
static uint32_t kind_number(struct html_events *h, const struct event *ev)
{
	uint32_t *at = &h->index[ev->machine][ev->kind->index];
	struct html_kind *k;

	if (*at)
		return *at - 1;
	k = array_add(&h->all);
	if (!k)
		return UINT32_MAX;
	k->machine = ev->machine;
	k->kind = ev->kind;
	k->cols = calloc(ev->kind->n_fields + 1, sizeof(*k->cols));
	k->last = calloc(ev->kind->n_fields + 1, sizeof(*k->last));
	if (!k->cols || !k->last)
		return UINT32_MAX;
	*at = (uint32_t)h->all.n;
	return *at - 1;
}

static uint32_t bytes_string(struct dict *d, const uint8_t *p, size_t n)
{
	char text[2 * BYTES_SHOWN + 4];
	size_t at = 0;

	for (size_t i = 0; i < n && i < BYTES_SHOWN; i++) {
		text[at++] = "0123456789abcdef"[p[i] >> 4];
		text[at++] = "0123456789abcdef"[p[i] & 15];
	}
	if (n > BYTES_SHOWN)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "...");
	return dict_add(d, text, at);
}

static void add_field(struct html_events *h, struct html_kind *k, size_t i, const struct event *ev)
{
	const struct source_field *f = &k->kind->fields[i];
	const void *p;
	uint64_t v;
	size_t n;

	switch (f->type) {
	case FIELD_UINT:
	case FIELD_INT:
		v = source_field_u64(f, ev->data);
		col_s64(&k->cols[i], (int64_t)(v - k->last[i]));
		k->last[i] = v;
		return;
	case FIELD_STRING:
	case FIELD_DYN_STRING:
	case FIELD_REL_STRING:
		p = source_field_bytes(f, ev->data, ev->size, &n);
		col_u64(&k->cols[i], dict_add(&h->dict, p, n));
		return;
	default:
		p = source_field_bytes(f, ev->data, ev->size, &n);
		col_u64(&k->cols[i], p ? bytes_string(&h->dict, p, n) : 0);
	}
}

int html_events_add(struct html_events *h, const struct event *ev)
{
	int pid = source_record_pid(ev->kind, ev->data);
	int64_t at = (int64_t)(ev->ticks - h->base);
	uint64_t ago = ev->raw_ticks - ev->ticks;
	uint32_t number = kind_number(h, ev);
	struct html_kind *k;

	if (number == UINT32_MAX)
		return -ENOMEM;
	col_s64(&h->times, at - h->prev);
	col_u64(&h->lanes, ev->lane);
	col_u64(&h->kinds, number);
	col_s64(&h->pids, (int64_t)pid - h->last_pid);
	col_s64(&h->raws, (int64_t)(ago - h->ago[ev->lane]));
	col_u64(&h->widths, ev->width);
	col_u64(&h->errors, ev->err_ticks);
	col_u64(&h->flags, ev->doubtful != 0);
	h->prev = at;
	h->last_pid = pid;
	h->ago[ev->lane] = ago;
	k = &h->all.v[number];
	k->in_block++;
	k->n++;
	for (size_t i = 0; i < k->kind->n_fields; i++)
		if (!k->kind->fields[i].is_common)
			add_field(h, k, i, ev);
	h->total++;
	return ++h->n == HTML_BLOCK ? html_events_flush(h) : 0;
}

static void put_kind(struct html_events *h, struct html_kind *k, uint32_t number)
{
	size_t bytes = 0;

	for (size_t i = 0; i < k->kind->n_fields; i++)
		bytes += k->cols[i].n;
	block_u64(h->block, number);
	block_u64(h->block, k->in_block);
	block_u64(h->block, bytes);
	for (size_t i = 0; i < k->kind->n_fields; i++) {
		block_col(h->block, &k->cols[i]);
		col_reset(&k->cols[i]);
		k->last[i] = 0;
	}
	k->in_block = 0;
}

static int put_fields(struct html_events *h)
{
	uint32_t kinds = 0;

	block_begin(h->block, 'F');
	block_u64(h->block, h->n);
	dict_put(&h->dict, h->block);
	block_col(h->block, &h->raws);
	block_col(h->block, &h->widths);
	block_col(h->block, &h->errors);
	block_col(h->block, &h->flags);
	array_for_each(k, &h->all)
		kinds += k->in_block != 0;
	block_u64(h->block, kinds);
	for (size_t i = 0; i < h->all.n; i++)
		if (h->all.v[i].in_block)
			put_kind(h, &h->all.v[i], (uint32_t)i);
	return block_end(h->block);
}

int html_events_flush(struct html_events *h)
{
	struct col *cols[] = {&h->times, &h->lanes,  &h->kinds,	 &h->pids,
			      &h->raws,	 &h->widths, &h->errors, &h->flags};
	int r;

	if (!h->n)
		return 0;
	block_begin(h->block, 'E');
	block_u64(h->block, h->n);
	for (size_t i = 0; i < 4; i++)
		block_col(h->block, cols[i]);
	r = block_end(h->block);
	if (!r)
		r = put_fields(h);
	for (size_t i = 0; i < ARRAY_SIZE(cols); i++)
		col_reset(cols[i]);
	dict_reset(&h->dict);
	h->n = 0;
	/* Each block can be read without the others. */
	h->prev = 0;
	h->last_pid = 0;
	memset(h->ago, 0, h->n_lanes * sizeof(*h->ago));
	return r;
}

void html_events_free(struct html_events *h)
{
	struct col *cols[] = {&h->times, &h->lanes,  &h->kinds,	 &h->pids,
			      &h->raws,	 &h->widths, &h->errors, &h->flags};

	for (size_t i = 0; i < ARRAY_SIZE(cols); i++)
		col_free(cols[i]);
	array_for_each(k, &h->all) {
		for (size_t i = 0; k->cols && i < k->kind->n_fields; i++)
			col_free(&k->cols[i]);
		free(k->cols);
		free(k->last);
	}
	array_free(&h->all);
	for (size_t i = 0; h->index && i < h->in->machines.n; i++)
		free(h->index[i]);
	free(h->index);
	free(h->ago);
	dict_free(&h->dict);
}
