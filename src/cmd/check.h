/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What onetsc check found, and how it is printed. */
#pragma once

#include <stdbool.h>

#include "insight/handlers.h"
#include "insight/laws.h"
#include "insight/proof.h"
#include "insight/solve.h"
#include "insight/widths.h"
#include "timeline/timeline.h"

struct check_found {
	const struct timeline_totals *totals; /* by machine */
	const struct input *in;
	const struct solve *solved; /* without vCPUs when --solve was not asked for */
	const struct proof_result *proof;
	const struct laws_result *laws;
	const struct handlers_result *handlers;
	struct widths_result widths;
	bool epochs;	/* a line for each */
	uint64_t worst; /* violations to list */
};

enum check_verdict { CHECK_PROVED, CHECK_VIOLATED, CHECK_NOT_JUDGED };

enum check_verdict check_verdict(const struct check_found *f);
uint64_t check_unjudged(const uint64_t *unjudged);

void check_print_text(const struct check_found *f);
must_check int check_print_json(const struct check_found *f);
