// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/html_parts.h"

#include <errno.h>

#define PIDS_MAX (1u << 17)

static int find_switches(struct html_tasks *h, const struct input *in)
{
	h->switches = calloc(in->machines.n + 1, sizeof(*h->switches));
	h->pids = calloc(in->machines.n + 1, sizeof(*h->pids));
	h->ends = calloc(in->machines.n + 1, sizeof(*h->ends));
	h->begins = calloc(h->n_lanes + 1, sizeof(*h->begins));
	if (!h->switches || !h->pids || !h->ends || !h->begins)
		return -ENOMEM;
	h->n_machines = in->machines.n;
	for (size_t i = 0; i < in->machines.n; i++) {
		const struct source *s = in->machines.v[i].source;
		const struct source_kind *k =
			s ? source_kind_find(s, "sched", "sched_switch") : NULL;

		if (!k)
			continue;
		h->switches[i].prev = source_field_find(k, "prev_pid");
		h->switches[i].next = source_field_find(k, "next_pid");
		if (h->switches[i].prev && h->switches[i].next)
			h->switches[i].kind = k;
	}
	return 0;
}

int html_tasks_init(struct html_tasks *h, const struct timeline *t, struct block *b)
{
	h->t = t;
	h->block = b;
	h->base = timeline_first_ticks(t);
	timeline_lanes(t, &h->n_lanes);
	h->runs = calloc(h->n_lanes + 1, sizeof(*h->runs));
	return h->runs ? find_switches(h, timeline_input(t)) : -ENOMEM;
}

static int *pid_slot(struct html_pids *p, int pid)
{
	uint32_t at = (uint32_t)pid * 2654435761u;

	for (at &= p->size - 1;; at = (at + 1) & (p->size - 1))
		if (p->slots[at] == pid || p->slots[at] == -1)
			return &p->slots[at];
}

static int pids_grow(struct html_pids *p)
{
	struct html_pids more = {.size = p->size ? 2 * p->size : 256, .n = p->n};

	more.slots = malloc(more.size * sizeof(*more.slots));
	if (!more.slots)
		return -ENOMEM;
	memset(more.slots, 0xff, more.size * sizeof(*more.slots));
	for (uint32_t i = 0; i < p->size; i++)
		if (p->slots[i] != -1)
			*pid_slot(&more, p->slots[i]) = p->slots[i];
	free(p->slots);
	*p = more;
	return 0;
}

/* Whose names the page needs. A hostile guest's threads are many, not without end. */
static int note_pid(struct html_pids *p, int pid)
{
	int *slot;

	if (pid < 0 || p->n >= PIDS_MAX)
		return 0;
	if (2 * (p->n + 1) > p->size && pids_grow(p))
		return -ENOMEM;
	slot = pid_slot(p, pid);
	p->n += *slot == -1;
	*slot = pid;
	return 0;
}

static int put_run(struct html_tasks *h, size_t lane, uint64_t to)
{
	struct html_run *run = &h->runs[lane];

	run->open = false;
	if (to <= run->from)
		return 0;
	col_u64(&h->lanes, lane);
	col_u64(&h->froms, run->from - run->told);
	col_u64(&h->spans, to - run->from);
	col_u64(&h->who, (uint64_t)run->pid);
	run->told = to;
	return ++h->n == HTML_BLOCK ? html_tasks_flush(h) : 0;
}

static int put_lost(struct html_tasks *h, const struct event *ev, uint64_t at)
{
	col_u64(&h->lost_lanes, ev->lane);
	col_u64(&h->lost_froms, at);
	col_u64(&h->lost_spans, ev->end_ticks == UINT64_MAX ? 0 : 1 + ev->end_ticks - ev->ticks);
	col_u64(&h->lost_n, ev->lost == UINT64_MAX ? 0 : 1 + ev->lost);
	return ++h->n_lost == HTML_BLOCK ? html_tasks_flush(h) : 0;
}

