/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's TSC against another clock, from readings of both. Pure, no floats.
 *
 * Bounds are honest under one assumption: between two neighbouring readings the clock ran at one
 * rate and stepped at most once. A step (settimeofday) between readings shows as a wide bound
 * there and nowhere else. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "clock/tsc.h"

/* The TSC was between ticks and ticks + width_ticks when the clock read ns. */
struct fit_pair {
	uint64_t ticks, width_ticks;
	int64_t ns;
};

/* Frequency of the TSC as measured: best estimate, and the bounds that the widths allow. */
struct fit_freq {
	uint64_t hz, lo_hz, hi_hz;
};

/* The clock read ns, give or take err_ns. */
struct fit_ns {
	int64_t ns;
	uint64_t err_ns;
};

/* -EINVAL: fewer than two pairs, not in order (ticks must rise by more than the widths), a clock
 * that did not advance from the first to the last, or a result that no TSC has (1 kHz .. 1 THz). The first and last quarter give the ends, each
 * by its narrowest pair. */
must_check int fit_freq(const struct fit_pair *p, size_t n, struct fit_freq *ret);

/* Reading of the clock at a tick: between pairs by interpolation, outside by the frequency. Pairs
 * and frequency as fit_freq() took and gave them; the same below. */
struct fit_ns fit_to_ns(const struct fit_pair *p, size_t n, const struct fit_freq *f,
			uint64_t ticks);

/* All ticks at which the clock may have read a value in [lo_ns, hi_ns]: after a backward step of
 * the clock that may span both times it did. When the clock jumped over the values, the jump. */
struct tsc_range fit_to_ticks(const struct fit_pair *p, size_t n, const struct fit_freq *f,
			      int64_t lo_ns, int64_t hi_ns);

/* The same for many questions, whose cost does not grow with the pairs; copies them. The frequency
 * should come from a clock that nobody sets: a step of p's own would spoil it. -EINVAL: fewer than
 * two pairs, or not in order; -ENOMEM. */
struct fit_lookup;
must_check int fit_lookup_new(const struct fit_pair *p, size_t n, const struct fit_freq *f,
			      struct fit_lookup **ret);
struct tsc_range fit_lookup_ticks(const struct fit_lookup *l, int64_t lo_ns, int64_t hi_ns);
struct fit_ns fit_lookup_ns(const struct fit_lookup *l, uint64_t ticks);
void fit_lookup_free(struct fit_lookup *l);

/* The same as fit_lookup_ns().ns, at the cost of one division as long as the ticks lie between the same two
 * pairs as before. Set l, zero the rest. */
struct fit_walk {
	const struct fit_lookup *l;
	uint64_t from,
		last; /* where the line below holds: from..last, and nothing when d_ticks is 0 */
	int64_t ns;   /* at from */
	uint64_t d_ns, d_ticks;
};
int64_t fit_walk_ns(struct fit_walk *w, uint64_t ticks);
