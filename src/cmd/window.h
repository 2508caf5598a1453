/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --from, --to and --vm: which part of an input a reading command is about. */
#pragma once

#include "base/options.h"
#include "timeline/timeline.h"

struct window {
	const char *from, *to, *vm;
};
#define WINDOW_OPT(at, member, name, arg, help)                                     \
	{                                                                           \
		0, name, OPT_STR, (at) + offsetof(struct window, member), arg, help \
	}
/* Rows of an option table; at is where the config has the struct window. */
#define WINDOW_OPTS(at)                                                                          \
	WINDOW_OPT(at, from, "from", "TIME",                                                     \
		   "from here: \"1.5s\", \"20ms\" after the first event, or ticks as \"123t\""), \
		WINDOW_OPT(at, to, "to", "TIME", "up to here"),                                  \
		WINDOW_OPT(at, vm, "vm", "GLOB", "leave out all guests but these; the host stays")

/* Sets from_ticks, to_ticks and vm of f. -EINVAL after a message: a time is wrong or no guest has such a name;
 * -ENODATA after a message: the input does not tell the frequency of its clock. */
must_check int window_filter(const struct window *w, const struct input *in,
			     struct timeline_filter *f);
