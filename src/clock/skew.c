// SPDX-License-Identifier: GPL-2.0-or-later
#include "clock/skew.h"

#include <errno.h>
#include <stdlib.h>

void skew_add(struct skew *s, uint64_t a0, uint64_t b, uint64_t a1)
{
	int64_t lo = (int64_t)(b - a1), hi = (int64_t)(b - a0);

	s->lo = lo > s->lo ? lo : s->lo;
	s->hi = hi < s->hi ? hi : s->hi;
	s->n++;
}

void skew_widen(struct skew *s, uint64_t ticks)
{
	int64_t by = ticks > INT64_MAX ? INT64_MAX : (int64_t)ticks;

	if (__builtin_sub_overflow(s->lo, by, &s->lo))
		s->lo = INT64_MIN;
	if (__builtin_add_overflow(s->hi, by, &s->hi))
		s->hi = INT64_MAX;
}

bool skew_is_constant(const struct skew *s)
{
	return s->lo <= s->hi;
}

bool skew_holds_zero(const struct skew *s)
{
	return s->lo <= 0 && s->hi >= 0;
}

int skew_matrix_new(size_t n, struct skew_matrix *ret)
{
	int64_t *upper = n ? calloc(n * n, sizeof(*upper)) : NULL;

	if (!upper)
		return n ? -ENOMEM : -EINVAL;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			upper[i * n + j] = i == j ? 0 : INT64_MAX;
	*ret = (struct skew_matrix){n, upper};
	return 0;
}

void skew_matrix_free(struct skew_matrix *m)
{
	free(m->upper);
	*m = (struct skew_matrix){0};
}

static int64_t negative(int64_t v)
{
	return v == INT64_MIN ? INT64_MAX : -v;
}

static void narrow(int64_t *upper, int64_t to)
{
	if (to < *upper)
		*upper = to;
}

void skew_matrix_add(struct skew_matrix *m, size_t i, size_t j, const struct skew *s)
{
	if (!s->n)
		return;
	narrow(&m->upper[i * m->n + j], s->hi);
	narrow(&m->upper[j * m->n + i], negative(s->lo));
}

/* Sum of two bounds, of which INT64_MAX is none. */
static int64_t sum(int64_t a, int64_t b)
{
	int64_t s;

	if (a == INT64_MAX || b == INT64_MAX)
		return INT64_MAX;
	if (__builtin_add_overflow(a, b, &s))
		return a > 0 ? INT64_MAX : INT64_MIN;
	return s;
}

bool skew_matrix_close_by(struct skew_matrix *m, size_t k)
{
	size_t n = m->n;
	bool consistent = true;

	for (size_t i = 0; i < n; i++) {
		int64_t to_k = m->upper[i * n + k];

		if (to_k == INT64_MAX || i == k)
			continue;
		for (size_t j = 0; j < n; j++)
			narrow(&m->upper[i * n + j], sum(to_k, m->upper[k * n + j]));
		/* A walk round the same contradiction would only make numbers grow. */
		if (m->upper[i * n + i] < 0) {
			m->upper[i * n + i] = 0;
			consistent = false;
		}
	}
	return consistent;
}

/* Floyd and Warshall: bounds are edges of a graph, and a bound implied by others is a path. */
bool skew_matrix_close(struct skew_matrix *m)
{
	bool consistent = true;

	for (size_t k = 0; k < m->n; k++)
		consistent &= skew_matrix_close_by(m, k);
	return consistent;
}

struct skew skew_matrix_get(const struct skew_matrix *m, size_t i, size_t j)
{
	int64_t hi = m->upper[i * m->n + j], back = m->upper[j * m->n + i];
	struct skew s = {negative(back), hi, hi != INT64_MAX && back != INT64_MAX};

	if (back == INT64_MAX)
		s.lo = INT64_MIN;
	return s;
}

static uint64_t magnitude(int64_t v)
{
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

void skew_matrix_sum(const struct skew_matrix *m, struct skew_summary *ret)
{
	*ret = (struct skew_summary){.pairs = m->n * (m->n - 1) / 2};
	for (size_t i = 0; i < m->n; i++)
		for (size_t j = i + 1; j < m->n; j++) {
			struct skew s = skew_matrix_get(m, i, j);
			uint64_t lo = magnitude(s.lo), hi = magnitude(s.hi);
			uint64_t least = lo < hi ? lo : hi, most = lo < hi ? hi : lo;

			if (!s.n)
				continue;
			ret->known++;
			if (most > ret->at_most)
				ret->at_most = most;
			if (skew_holds_zero(&s) || least <= ret->differs)
				continue;
			ret->differs = least;
			ret->differs_i = i;
			ret->differs_j = j;
		}
}
