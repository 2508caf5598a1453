/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The [SESSION | FILE…] arguments that all reading commands share. */
#pragma once

#include "base/array.h"
#include "base/options.h"
#include "timeline/input.h"

struct input_paths {
	struct ARRAY(const char *) args; /* of argv */
	char *newest;			 /* the session found when there are none */
};

/* opt_parse() that takes options behind and between the paths too. 0, OPT_HELP or -EINVAL. */
must_check int input_paths_parse(const struct opt_spec *spec, void *config, int argc, char **argv,
				 struct input_paths *ret);
/* Opens them, or the newest *.onetsc of the current directory. */
must_check int input_paths_open(struct input_paths *p, struct input **ret);
void input_paths_free(struct input_paths *p);