static int add_lost(struct html_tasks *h, const struct event *ev, uint64_t at)
{
	struct html_run *run = &h->runs[ev->lane];
	int r = run->open ? put_run(h, ev->lane, at) : 0;

	/* Who runs is told again by the next switch. */
	if (!r && ev->end_ticks != UINT64_MAX)
		run->from = at + (ev->end_ticks - ev->ticks);
	return r ? r : put_lost(h, ev, at);
}

static int add_switch(struct html_tasks *h, const struct event *ev, uint64_t at)
{
	struct html_run *run = &h->runs[ev->lane];
	int prev = (int)source_field_u64(h->switches[ev->machine].prev, ev->data);
	int r;

	if (at < run->from) /* stamps of a lane may go back where the ring buffer clamped them */
		at = run->from;
	if (!run->open) { /* it ran since the recording began, or since the gap */
		uint64_t begin = h->begins[ev->lane] - 1;

		run->from = run->from > run->told ? run->from : run->told;
		run->from = run->from > begin ? run->from : begin;
		run->pid = prev;
	}
	r = run->pid >= 0 ? put_run(h, ev->lane, at) : 0;
	run->from = at;
	run->pid = (int)source_field_u64(h->switches[ev->machine].next, ev->data);
	run->open = run->pid >= 0;
	if (!r)
		r = note_pid(&h->pids[ev->machine], prev);
	return r ? r : note_pid(&h->pids[ev->machine], run->pid);
}

int html_tasks_add(struct html_tasks *h, const struct event *ev)
{
	uint64_t at = ev->ticks < h->base ? 0 : ev->ticks - h->base;
	int r;

	h->end = at > h->end ? at : h->end;
	if (!h->begins[ev->lane])
		h->begins[ev->lane] = 1 + at;
	if (at > h->ends[ev->machine])
		h->ends[ev->machine] = at;
	if (ev->type == EVENT_LOST)
		return add_lost(h, ev, at);
	r = note_pid(&h->pids[ev->machine], source_record_pid(ev->kind, ev->data));
	if (r || ev->kind != h->switches[ev->machine].kind)
		return r;
	return add_switch(h, ev, at);
}

int html_tasks_finish(struct html_tasks *h)
{
	const struct timeline_lane *lanes = timeline_lanes(h->t, &h->n_lanes);
	int r = 0;

	for (size_t i = 0; i < h->n_lanes && !r; i++)
		if (h->runs[i].open)
			r = put_run(h, i, h->ends[lanes[i].machine]);
	return r ? r : html_tasks_flush(h);
}

static int put_block(struct html_tasks *h, char letter, uint32_t n, struct col *const cols[4])
{
	if (!n)
		return 0;
	block_begin(h->block, letter);
	block_u64(h->block, n);
	for (size_t i = 0; i < 4; i++) {
		block_col(h->block, cols[i]);
		col_reset(cols[i]);
	}
	return block_end(h->block);
}

int html_tasks_flush(struct html_tasks *h)
{
	int r = put_block(h, 'R', h->n, (struct col *[]){&h->lanes, &h->froms, &h->spans, &h->who});

	if (!r)
		r = put_block(h, 'L', h->n_lost,
			      (struct col *[]){&h->lost_lanes, &h->lost_froms, &h->lost_spans,
					       &h->lost_n});
	h->n = h->n_lost = 0;
	return r;
}

void html_tasks_free(struct html_tasks *h)
{
	struct col *cols[] = {&h->lanes,      &h->froms,      &h->spans,      &h->who,
			      &h->lost_lanes, &h->lost_froms, &h->lost_spans, &h->lost_n};

	for (size_t i = 0; i < ARRAY_SIZE(cols); i++)
		col_free(cols[i]);
	for (size_t i = 0; h->pids && i < h->n_machines; i++)
		free(h->pids[i].slots);
	free(h->pids);
	free(h->begins);
	free(h->ends);
	free(h->switches);
	free(h->runs);
}
