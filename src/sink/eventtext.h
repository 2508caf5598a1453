/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of an event as its format file wants it: what trace-cmd report shows behind the name. */
#pragma once

#include "timeline/timeline.h"

struct eventtext;

must_check int eventtext_new(const struct input *in, struct eventtext **ret);
void eventtext_free(struct eventtext *t);
/* The text of a record, without a newline at its end, valid until the next call. Bytes that a
 * guest chose are in it as they are. */
const char *eventtext_get(struct eventtext *t, const struct event *ev, size_t *ret_n);
/* The same as name=value of each field. */
const char *eventtext_raw(struct eventtext *t, const struct event *ev, size_t *ret_n);
