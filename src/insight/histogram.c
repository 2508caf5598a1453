// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/histogram.h"

#include <errno.h>
#include <stdlib.h>

#define SUB_BITS 5

/* Below 32 a bucket per value; then the power of two, and the five bits behind its first. */
unsigned histogram_bucket(uint64_t value)
{
	unsigned log;

	if (value < HISTOGRAM_SUB)
		return (unsigned)value;
	log = 63 - (unsigned)__builtin_clzll(value);
	return (log - SUB_BITS + 1) * HISTOGRAM_SUB +
	       (unsigned)(value >> (log - SUB_BITS) & (HISTOGRAM_SUB - 1));
}

void histogram_bounds(unsigned bucket, uint64_t *ret_lo, uint64_t *ret_hi)
{
	unsigned log = bucket / HISTOGRAM_SUB;

	if (!log) {
		*ret_lo = *ret_hi = bucket;
		return;
	}
	*ret_lo = (uint64_t)(HISTOGRAM_SUB + bucket % HISTOGRAM_SUB) << (log - 1);
	*ret_hi = *ret_lo + (UINT64_C(1) << (log - 1)) - 1;
}

static int to_buckets(struct histogram *h)
{
	h->buckets = calloc(HISTOGRAM_BUCKETS, sizeof(*h->buckets));
	if (!h->buckets)
		return -ENOMEM;
	for (uint64_t i = 0; i < h->n; i++)
		h->buckets[histogram_bucket(h->values[i])]++;
	free(h->values);
	h->values = NULL;
	return 0;
}

int histogram_add(struct histogram *h, uint64_t value)
{
	int r;

	if (!h->n && !h->values) {
		h->values = calloc(HISTOGRAM_EXACT, sizeof(*h->values));
		if (!h->values)
			return -ENOMEM;
	}
	if (h->values && h->n == HISTOGRAM_EXACT) {
		r = to_buckets(h);
		if (r)
			return r;
	}
	if (h->values)
		h->values[h->n] = value;
	else
		h->buckets[histogram_bucket(value)]++;
	if (!h->n || value < h->min)
		h->min = value;
	if (!h->n || value > h->max)
		h->max = value;
	h->sum += value;
	h->n++;
	return 0;
}

bool histogram_is_exact(const struct histogram *h)
{
	return !h->buckets;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t within(const struct histogram *h, uint64_t v)
{
	return v < h->min ? h->min : v > h->max ? h->max : v;
}

uint64_t histogram_quantile(struct histogram *h, unsigned permille)
{
	/* n * permille / 1000, rounded up; n * 1000 may not fit */
	uint64_t rank = h->n / 1000 * permille + (h->n % 1000 * permille + 999) / 1000;
	uint64_t lo, hi;

	if (!h->n)
		return 0;
	rank = rank ? rank - 1 : 0;
	if (!rank || rank == h->n - 1)
		return rank ? h->max : h->min;
	if (h->values) {
		qsort(h->values, h->n, sizeof(*h->values), by_value);
		return h->values[rank];
	}
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (rank < h->buckets[i]) {
			histogram_bounds(i, &lo, &hi);
			return within(h, lo + (hi - lo) / 2);
		}
		rank -= h->buckets[i];
	}
	return h->max;
}

void histogram_free(struct histogram *h)
{
	free(h->values);
	free(h->buckets);
	*h = (struct histogram){0};
}
