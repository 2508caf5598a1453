/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decodes pages of the kernel's ring buffer (kernel/trace/ring_buffer.c, include/linux/ring_buffer.h,
 * 4.x to 7.x): pure, no copies, every length checked against the page. */
#pragma once

#include "source/source.h"

#define RINGBUF_PAGE_MIN 64u
#define RINGBUF_PAGE_MAX (64u << 20)

/* Which record is which kind. */
struct ringbuf_kinds {
	const struct source_kind *const *by_id; /* n_ids slots, NULL: none of that id */
	unsigned n_ids;
	const struct source_kind *unknown, *broken;
	const bool *wanted; /* by kind index; NULL: all */
};

/* State of one lane between pages. Set kinds and commit_bytes, zero the rest. */
struct ringbuf {
	struct ringbuf_kinds kinds;
	unsigned commit_bytes; /* size of the header's commit word: the kernel's long, 4 or 8 */
	const uint8_t *p, *first, *end;
	uint64_t ticks;	     /* running stamp of the page */
	uint64_t last_ticks; /* of the lane's last data record; 0 before the first */
	bool clamped, clamp_first, has_lost, gap_after;
	uint64_t lost;	       /* missing before the next record, when has_lost */
	uint64_t told;	       /* events that marks so far stand for */
	bool untold;	       /* a mark came without their number */
	uint64_t broken_pages; /* whose records made no sense up to their end */
};

/* Goes to the next page of page_bytes bytes, of which n are there (less at the end of a truncated
 * file). False: header or length made no sense; what follows counts as lost. */
bool ringbuf_page(struct ringbuf *rb, const uint8_t *page, size_t n, size_t page_bytes);
/* First stamp of a page, as its header says. n >= RINGBUF_PAGE_MIN. */
uint64_t ringbuf_page_ticks(const uint8_t *page);
/* The next items of the page, at most max; 0 at its end. */
unsigned ringbuf_read(struct ringbuf *rb, struct source_item *items, unsigned max);
/* Notes that an unknown number of events is missing before whatever comes next. */
void ringbuf_gap(struct ringbuf *rb);
/* A mark for what is missing at the lane's end: false when nothing is. dropped: events that the
 * kernel refused because the buffer was full; those that no mark stands for were the last ones, or
 * may have been when a mark came without its number. */
bool ringbuf_last(struct ringbuf *rb, uint64_t dropped, struct source_item *item);
