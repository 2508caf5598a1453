// SPDX-License-Identifier: GPL-2.0-or-later
/* Per-vCPU lists of offset epochs. */
#include "clock/epoch.h"

#include <string.h>

int epochs_add(struct tsc_epochs *e, uint64_t from_ticks, const struct tsc_map *map)
{
	struct tsc_epoch *last;
	size_t at = e->n;

	if (!tsc_map_is_valid(map))
		return -EINVAL;
	while (at && e->v[at - 1].from_ticks > from_ticks)
		at--;
	if (at && e->v[at - 1].from_ticks == from_ticks) {
		e->v[at - 1].map = *map;
		return 0;
	}
	last = array_add(e);
	if (!last)
		return -ENOMEM;
	memmove(&e->v[at + 1], &e->v[at], (e->n - 1 - at) * sizeof(*e->v));
	e->v[at] = (struct tsc_epoch){from_ticks, *map};
	return 0;
}

static bool map_equal(const struct tsc_map *a, const struct tsc_map *b)
{
	if (a->offset != b->offset)
		return false;
	if (tsc_map_is_unscaled(a) || tsc_map_is_unscaled(b))
		return tsc_map_is_unscaled(a) && tsc_map_is_unscaled(b);
	return a->ratio == b->ratio && a->frac == b->frac;
}

void epochs_squeeze(struct tsc_epochs *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n; i++)
		if (!n || !map_equal(&e->v[n - 1].map, &e->v[i].map))
			e->v[n++] = e->v[i];
	e->n = n;
}

size_t epochs_at(const struct tsc_epochs *e, uint64_t host_ticks)
{
	size_t lo = 0, hi = e->n; /* the epoch is in [lo, hi) */

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (e->v[mid].from_ticks <= host_ticks)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

struct tsc_range epochs_span(const struct tsc_epochs *e, size_t i)
{
	return (struct tsc_range){
		i ? e->v[i].from_ticks : 0,
		i + 1 < e->n ? e->v[i + 1].from_ticks - 1 : UINT64_MAX,
	};
}

uint64_t epochs_forward(const struct tsc_epochs *e, uint64_t host_ticks)
{
	return tsc_forward(&e->v[epochs_at(e, host_ticks)].map, host_ticks);
}

/* near_ticks, moved into a span: the inverse must not pick a solution that another span owns. */
static uint64_t clamp(uint64_t v, struct tsc_range r)
{
	return v < r.lo ? r.lo : v > r.hi ? r.hi : v;
}

size_t epochs_inverse(const struct tsc_epochs *e, size_t first, uint64_t guest_ticks,
		      uint64_t not_before, uint64_t near_ticks, struct tsc_range *ret,
		      bool *ret_ambiguous)
{
	size_t found = SIZE_MAX;

	*ret_ambiguous = false;
	for (size_t i = first; i < e->n; i++) {
		struct tsc_range span = epochs_span(e, i), r;

		if (span.lo < not_before)
			span.lo = not_before;
		if (span.lo > span.hi)
			continue;
		if (!tsc_inverse(&e->v[i].map, guest_ticks, clamp(near_ticks, span), &r))
			continue;
		if (r.hi < span.lo || r.lo > span.hi)
			continue;
		if (found != SIZE_MAX) {
			*ret_ambiguous = true;
			break;
		}
		found = i;
		*ret = (struct tsc_range){clamp(r.lo, span), clamp(r.hi, span)};
	}
	return found;
}

void epochs_free(struct tsc_epochs *e)
{
	array_free(e);
}
