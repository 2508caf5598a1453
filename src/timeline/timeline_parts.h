/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a timeline is made of; used inside timeline/ only. */
#pragma once

#include "timeline/lane.h"

struct timeline {
	const struct input *in;
	struct filter filter;
	struct tasks *tasks; /* by machine */
	struct lane **lanes; /* by machine, CPU, buffer */
	struct timeline_lane *pub;
	size_t n_lanes;
	uint64_t first_ticks;
	struct timeline_totals *totals; /* per machine */
};
