/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What onetsc export knows of a format. A new one: its sink, a function here that makes one pass with
 * it, and a line in export.c's table. */
#pragma once

#include <signal.h>

#include "sink/out.h"
#include "timeline/timeline.h"

enum export_shape {
	EXPORT_STREAM, /* bytes in order: a file, a pipe or stdout */
	EXPORT_FILE,   /* a file that the sink opens itself */
	EXPORT_DIR,    /* several files in a directory */
};

struct export_job {
	const struct input *in;
	struct timeline *t;		      /* of the window that was asked for */
	const struct timeline_filter *filter; /* that window */
	const volatile sig_atomic_t *stop;    /* not 0: -EINTR is asked for */
	const char *vm;			      /* only these guests (glob); NULL: all */
	struct out *out; /* EXPORT_STREAM: where to. The caller flushes, and says what went wrong */
	const char *path; /* EXPORT_FILE: the sink creates it. EXPORT_DIR: it is there and empty.
			     * It gets its final name when run succeeds, and is removed when not */
};

struct export_kind {
	const char *name, *suffix; /* of --to, of the default name: ".pftrace" */
	const char *title;	   /* for --help */
	enum export_shape shape;
	/* 0 or -errno after a message, but errors of out stay silent. */
	int (*run)(const struct export_job *job);
};

/* timeline_run() with progress on a terminal; Ctrl-C ends it with -EINTR. */
must_check int export_pass(const struct export_job *job, const struct timeline_use *uses, size_t n);

/* Runs the kind's function with the output called name ("-": stdout), in place when whole. */
must_check int export_write(const struct export_kind *k, struct export_job *job, const char *name);
/* The input's name without directory and ending, with that suffix. NULL without memory. */
char *export_name(const struct input *in, const char *suffix);
/* Ctrl-C and their like end a pass; a closed pipe is an error of its write. */
void export_catch_signals(void);

int export_html(const struct export_job *job);
int export_json(const struct export_job *job);
int export_perfetto(const struct export_job *job);
int export_sqlite(const struct export_job *job);
int export_tracedat(const struct export_job *job);
