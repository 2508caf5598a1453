/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of an event as its format file wants it: what trace-cmd report shows behind the name.
 * Programs compiled from the formats print it (fmt_prog.h); libtraceevent what they do not cover. */
#pragma once

#include "timeline/timeline.h"

struct eventtext;

/* For one thread at a time; threads that print the same input have one each. */
must_check int eventtext_new(const struct input *in, struct eventtext **ret);
void eventtext_free(struct eventtext *t);
/* The text of a record, without a newline at its end, valid until the next call. Bytes that a
 * guest chose are in it as they are. */
const char *eventtext_get(struct eventtext *t, const struct event *ev, size_t *ret_n);
/* The same to where it is to stand, at most up to limit, behind which are FMT_ROOM bytes more (fmt_put.h)
 * to write in: its end. NULL when it is not there: it does not fit, or is for eventtext_get() to make.
 * *ret_plain: nothing of it needs to be escaped. */
char *eventtext_write(struct eventtext *t, const struct event *ev, char *to, char *limit,
		      bool *ret_plain);
/* The same as name=value of each field. */
const char *eventtext_raw(struct eventtext *t, const struct event *ev, size_t *ret_n);
/* What libtraceevent prints, as eventtext_get() should. */
const char *eventtext_by_tep(struct eventtext *t, const struct event *ev, size_t *ret_n);

/* Whether libtraceevent is to be trusted with its text at all. */
bool eventtext_is_told(const struct eventtext *t, const struct event *ev);

struct eventtext_counts { /* texts that eventtext_get() gave */
	uint64_t compiled, by_tep, raw;
};
/* Adds those of t. */
void eventtext_count(const struct eventtext *t, struct eventtext_counts *sum);
