// SPDX-License-Identifier: GPL-2.0-or-later
/* Ring-buffer pages as kernel/trace/ring_buffer.c (6.1) leaves them: 27-bit deltas, TIME_EXTEND,
 * absolute stamps, discarded events, padding at the end, missed events, and the clamp when the
 * clock went back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"

enum { TYPE_PADDING = 29, TYPE_EXTEND = 30, TYPE_STAMP = 31 };

#define MISSED_EVENTS	(1u << 31)
#define MISSED_STORED	(1u << 30)
#define TS_LOW_BITS	59 /* what an absolute stamp can hold */
#define INTERRUPT_TICKS 1000

int bytes_add(struct bytes *b, const void *p, size_t n)
{
	if (!n)
		return 0;
	if (b->n + n > b->size) {
		size_t size = (b->n + n) * 2;
		uint8_t *v = realloc(b->v, size);

		if (!v)
			return -ENOMEM;
		b->v = v;
		b->size = size;
	}
	if (p)
		memcpy(b->v + b->n, p, n);
	else
		memset(b->v + b->n, 0, n);
	b->n += n;
	return 0;
}

struct packer {
	struct world *w;
	struct bytes *out;
	unsigned long_bytes, head; /* the kernel's long; stamp and commit of a page */
	size_t page;		   /* offset of the open page in out */
	uint32_t at;		   /* of its data; 0 with open false */
	bool open, clamped, goes_back;
	bool interrupted; /* the last record was: the next one has an absolute stamp */
	uint64_t last;	  /* the kernel's write_stamp */
	uint64_t missed;  /* before the open page; UINT64_MAX: not told; 0: none */
};

static void put32(struct packer *p, uint32_t v)
{
	memcpy(p->out->v + p->page + p->head + p->at, &v, 4);
	p->at += 4;
}

static uint32_t room(const struct packer *p)
{
	return p->w->page_bytes - p->head - p->at;
}

static int page_open(struct packer *p, uint64_t stamp)
{
	p->page = p->out->n;
	p->at = 0;
	p->open = true;
	p->clamped = p->interrupted = false;
	p->last = stamp;
	if (bytes_add(p->out, NULL, p->w->page_bytes))
		return -ENOMEM;
	memcpy(p->out->v + p->page, &stamp, 8);
	return 0;
}

/* full: the rest is one discarded event, as rb_reset_tail() leaves it; else the reader took the
 * page before it was full. */
static void page_close(struct packer *p, bool full)
{
	uint64_t commit;

	if (full && room(p) >= 8) {
		uint32_t rest = room(p);

		put32(p, TYPE_PADDING | 1 << 5);
		put32(p, rest - 4);
		p->at += rest - 8;
	}
	commit = p->at;
	if (p->missed) {
		commit |= MISSED_EVENTS;
		if (p->missed != UINT64_MAX && room(p) >= p->long_bytes) {
			commit |= MISSED_STORED;
			memcpy(p->out->v + p->page + p->head + p->at, &p->missed, p->long_bytes);
		}
	}
	memcpy(p->out->v + p->page + 8, &commit, p->long_bytes);
	p->open = false;
	p->missed = 0;
}

/* An event that was interrupted by the next one and dropped again. */
static void put_discarded(struct packer *p, uint64_t delta)
{
	put32(p, TYPE_PADDING | (uint32_t)delta << 5);
	put32(p, 12);
	p->at += 8;
}

static uint32_t record_bytes(const struct truth_event *e)
{
	return 4 + e->size + (e->size > 28 * 4 ? 4 : 0);
}

static void put_record(struct packer *p, const struct truth_event *e, uint32_t delta)
{
	if (e->size > 28 * 4) {
		put32(p, delta << 5);
		put32(p, e->size + 4u);
	} else {
		put32(p, delta << 5 | e->size / 4u);
	}
	memcpy(p->out->v + p->page + p->head + p->at, e->data, e->size);
	p->at += e->size;
}

static void put_extend(struct packer *p, uint64_t delta, uint32_t type)
{
	put32(p, type | (uint32_t)(delta & ((1 << 27) - 1)) << 5);
	put32(p, (uint32_t)(delta >> 27));
}

static bool fits(uint64_t a, uint64_t b)
{
	return a >> TS_LOW_BITS == b >> TS_LOW_BITS;
}

static bool goes_back(const struct truth_lane *l)
{
	for (size_t i = 1; i < l->events.n; i++)
		if ((int64_t)(l->events.v[i].stamp - l->events.v[i - 1].stamp) < 0)
			return true;
	return false;
}

/* __rb_reserve_next(): others came while room was being taken for this one, and its stamp was given
 * up. next (NULL: none) is what came last, so it follows at once. Interrupts are off around kvm_entry
 * and kvm_exit. By the stamp, not by chance: worlds stay what they were without it. */
