// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/ringpack.h"

#include <string.h>

enum { TYPE_LEN_MAX = 28, TYPE_TIME_EXTEND = 30 };

#define DELTA_BITS    27
#define MISSED_EVENTS (1u << 31)
#define MISSED_STORED (1u << 30)

static uint32_t padded(uint32_t n)
{
	return (n + 3) & ~3u;
}

/* Header, and the length where the header has no room for it. */
static uint32_t record_bytes(uint32_t n)
{
	return padded(n) + (padded(n) > TYPE_LEN_MAX * 4 || !n ? 8 : 4);
}

bool ringpack_fits(const struct ringpack *p, uint32_t n)
{
	return n < p->page_bytes && record_bytes(n) <= p->page_bytes - RINGPACK_HEAD;
}

static void put32(struct ringpack *p, uint32_t v)
{
	memcpy(p->page + RINGPACK_HEAD + p->n, &v, 4);
	p->n += 4;
}

/* Behind what is there, and before the number of missing events. */
static uint32_t room(const struct ringpack *p)
{
	uint32_t end = p->missed && p->lost != UINT64_MAX ? p->page_bytes - 8 : p->page_bytes;

	return end > RINGPACK_HEAD + p->n ? end - RINGPACK_HEAD - p->n : 0;
}

bool ringpack_add(struct ringpack *p, uint64_t ticks, const void *data, uint32_t n)
{
	uint64_t delta = p->open ? ticks - p->ticks : 0;
	bool extend = delta >> DELTA_BITS;
	uint32_t low = (uint32_t)delta & ((1u << DELTA_BITS) - 1), len = padded(n);

	if (!p->open) {
		memset(p->page, 0, p->page_bytes);
		memcpy(p->page, &ticks, 8);
		p->n = 0;
		p->open = true;
	} else if (record_bytes(n) + (extend ? 8 : 0) > room(p)) {
		return false;
	}
	p->ticks = ticks;
	if (extend) {
		put32(p, TYPE_TIME_EXTEND | low << 5);
		put32(p, (uint32_t)(delta >> DELTA_BITS));
		low = 0;
	}
	if (len > TYPE_LEN_MAX * 4 || !len) {
		put32(p, low << 5);
		put32(p, len + 4);
	} else {
		put32(p, low << 5 | len / 4);
	}
	memcpy(p->page + RINGPACK_HEAD + p->n, data, n);
	p->n += len;
	return true;
}

void ringpack_lost(struct ringpack *p, uint64_t lost)
{
	if (p->missed && p->lost != UINT64_MAX && lost != UINT64_MAX)
		lost += p->lost;
	else if (p->missed)
		lost = UINT64_MAX;
	p->missed = true;
	p->lost = lost;
}

bool ringpack_close(struct ringpack *p)
{
	uint64_t commit = p->n;

	if (!p->open)
		return false;
	if (p->missed) {
		commit |= MISSED_EVENTS;
		if (p->lost != UINT64_MAX && p->page_bytes - RINGPACK_HEAD - p->n >= 8) {
			commit |= MISSED_STORED;
			memcpy(p->page + RINGPACK_HEAD + p->n, &p->lost, 8);
		}
	}
	memcpy(p->page + 8, &commit, 8);
	p->open = p->missed = false;
	return true;
}
