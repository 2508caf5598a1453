// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets as sorted, disjoint intervals. */
#include "insight/spans.h"

int spans_add(struct spans *s, int64_t lo, int64_t hi)
{
	struct span *last = s->n ? &s->v[s->n - 1] : NULL;

	if (last && (lo <= last->hi || lo == last->hi + 1)) {
		if (hi > last->hi)
			last->hi = hi;
		return 0;
	}
	last = array_add(s);
	if (!last)
		return -ENOMEM;
	*last = (struct span){lo, hi};
	return 0;
}

/* The first span that does not end before v. */
static size_t find(const struct spans *s, int64_t v)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->v[mid].hi < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool spans_has(const struct spans *s, int64_t v)
{
	size_t i = find(s, v);

	return i < s->n && s->v[i].lo <= v;
}

int spans_keep(struct spans *s, const struct spans *with, int64_t less_lo, int64_t less_hi,
	       struct spans *tmp)
{
	struct spans kept;
	size_t k = 0;

	tmp->n = 0;
	for (size_t i = 0; i < s->n; i++) {
		int64_t lo = s->v[i].lo, hi = s->v[i].hi;

		/* few spans far apart: search; many close together: walk */
		if (k < with->n && with->v[k].hi - less_lo < lo)
			k = find(with, lo + less_lo);
		for (size_t j = k; j < with->n && with->v[j].lo - less_hi <= hi; j++) {
			int64_t from = with->v[j].lo - less_hi, to = with->v[j].hi - less_lo;
			int r = spans_add(tmp, from > lo ? from : lo, to < hi ? to : hi);

			if (r)
				return r;
			k = j;
		}
	}
	kept = *tmp;
	*tmp = *s;
	*s = kept;
	return 0;
}

void spans_free(struct spans *s)
{
	array_free(s);
}
