// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/textlog_parts.h"

static uint64_t hash(const void *key, size_t n)
{
	const uint8_t *p = key;
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h ^ h >> 32;
}

/* The slot of the key, or the empty one where it belongs. n_slots is a power of 2. */
static size_t slot_of(const struct textlog_names *l, const void *key, size_t n)
{
	size_t i = hash(key, n) & (l->n_slots - 1);

	for (; l->slots[i]; i = (i + 1) & (l->n_slots - 1)) {
		const struct textlog_name *e = &l->list.v[l->slots[i] - 1];

		if (e->n == n && !memcmp(e->key, key, n))
			break;
	}
	return i;
}

/* At most half of the slots are used. */
static int make_room(struct textlog_names *l)
{
	struct textlog_names bigger = *l;

	if ((l->list.n + 1) * 2 <= l->n_slots)
		return 0;
	bigger.n_slots = l->n_slots ? l->n_slots * 2 : 64;
	bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < l->list.n; i++)
		bigger.slots[slot_of(&bigger, l->list.v[i].key, l->list.v[i].n)] = (uint32_t)i + 1;
	free(l->slots);
	*l = bigger;
	return 0;
}

size_t textlog_names_find(const struct textlog_names *l, const void *key, size_t n)
{
	return l->n_slots ? l->slots[slot_of(l, key, n)] - (size_t)1 : SIZE_MAX;
}

int textlog_names_add(struct textlog_names *l, const void *key, size_t n, size_t max,
		      size_t *ret_index)
{
	size_t found = textlog_names_find(l, key, n);
	struct textlog_name *e;
	char *copy;

	if (found != SIZE_MAX) {
		*ret_index = found;
		return 0;
	}
	if (l->list.n >= max)
		return -ENOSPC;
	copy = make_room(l) ? NULL : malloc(n + 1);
	e = copy ? array_add(&l->list) : NULL;
	if (!e) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, key, n);
	copy[n] = 0;
	e->key = copy;
	e->n = n;
	l->slots[slot_of(l, key, n)] = (uint32_t)l->list.n;
	*ret_index = l->list.n - 1;
	return 0;
}

void textlog_names_free(struct textlog_names *l)
{
	array_for_each(e, &l->list)
		free(e->key);
	array_free(&l->list);
	free(l->slots);
	*l = (struct textlog_names){0};
}
