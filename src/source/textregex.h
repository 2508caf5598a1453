/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The user's own description of a text log's lines: a Perl regex with named groups. Silent. */
#pragma once

#include "base/cleanup.h"
#include "source/textline.h"

struct textregex;	/* compiled; may be shared by threads */
struct textregex_state; /* of one thread */

#define TEXTREGEX_GROUPS "stamp, cpu, task, pid, event, message"

/* Compiles a regex that names its groups (?<stamp>…), and perhaps cpu, task, pid, event, message.
 * -EINVAL with why in words, and *ret_at the place in the regex when that is known, else -1. */
must_check int textregex_new(const char *pattern, struct textregex **ret, char *why, size_t why_n,
			     int *ret_at);
void textregex_free(struct textregex *x);

/* NULL without memory. */
struct textregex_state *textregex_state_new(const struct textregex *x);
void textregex_state_free(struct textregex_state *st);

/* Without a group named message the message is the whole line. Time per line is bounded. */
enum textline_status textregex_match(const struct textregex *x, struct textregex_state *st,
				     const char *s, size_t n, unsigned base, struct textline *ret);
