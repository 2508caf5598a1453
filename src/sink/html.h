/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timeline as one self-contained page for a browser; docs/html-format.md says how its data is
 * laid out. Memory is bounded by a block of events, whatever their number. */
#pragma once

#include "sink/out.h"
#include "timeline/timeline.h"

#define HTML_EVENTS_MAX 5000000u

struct sink_html;

struct sink_html_config {
	struct out *out;
	uint64_t max_events; /* 0: HTML_EVENTS_MAX. More: -EFBIG after a message */
};

/* -EOPNOTSUPP after a message when the page was not built in. in outlives it. */
must_check int sink_html_new(const struct input *in, const struct sink_html_config *c,
			     struct sink_html **ret);
void sink_html_free(struct sink_html *s);
/* State is the struct sink_html. */
extern const struct consumer sink_html_consumer;
