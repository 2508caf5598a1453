// SPDX-License-Identifier: GPL-2.0-or-later
/* Large files: the pages of a small world again and again, each time later. Only worlds in which every
 * stamp is a host tick plus a constant can be repeated so. */
#include <stdio.h>
#include <string.h>

#include "files.h"

enum { TYPE_PADDING = 29, TYPE_EXTEND = 30, TYPE_STAMP = 31 };
enum { HEAD = 16 }; /* of a page, with a long of 8 bytes */

/* Absolute stamps: 27 bits, then 32. */
static void move_stamp(uint8_t *p, uint32_t head, uint64_t by)
{
	uint32_t high;
	uint64_t stamp;

	memcpy(&high, p + 4, 4);
	stamp = ((uint64_t)high << 27) + (head >> 5) + by;
	head = TYPE_STAMP | (uint32_t)(stamp & ((1 << 27) - 1)) << 5;
	high = (uint32_t)(stamp >> 27);
	memcpy(p, &head, 4);
	memcpy(p + 4, &high, 4);
}

static void move_page(uint8_t *page, uint64_t by)
{
	uint32_t commit, head, word;
	uint64_t stamp;
	uint8_t *p = page + HEAD, *end;

	memcpy(&stamp, page, 8);
	stamp += by;
	memcpy(page, &stamp, 8);
	memcpy(&commit, page + 8, 4);
	end = p + (commit & 0xfffff);
	while (p + 4 <= end) {
		memcpy(&head, p, 4);
		if ((head & 31) == TYPE_STAMP)
			move_stamp(p, head, by);
		if ((head & 31) >= TYPE_EXTEND) {
			p += 8;
		} else if (head & 31 && (head & 31) < TYPE_PADDING) {
			p += 4 + 4 * (head & 31);
		} else {
			if ((head & 31) == TYPE_PADDING && !(head >> 5))
				break;
			memcpy(&word, p + 4, 4);
			p += 4 + word;
		}
	}
}

int repeat_write(const struct world *w, const struct bytes *pages, FILE *f)
{
	uint8_t *copy = malloc(pages->n + 1);
	int r = copy ? 0 : -ENOMEM;

	for (unsigned i = 0; i < w->repeat && !r; i++) {
		memcpy(copy, pages->v, pages->n);
		for (size_t at = 0; at < pages->n; at += w->page_bytes)
			move_page(copy + at, i * w->span);
		if (fwrite(copy, 1, pages->n, f) != pages->n)
			r = -EIO;
	}
	free(copy);
	return r;
}
