// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/ringbuf.h"

/* enum ring_buffer_type; 1..28 are data of that many words, 0 data with its length in a word */
enum { TYPE_DATA_MAX = 28, TYPE_PADDING, TYPE_TIME_EXTEND, TYPE_TIME_STAMP };

#define DELTA_SHIFT   27
#define COMMIT_MASK   0x07ffffffu /* RB_WRITE_MASK is less; as libtraceevent's kbuffer */
#define MISSED_EVENTS (1u << 31)  /* RB_MISSED_EVENTS: events are missing before this page */
#define MISSED_STORED (1u << 30)  /* RB_MISSED_STORED: their number follows the data */
#define STAMP_MSB     (0xf8ull << 56)

static inline uint32_t get_u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

uint64_t ringbuf_page_ticks(const uint8_t *page)
{
	uint64_t v;

	memcpy(&v, page, 8);
	return v;
}

void ringbuf_gap(struct ringbuf *rb)
{
	rb->has_lost = true;
	rb->lost = UINT64_MAX;
}

static bool page_broken(struct ringbuf *rb)
{
	rb->p = rb->end;
	rb->broken_pages++;
	ringbuf_gap(rb);
	return false;
}

/* ring_buffer_read_page() adds the number behind the data when there is room for it. */
static void page_missed(struct ringbuf *rb, uint32_t flags, size_t room)
{
	uint64_t lost = UINT64_MAX;

	if ((flags & MISSED_STORED) && room >= rb->commit_bytes) {
		lost = 0;
		memcpy(&lost, rb->end, rb->commit_bytes);
	}
	if (rb->has_lost && rb->lost > UINT64_MAX - lost)
		lost = UINT64_MAX;
	rb->lost = rb->has_lost && lost != UINT64_MAX ? rb->lost + lost : lost;
	rb->has_lost = true;
}

bool ringbuf_page(struct ringbuf *rb, const uint8_t *page, size_t n, size_t page_bytes)
{
	size_t head = 8 + rb->commit_bytes, room, used;
	uint32_t commit;

	if (rb->gap_after)
		ringbuf_gap(rb);
	rb->gap_after = rb->clamped = rb->clamp_first = false;
	rb->p = rb->end = page;
	if (n < head)
		return page_broken(rb);
	commit = get_u32(page + 8);
	used = commit & COMMIT_MASK;
	room = n - head;
	if (used > page_bytes - head)
		return page_broken(rb);
	rb->gap_after = used > room;
	rb->p = rb->first = page + head;
	rb->end = rb->p + (used > room ? room : used);
	if (commit & MISSED_EVENTS)
		page_missed(rb, commit, used > room ? 0 : room - used);
	rb->ticks = ringbuf_page_ticks(page);
	return true;
}

static void lost_item(struct ringbuf *rb, uint64_t end_ticks, struct source_item *item)
{
	*item = (struct source_item){
		.raw_ticks = rb->last_ticks,
		.end_raw_ticks = end_ticks,
		.lost = rb->lost,
		.flags = ITEM_LOST,
	};
	if (rb->lost == UINT64_MAX)
		rb->untold = true;
	else
		rb->told += rb->lost;
	rb->has_lost = false;
	rb->lost = 0;
}

bool ringbuf_last(struct ringbuf *rb, uint64_t dropped, struct source_item *item)
{
	if (rb->gap_after)
		ringbuf_gap(rb);
	rb->gap_after = false;
	if (!rb->has_lost && dropped > rb->told) {
		rb->has_lost = true;
		rb->lost = rb->untold ? UINT64_MAX : dropped - rb->told;
	}
	if (!rb->has_lost)
		return false;
	lost_item(rb, UINT64_MAX, item);
	rb->told = UINT64_MAX; /* once */
	return true;
}

/* rb_add_time_stamp(), ring_buffer.c: a delta below 0 is written as a TIME_EXTEND of 0 ("Ring buffer
 * clock went backwards"), and the deltas after it count from the true, lower stamp. The first
 * record of a page has 0 there by design. */
static void take_extend(struct ringbuf *rb, uint64_t delta, bool is_first)
{
	rb->ticks += delta;
	if (!delta && !is_first)
		rb->clamped = rb->clamp_first = true;
}

/* Absolute, its low 59 bits (rb_fix_abs_ts()). */
static uint64_t absolute(const struct ringbuf *rb, uint64_t stamp)
{
	if (rb->ticks & STAMP_MSB) {
		stamp |= rb->ticks & STAMP_MSB;
		if (stamp < rb->ticks)
			stamp += 1ull << 59;
	}
	return stamp;
}

static void take_stamp(struct ringbuf *rb, uint64_t stamp)
{
	rb->ticks = absolute(rb, stamp);
	rb->clamped = rb->clamp_first = false;
}

/* A TIME_EXTEND of 0 has a second cause (__rb_reserve_next(), ring_buffer.c, 5.10 to 7.x): other
 * records were written while room was being taken for this one, and its stamp was given up. The one
 * behind it has an absolute stamp. */
static bool was_interrupted(const struct ringbuf *rb, uint64_t *ret_stamp)
{
	uint32_t head = rb->end - rb->p >= 8 ? get_u32(rb->p) : 0;
	uint64_t stamp;

	if ((head & 31) != TYPE_TIME_STAMP)
		return false;
	stamp = absolute(rb, ((uint64_t)get_u32(rb->p + 4) << DELTA_SHIFT) + (head >> 5));
	if ((int64_t)(stamp - rb->ticks) < 0) /* it went back after all */
		return false;
	*ret_stamp = stamp;
	return true;
}

