/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A moment of a session that is worth a look. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"

#define DEMO_LINES 44 /* of a screen */

struct demo_excerpt {
	uint64_t from_ticks, to_ticks; /* host ticks, both included */
	unsigned events; /* that demo_excerpt_globs lets through; may exceed a screen */
};

/* What tells the story of a disk request, for report's --event; ends with NULL. */
extern const char *const demo_excerpt_globs[];

/* One disk request of a guest from its issue to its completion: of those that fit a screen the one
 * with most different events between the two, else the shortest. -ENODATA when there is none; else
 * -errno after a message. */
must_check int demo_excerpt_find(const char *session, struct demo_excerpt *ret);
