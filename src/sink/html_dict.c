// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/html_dict.h"

#include <stdlib.h>
#include <string.h>

static uint32_t hash_of(const char *s, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h;
}

static bool grow(struct dict *d)
{
	uint32_t size = d->size ? 2 * d->size : 1024;
	struct dict_slot *slots = calloc(size, sizeof(*slots));

	if (!slots) {
		d->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < d->size; i++) {
		uint32_t at = d->slots[i].hash & (size - 1);

		if (!d->slots[i].id)
			continue;
		while (slots[at].id)
			at = (at + 1) & (size - 1);
		slots[at] = d->slots[i];
	}
	free(d->slots);
	d->slots = slots;
	d->size = size;
	return true;
}

uint32_t dict_add(struct dict *d, const char *s, size_t n)
{
	struct dict_slot *slot;
	uint32_t hash, at;

	if (!s)
		return 0;
	n = n > DICT_STRING_MAX ? DICT_STRING_MAX : n;
	if (d->failed || (2 * (d->n + 1) > d->size && !grow(d)))
		return 0;
	hash = hash_of(s, n);
	for (at = hash & (d->size - 1);; at = (at + 1) & (d->size - 1)) {
		slot = &d->slots[at];
		if (!slot->id)
			break;
		if (slot->hash == hash && slot->len == n && !memcmp(d->text.p + slot->at, s, n))
			return slot->id;
	}
	col_u64(&d->text, n);
	*slot = (struct dict_slot){hash, ++d->n, (uint32_t)d->text.n, (uint32_t)n};
	col_bytes(&d->text, s, n);
	d->failed = d->text.failed;
	return slot->id;
}

uint32_t dict_adds(struct dict *d, const char *s)
{
	return s && *s ? dict_add(d, s, strlen(s)) : 0;
}

void dict_put(const struct dict *d, struct block *b)
{
	block_u64(b, d->n);
	if (d->failed)
		block_fail(b);
	block_col(b, &d->text);
}

void dict_reset(struct dict *d)
{
	if (d->slots)
		memset(d->slots, 0, d->size * sizeof(*d->slots));
	col_reset(&d->text);
	d->n = 0;
}

void dict_free(struct dict *d)
{
	free(d->slots);
	col_free(&d->text);
	*d = (struct dict){0};
}
