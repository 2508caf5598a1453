/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text reader's own structures; used by source/textlog*.c only. */
#pragma once

#include "base/array.h"
#include "base/mapped.h"
#include "base/text.h"
#include "source/ops.h"
#include "source/textline.h"
#include "source/textlog.h"
#include "source/textregex.h"

#define TEXTLOG_LINES_MAX  (1u << 25) /* 512 MiB of index */
#define TEXTLOG_LINE_BYTES 65536u     /* longer lines are cut there */
#define TEXTLOG_KINDS_MAX  1000u
#define TEXTLOG_TASKS_MAX  65536u
#define TEXTLOG_EXAMPLES   3u
#define TEXTLOG_COMM_BYTES 16u
#define TEXTLOG_KIND_LOST  0xffffu /* of an entry that marks lost events */
#define TEXTLOG_MESSAGE_AT 24u	   /* in a record */

enum textlog_shape { TEXTLOG_STAMPED, TEXTLOG_FTRACE, TEXTLOG_REGEX, TEXTLOG_QEMU };

struct textlog_entry { /* one line */
	uint64_t stamp;
	uint64_t at; /* offset in the file << 16 | index of the kind */
};

struct textlog_lane {
	struct ARRAY(struct textlog_entry) entries;
	int cpu; /* -1: the lines do not say */
	uint64_t last_stamp, bytes;
};

/* Byte strings, each with a number of its own, counted from 0. */
struct textlog_names {
	struct ARRAY(struct textlog_name {
		char *key;
		size_t n;
		char comm[TEXTLOG_COMM_BYTES];
	}) list;
	uint32_t *slots; /* index + 1 */
	size_t n_slots;
};

struct textlog {
	struct source s;
	struct textlog_spec spec;
	struct mapped *mapped;
	const char *p; /* the mapped file */
	size_t n;
	bool is_copy; /* of a pipe: nobody else can cut it */
	bool told_cut;
	bool is_simple; /* what is mapped is the text made of a simple trace */
	enum textlog_shape shape;
	struct ARRAY(struct textlog_lane) lanes;
	uint16_t *lane_of_cpu; /* [cpu + 1]: index + 1 */
	struct ARRAY(struct source_lane) fact_lanes;
	struct ARRAY(const struct source_kind *) kinds;
	struct textlog_names kind_names, pids, tasks; /* tasks: those without a pid */
	struct tep_handle *tep;
	/* of the pass over the file */
	uint64_t n_lines, n_events, n_bad, n_long, n_unordered, max_back_ticks;
	struct strbuf examples;
};

/* Of one pass or cursor: what the regex needs. */
struct textlog_matcher {
	struct textregex_state *regex;
};

/* textlog_map.c: p and n from the spec's file. One message on failure. */
must_check int textlog_map(struct textlog *t);

/* textlog_line.c: a line of the file as an event, in the file's shape. *n is without its CR. */
enum textline_status textlog_line(const struct textlog *t, const struct textlog_matcher *m,
				  const char *s, size_t *n, struct textline *ret);
must_check int textlog_matcher_init(const struct textlog *t, struct textlog_matcher *ret);
void textlog_matcher_free(struct textlog_matcher *m);
/* -EIO after a message when the file became shorter than it was when it was mapped. */
must_check int textlog_check(struct textlog *t);
void textlog_find_shape(struct textlog *t);
/* The end of the line at p: its newline, or the end of the file. */
const char *textlog_line_end(const struct textlog *t, const char *p);

/* textlog_index.c */
must_check int textlog_index(struct textlog *t);
/* textlog_names.c. -ENOSPC when it would be the max+1st, -ENOMEM. */
must_check int textlog_names_add(struct textlog_names *l, const void *key, size_t n, size_t max,
				 size_t *ret_index);
/* SIZE_MAX when it is not there. */
size_t textlog_names_find(const struct textlog_names *l, const void *key, size_t n);
void textlog_names_free(struct textlog_names *l);
/* textlog_kind.c: kinds of the names seen, with formats that libtraceevent knows too */
must_check int textlog_kinds_build(struct textlog *t);
struct source_format textlog_format(const struct source *s, const struct source_kind *k);
void textlog_kinds_free(struct textlog *t);
/* The pid of a line, or a number below -1 that stands for its task's name, or -1. */
int textlog_pid(const struct textlog *t, const struct textline *l);
/* textlog_cursor.c */
int textlog_cursor_new(struct source *s, size_t lane, const bool *wanted,
		       struct source_cursor **ret);
void textlog_cursor_free(struct source_cursor *c);
int textlog_cursor_read(struct source_cursor *c, struct source_item *items, unsigned max);
