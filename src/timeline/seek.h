/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Index of a recording: where in the files of a session which time is, and the names of tasks that its
 * events tell. Made by reading the file once, when a time is first asked for, and kept beside it as
 * FILE.index, which may be deleted at any time. Used inside timeline/ only. */
#pragma once

#include "source/seek.h"
#include "timeline/crew.h"
#include "timeline/tasks.h"

#define SEEK_LEAST_BYTES (64u << 10) /* smaller files are read from the beginning */

struct seek_name { /* the first event of its lane that names the thread */
	uint64_t raw_ticks;
	int32_t pid;
	char name[28];
};

struct seek_lane {
	struct seek_places places;
	struct ARRAY(struct seek_name) names;
};

struct seek {
	size_t n;
	struct seek_lane *lanes; /* as the source's */
};

/* Reads the index or makes it, and keeps it when the directory can be written to. 0 with *ret NULL:
 * there is none. -errno after a message, but for -ENOMEM. */
must_check int seek_open(struct source *s, const struct tasks *tasks, struct crew *crew,
			 struct seek **ret);
void seek_free(struct seek *k);

/* --- seek_file.c --- */

/* Silent. -ENOENT: none, or one of another file or version. */
must_check int seek_load(const char *path, size_t n_lanes, struct seek **ret);
must_check int seek_save(const char *path, const struct seek *k);