static bool is_interrupted(struct packer *p, const struct truth_event *e,
			   const struct truth_event *next)
{
	if (p->goes_back || !e->machine || !p->at || !next ||
	    room(p) < record_bytes(e) + record_bytes(next) + 16 || e->kind < T_SWITCH ||
	    next->kind == T_OFFSET || !fits(next->stamp, p->last) ||
	    next->stamp - e->stamp > INTERRUPT_TICKS)
		return false;
	return (e->stamp * UINT64_C(0x9e3779b97f4a7c15) >> 40) % 100 == 0;
}

/* The event into the open page. False: it does not fit any more. */
static bool put_event(struct packer *p, struct truth_event *e, const struct truth_event *next)
{
	uint64_t delta = e->stamp - p->last;
	bool back = !p->interrupted && delta > UINT64_C(1) << TS_LOW_BITS;
	bool wanted = !back && !p->clamped && rnd_one_in(p->w, 60) && fits(e->stamp, p->last);
	bool absolute = p->interrupted || wanted;
	bool interrupted = !absolute && !back && is_interrupted(p, e, next);
	bool discarded =
		absolute && !p->interrupted && delta > 1 && !(delta >> 27) && rnd_one_in(p->w, 2);
	bool extend = back || absolute || interrupted || delta >> 27;

	if (room(p) < record_bytes(e) + (extend ? 8 : 0) + (discarded ? 16 : 0))
		return false;
	if (discarded)
		put_discarded(p, 1 + rnd_below(p->w, delta - 1));
	if (absolute)
		put_extend(p, e->stamp & ((UINT64_C(1) << TS_LOW_BITS) - 1), TYPE_STAMP);
	else if (extend)
		put_extend(p, back || interrupted ? 0 : delta, TYPE_EXTEND);
	put_record(p, e, extend ? 0 : (uint32_t)delta);
	p->clamped = p->clamped || back;
	p->interrupted = interrupted;
	if (p->clamped)
		e->flags |= T_CLAMPED;
	if (interrupted)
		e->flags |= T_INTERRUPTED;
	p->last = e->stamp;
	return true;
}

/* Some gap before is without a number. */
static bool untold(const struct truth_lane *l)
{
	array_for_each(g, &l->gaps)
		if (g->lost == UINT64_MAX)
			return true;
	return false;
}

/* Loses a run of events from i on; returns the next one that is kept. */
static size_t lose(struct packer *p, struct truth_lane *l, size_t i, bool keep_offsets)
{
	size_t first = i, n = 1 + rnd_below(p->w, 80);
	struct truth_gap *g;

	while (i < l->events.n && n--) {
		if (keep_offsets && l->events.v[i].kind == T_OFFSET)
			break;
		l->events.v[i++].flags |= T_LOST;
	}
	if (i == first)
		return i;
	l->dropped += i - first;
	g = array_add(&l->gaps);
	if (!g)
		return SIZE_MAX;
	p->missed = rnd_one_in(p->w, 3) ? UINT64_MAX : i - first;
	if (i == l->events.n) /* no page tells, only the CPU's statistics */
		p->missed = untold(l) ? UINT64_MAX : i - first;
	*g = (struct truth_gap){i, p->missed};
	return i;
}

/* A full page has no room for the count: then it is not told. Corrects the last gap. */
static void note_untold(struct packer *p, struct truth_lane *l)
{
	if (p->missed && p->missed != UINT64_MAX && room(p) < p->long_bytes)
		l->gaps.v[l->gaps.n - 1].lost = UINT64_MAX;
}

static void close_page(struct packer *p, struct truth_lane *l, bool full)
{
	/* the padding takes the room, but for what is too small for it */
	if (full && room(p) >= 8 && p->missed)
		l->gaps.v[l->gaps.n - 1].lost = UINT64_MAX;
	note_untold(p, l);
	page_close(p, full);
}

int ring_pack(struct world *w, struct truth_lane *l, const struct ring_how *how, struct bytes *ret)
{
	unsigned long_bytes = how->narrow ? 4 : 8;
	struct packer p = {.w = w,
			   .out = ret,
			   .long_bytes = long_bytes,
			   .head = 8 + long_bytes,
			   .goes_back = goes_back(l)};
	bool loss = how->loss, keep_offsets = how->keep_offsets;
	size_t i = 0;

	if (loss && rnd_one_in(w, 5))
		i = lose(&p, l, i, keep_offsets);
	while (i < l->events.n) {
		struct truth_event *e = &l->events.v[i];
		bool together = p.open && p.interrupted; /* with the one before */

		if (!p.open && page_open(&p, e->stamp))
			return -ENOMEM;
		if (put_event(&p, e, i + 1 < l->events.n ? e + 1 : NULL)) {
			i++;
			if (p.interrupted || !rnd_one_in(w, 400))
				continue;
			close_page(&p, l, false);
		} else {
			close_page(&p, l, true);
		}
		if (loss && !together && rnd_one_in(w, 4))
			i = lose(&p, l, i, keep_offsets);
	}
	if (p.open)
		close_page(&p, l, false);
	return i == SIZE_MAX ? -ENOMEM : 0;
}
