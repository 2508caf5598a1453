/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of whole numbers as sorted, disjoint intervals. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"

struct span {
	int64_t lo, hi; /* both included */
};

/* Zero-initialise; spans_free(). */
struct spans ARRAY(struct span);

/* Appends [lo, hi], which must begin at or after the last one's begin; joins what touches. */
must_check int spans_add(struct spans *s, int64_t lo, int64_t hi);

/* Keeps of s what lies in [w.lo - less_hi, w.hi - less_lo] for some w in with: the shifts that put
 * the interval [less_lo, less_hi] onto a w. All sums must fit 64 bits. tmp is working space. */
must_check int spans_keep(struct spans *s, const struct spans *with, int64_t less_lo,
			  int64_t less_hi, struct spans *tmp);

bool spans_has(const struct spans *s, int64_t v);
void spans_free(struct spans *s);
#define _cleanup_spans_ _cleanup_(spans_free)
