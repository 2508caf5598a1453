/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The [SESSION | FILE…] arguments that all reading commands share. */
#pragma once

#include "base/array.h"
#include "base/options.h"
#include "timeline/input.h"

/* What all of them take besides: rows of their option tables, at is where the config has it. */
struct input_given {
	struct opt_strv texts, offsets;
	uint64_t jobs;
};
#define INPUT_OPT(at, member, name, arg, help)                                            \
	{                                                                                 \
		0, name, OPT_STRV, (at) + offsetof(struct input_given, member), arg, help \
	}
#define INPUT_OPT_TEXT(at)                                                                        \
	INPUT_OPT(at, texts, "text", "SPEC",                                                      \
		  "also a text log with TSC stamps: FILE[,machine=guest:NAME]…, or QEMU's own " \
		  "trace: FILE,kind=qemu; repeatable")
#define INPUT_OPT_OFFSET(at) \
	INPUT_OPT(at, offsets, "offset", "VM=TICKS", "TSC offset of a guest, by hand; repeatable")

#define INPUT_OPT_JOBS(at)                                                                       \
	{                                                                                        \
		0, "jobs", OPT_U64, (at) + offsetof(struct input_given, jobs), "N",              \
			"use N threads (one per CPU, up to 8); the result does not depend on it" \
	}

struct input_paths {
	struct ARRAY(const char *) args; /* of argv */
	char *newest;			 /* the session found when there are none */
};

/* opt_parse() that takes options behind and between the paths too. 0, OPT_HELP or -EINVAL. */
must_check int input_paths_parse(const struct opt_spec *spec, void *config, int argc, char **argv,
				 struct input_paths *ret);
/* Opens them with what else is given, or the newest *.onetsc of the current directory when neither
 * paths nor texts are. -EINVAL: given is wrong. */
must_check int input_paths_open(struct input_paths *p, const struct input_given *given,
				struct input **ret);
void input_paths_free(struct input_paths *p);