/* Everything but the common kind of record. Returns where the data of a long record is with its
 * length, or NULL when there is nothing to emit; rb->p is behind the record. */
static const uint8_t *take_special(struct ringbuf *rb, uint32_t head, size_t *ret_n)
{
	uint32_t type = head & 31, delta = head >> 5, word;
	const uint8_t *p = rb->p;
	size_t left = (size_t)(rb->end - p) - 4;

	if (type == TYPE_PADDING && !delta) {
		rb->p = rb->end;
		return NULL;
	}
	if (left < 4) {
		page_broken(rb);
		return NULL;
	}
	word = get_u32(p + 4);
	rb->p += 8;
	if (type == TYPE_TIME_EXTEND) {
		take_extend(rb, ((uint64_t)word << DELTA_SHIFT) + delta, p == rb->first);
		return NULL;
	}
	if (type == TYPE_TIME_STAMP) {
		take_stamp(rb, ((uint64_t)word << DELTA_SHIFT) + delta);
		return NULL;
	}
	rb->ticks += delta;
	/* both lengths include the length word itself */
	if (word < 4 || word > left) {
		page_broken(rb);
		return NULL;
	}
	word = (word + 3) & ~3u;
	rb->p = word > left ? rb->end : p + 4 + word;
	if (type == TYPE_PADDING) /* a discarded event */
		return NULL;
	*ret_n = (size_t)(rb->p - (p + 8));
	return p + 8;
}

static inline const struct source_kind *kind_of(const struct ringbuf_kinds *k, const uint8_t *data,
						size_t n)
{
	const struct source_kind *kind;
	uint16_t id;

	if (n < 2)
		return k->broken;
	memcpy(&id, data, 2);
	kind = id < k->n_ids ? k->by_id[id] : NULL;
	if (!kind)
		kind = k->unknown;
	return n < kind->min_bytes ? k->broken : kind;
}

/* The flags of a record; *ticks may change. */
static inline uint32_t clamp_flags(struct ringbuf *rb, uint64_t *ticks)
{
	uint32_t flags;

	if (!rb->clamped)
		return 0;
	if (rb->clamp_first && was_interrupted(rb, ticks)) {
		rb->clamped = rb->clamp_first = false;
		return ITEM_INTERRUPTED;
	}
	flags = ITEM_CLAMPED | (rb->clamp_first ? ITEM_CLAMP_FIRST : 0);
	rb->clamp_first = false;
	return flags;
}

/* Records of the common form, as long as nothing else comes: what is most of any page. */
static unsigned read_plain(struct ringbuf *rb, struct source_item *items, unsigned max)
{
	const struct ringbuf_kinds kinds = rb->kinds;
	const uint8_t *p = rb->p, *end = rb->end;
	uint64_t ticks = rb->ticks;
	unsigned n = 0;

	while (n < max && end - p >= 8) {
		uint32_t head = get_u32(p), size = (head & 31) * 4;
		const struct source_kind *kind;
		uint16_t id;

		if (size - 4 >= TYPE_DATA_MAX * 4 || size > (size_t)(end - p) - 4)
			break;
		ticks += head >> 5;
		memcpy(&id, p + 4, 2);
		kind = id < kinds.n_ids ? kinds.by_id[id] : NULL;
		if (!kind)
			kind = kinds.unknown;
		if (size < kind->min_bytes)
			kind = kinds.broken;
		items[n] = (struct source_item){
			.raw_ticks = ticks,
			.data = p + 4,
			.kind = kind,
			.size = size,
		};
		n += !kinds.wanted || kinds.wanted[kind->index];
		p += 4 + size;
	}
	if (p != rb->p)
		rb->last_ticks = ticks;
	rb->ticks = ticks;
	rb->p = p;
	return n;
}

/* One record of any form. Returns how many items it made. */
static unsigned read_any(struct ringbuf *rb, struct source_item *items)
{
	const struct ringbuf_kinds *kinds = &rb->kinds;
	uint32_t head = get_u32(rb->p), type = head & 31;
	const struct source_kind *kind;
	const uint8_t *data;
	unsigned n = 0;
	size_t size;

	if (type - 1 < TYPE_DATA_MAX) {
		data = rb->p + 4;
		size = type * 4;
		if (size > (size_t)(rb->end - data)) {
			page_broken(rb);
			return 0;
		}
		rb->p = data + size;
		rb->ticks += head >> 5;
	} else {
		data = take_special(rb, head, &size);
		if (!data)
			return 0;
	}
	if (rb->has_lost)
		lost_item(rb, rb->ticks, &items[n++]);
	rb->last_ticks = rb->ticks;
	kind = kind_of(kinds, data, size);
	if (kinds->wanted && !kinds->wanted[kind->index])
		return n;
	items[n] = (struct source_item){
		.raw_ticks = rb->ticks,
		.data = data,
		.kind = kind,
		.size = (uint32_t)size,
	};
	items[n].flags = clamp_flags(rb, &items[n].raw_ticks);
	return n + 1;
}

unsigned ringbuf_read(struct ringbuf *rb, struct source_item *items, unsigned max)
{
	unsigned n = 0;

	/* two slots: a record may bring the mark of a gap along */
	while (n + 2 <= max && rb->end - rb->p >= 4) {
		if (!rb->has_lost && !rb->clamped)
			n += read_plain(rb, items + n, max - n - 1);
		if (n + 2 <= max && rb->end - rb->p >= 4)
			n += read_any(rb, items + n);
	}
	return n;
}
