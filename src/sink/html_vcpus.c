// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/html_parts.h"

#include <errno.h>

#include "base/log.h"

static int flush_slices(struct html_vcpus *h)
{
	int r;

	if (!h->n_slices)
		return 0;
	block_begin(h->block, 'V');
	block_u64(h->block, h->n_slices);
	dict_put(&h->slice_dict, h->block);
	for (size_t i = 0; i < ARRAY_SIZE(h->slice); i++) {
		block_col(h->block, &h->slice[i]);
		col_reset(&h->slice[i]);
	}
	r = block_end(h->block);
	dict_reset(&h->slice_dict);
	h->n_slices = 0;
	return r;
}

static int add_slice(void *state, const struct vcpu_slice *s)
{
	struct html_vcpus *h = state;
	struct dict *d = &h->slice_dict;
	uint64_t from = s->from_ticks - h->base;
	const uint64_t row[] = {
		s->index,
		from - h->slice_end[s->index],
		s->to_ticks - s->from_ticks,
		s->state,
		s->within,
		dict_adds(d, s->reason_text),
		dict_adds(d, s->user_text),
		dict_adds(d, s->handler),
		(uint64_t)(uint32_t)(s->by_pid + 1),
		dict_adds(d, s->by_comm),
	};

	_Static_assert(ARRAY_SIZE(row) == ARRAY_SIZE(h->slice), "a column each");
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		i == 1 ? col_s64(&h->slice[i], (int64_t)row[i]) : col_u64(&h->slice[i], row[i]);
	h->slice_end[s->index] = from + (s->to_ticks - s->from_ticks);
	return ++h->n_slices == HTML_BLOCK ? flush_slices(h) : 0;
}

static int flush_exits(struct html_vcpus *h)
{
	int r;

	if (!h->n_exits)
		return 0;
	block_begin(h->block, 'X');
	block_u64(h->block, h->n_exits);
	dict_put(&h->exit_dict, h->block);
	for (size_t i = 0; i < ARRAY_SIZE(h->exit); i++) {
		block_col(h->block, &h->exit[i]);
		col_reset(&h->exit[i]);
	}
	r = block_end(h->block);
	dict_reset(&h->exit_dict);
	h->n_exits = 0;
	return r;
}

static uint32_t reason_string(struct dict *d, const struct vcpu_exit *e)
{
	char text[24];

	if (*e->reason_text)
		return dict_adds(d, e->reason_text);
	if (e->reason == EXIT_NO_REASON)
		return 0;
	return dict_add(d, text, (size_t)snprintf(text, sizeof(text), "reason 0x%x", e->reason));
}

static int add_exit(void *state, const struct vcpu_exit *e)
{
	struct html_vcpus *h = state;
	struct dict *d = &h->exit_dict;
	uint64_t from = e->exit_ticks - h->base;
	const uint64_t row[] = {
		e->index,
		from - h->exit_from[e->index],
		e->entry_ticks - e->exit_ticks,
		(uint64_t)e->complete | (uint64_t)e->write << 1 | (uint64_t)e->address_kind << 2,
		reason_string(d, e),
		e->address,
		(uint64_t)(uint32_t)(e->guest_pid + 1),
		dict_adds(d, e->guest_comm),
		dict_adds(d, e->user_text),
		dict_adds(d, e->handler),
		e->guest_rip,
		e->cpu,
	};

	_Static_assert(ARRAY_SIZE(row) + VCPU_STATES == ARRAY_SIZE(h->exit), "a column each");
	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		i == 1 ? col_s64(&h->exit[i], (int64_t)row[i]) : col_u64(&h->exit[i], row[i]);
	for (size_t i = 0; i < VCPU_STATES; i++)
		col_u64(&h->exit[ARRAY_SIZE(row) + i], e->state_ticks[i]);
	h->exit_from[e->index] = from;
	return ++h->n_exits == HTML_BLOCK ? flush_exits(h) : 0;
}

static const struct exits_ops ops = {add_slice, add_exit};

int html_vcpus_init(struct html_vcpus *h, const struct input *in, struct block *b)
{
	h->block = b;
	array_for_each(m, &in->machines)
		h->n_vcpus += m->vcpus.n;
	h->slice_end = calloc(h->n_vcpus + 1, sizeof(*h->slice_end));
	h->exit_from = calloc(h->n_vcpus + 1, sizeof(*h->exit_from));
	if (!h->slice_end || !h->exit_from)
		return log_err_r(-ENOMEM, "cannot write the page: %m");
	return exits_new(&ops, h, &h->exits);
}

int html_vcpus_flush(struct html_vcpus *h)
{
	int r = flush_slices(h);

	return r ? r : flush_exits(h);
}

void html_vcpus_free(struct html_vcpus *h)
{
	for (size_t i = 0; i < ARRAY_SIZE(h->slice); i++)
		col_free(&h->slice[i]);
	for (size_t i = 0; i < ARRAY_SIZE(h->exit); i++)
		col_free(&h->exit[i]);
	dict_free(&h->slice_dict);
	dict_free(&h->exit_dict);
	free(h->slice_end);
	free(h->exit_from);
	exits_free(h->exits);
}
