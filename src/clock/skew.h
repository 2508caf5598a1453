/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far the TSCs of CPUs are apart, from messages between them. Pure.
 *
 * CPU A reads its TSC (a0) and sends a message; B, when it has it, reads its own (b) and answers; A
 * reads again (a1). When B read, A's TSC lay in [a0, a1], so TSC(B) - TSC(A) lies in [b - a1, b - a0].
 * No estimate, and no assumption about how long a message takes: every exchange can only narrow it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Bounds of a difference in ticks, both ends included. */
struct skew {
	int64_t lo, hi;
	uint64_t n; /* exchanges; 0: nothing is known */
};

#define SKEW_UNKNOWN ((struct skew){INT64_MIN, INT64_MAX, 0})

/* Narrows s, from SKEW_UNKNOWN on, by one exchange. */
void skew_add(struct skew *s, uint64_t a0, uint64_t b, uint64_t a1);
/* Lets each stamp be wrong by so much: where a CPU does not keep stamps and messages in order. */
void skew_widen(struct skew *s, uint64_t ticks);
/* Were the exchanges compatible with one constant difference? Not when a TSC stepped or drifts. */
bool skew_is_constant(const struct skew *s);
/* Can it be 0? */
bool skew_holds_zero(const struct skew *s);

/* All pairs of n CPUs. The caller frees `upper`. */
struct skew_matrix {
	size_t n;
	int64_t *upper; /* [i * n + j] >= TSC(j) - TSC(i); INT64_MAX unknown */
};

must_check int skew_matrix_new(size_t n, struct skew_matrix *ret);
void skew_matrix_free(struct skew_matrix *m);
/* Adds what was measured of TSC(j) - TSC(i); one that is not constant becomes contradictory. */
void skew_matrix_add(struct skew_matrix *m, size_t i, size_t j, const struct skew *s);
/* Makes all bounds as narrow as they imply each other (TSC(k) - TSC(i) is the sum of the steps
 * between), which also fills in pairs that were not measured. False when they contradict each other:
 * no constant differences explain them. O(n^3). */
bool skew_matrix_close(struct skew_matrix *m);
/* The same by way of CPU k only: enough where all were measured against it. O(n^2). */
bool skew_matrix_close_by(struct skew_matrix *m, size_t k);
/* n is 1 where both bounds are known. */
struct skew skew_matrix_get(const struct skew_matrix *m, size_t i, size_t j);

/* The outcome in a few numbers. */
struct skew_summary {
	size_t pairs, known; /* i < j */
	uint64_t differs;    /* largest difference that is proved, 0: all can be equal */
	size_t differs_i, differs_j;
	uint64_t at_most; /* no two CPUs whose bounds are known are further apart than that */
};
void skew_matrix_sum(const struct skew_matrix *m, struct skew_summary *ret);
