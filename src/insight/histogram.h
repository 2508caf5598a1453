/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Durations of any size in bounded memory: exact up to HISTOGRAM_EXACT of them, from then on in
 * log-linear buckets, 32 to each power of two. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

#define HISTOGRAM_EXACT	  128
#define HISTOGRAM_SUB	  32
#define HISTOGRAM_BUCKETS ((64 - 5 + 1) * HISTOGRAM_SUB)

/* Zero-initialise; histogram_free(). */
struct histogram {
	uint64_t n, sum, min, max; /* min and max exact; undefined while n is 0 */
	uint64_t *values;	   /* sorted when asked, until they are too many */
	uint64_t *buckets;	   /* HISTOGRAM_BUCKETS counts, from then on */
};

must_check int histogram_add(struct histogram *h, uint64_t value);
/* The smallest value that at least permille / 1000 of all do not exceed. When histogram_is_exact()
 * it is one of them; else within 1/64 (1.6 %) of one. 0 without values. */
uint64_t histogram_quantile(struct histogram *h, unsigned permille);
bool histogram_is_exact(const struct histogram *h);
void histogram_free(struct histogram *h);

/* Bucket of a value, and the values that a bucket holds: [lo, hi]. */
unsigned histogram_bucket(uint64_t value);
void histogram_bounds(unsigned bucket, uint64_t *ret_lo, uint64_t *ret_hi);
