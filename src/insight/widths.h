/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How precisely the events of other clocks (QEMU's own traces) are placed: counts by error. A
 * consumer. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "timeline/event.h"

#define WIDTHS_BOUNDS 7

/* Errors up to these, in ns; the last class has no bound. */
extern const uint64_t widths_bounds_ns[WIDTHS_BOUNDS];

struct widths_machine { /* of one that has such a clock */
	uint16_t machine;
	uint64_t events;
	uint64_t n[WIDTHS_BOUNDS + 1];
	uint64_t least_ticks, most_ticks; /* events 0: undefined */
};

struct widths_result {
	const struct widths_machine *v;
	size_t n;
};

struct widths;
must_check int widths_new(struct widths **ret);
void widths_free(struct widths *w);
/* State is the struct widths. */
extern const struct consumer widths_consumer;
/* Valid after a run, as long as the widths. */
struct widths_result widths_result(const struct widths *w);

#define _cleanup_widths_ _cleanup_(widths_cleanup)
static inline void widths_cleanup(struct widths **w)
{
	widths_free(*w);
}
