/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What onetsc stat found, and how it is printed. */
#pragma once

#include "insight/exitstat.h"
#include "timeline/timeline.h"

struct stat_found {
	const struct input *in;
	const struct timeline_totals *host; /* for what was lost */
	const struct exits_result *exits;
	const char *vm;	     /* glob; NULL all */
	unsigned keys;	     /* enum exitstat_key */
	uint64_t rows_shown; /* of each VM; 0 all */
	struct exitstat_row *const *rows;
	size_t n_rows;
};

/* Whether that vCPU is among those asked for, and can be told of. */
bool stat_shows(const struct stat_found *f, const struct exits_vcpu *v);
/* Ticks of all its states. */
uint64_t stat_total(const uint64_t *state_ticks);
void stat_print_text(const struct stat_found *f);
must_check int stat_print_json(const struct stat_found *f);
