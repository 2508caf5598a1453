// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/pb.h"

#include "base/text.h"

void pb_free(struct pb *b)
{
	free(b->p);
	*b = (struct pb){0};
}

bool pb_grow(struct pb *b, size_t n)
{
	size_t want = b->n + n, size = b->size ? b->size : 256;
	uint8_t *p;

	if (b->failed)
		return false;
	while (size < want)
		size *= 2;
	p = realloc(b->p, size);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->p = p;
	b->size = size;
	return true;
}

void pb_end_long(struct pb *b, size_t mark)
{
	size_t n = b->n - mark, extra = 0;

	for (size_t v = n; v >= 0x80; v >>= 7)
		extra++;
	if (b->failed || !pb_room(b, extra))
		return;
	memmove(b->p + mark + extra, b->p + mark, n);
	pb_poke(b->p + mark - 1, n);
	b->n += extra;
}

void pb_clean(char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = text_utf8_len(s + i, n - i);
		bool bad = !len || (unsigned char)s[i] < 0x20 || s[i] == 0x7f;

		if (bad)
			s[i] = '?';
		i += bad ? 1 : len;
	}
}

void pb_text(struct pb *b, uint32_t field, const char *s, size_t n)
{
	pb_bytes(b, field, s, n);
	if (!b->failed)
		pb_clean((char *)b->p + b->n - n, n);
}
