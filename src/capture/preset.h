/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Named selections of events, for the host and for a guest. */
#pragma once

#include <stdio.h>

#include "capture/events.h"

struct preset {
	const char *name, *help;
	const char *const *host, *const *guest; /* patterns of events_want(), end with NULL */
};

/* Ends with a NULL name. The first one is the default. */
extern const struct preset presets[];

/* By exact name, NULL = the default. Returns NULL when there is none. */
const struct preset *preset_find(const char *name);
/* Marks the events of a list of patterns; what this kernel does not have is passed over. Returns the
 * number marked or -ENOMEM. */
int preset_want(struct events *e, const char *const *patterns);
void preset_print_all(FILE *out);
