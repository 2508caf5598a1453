/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Consumers of the timeline that write it down. */
#pragma once

#include "sink/clock.h"
#include "sink/out.h"
#include "timeline/timeline.h"

struct sink_text_config {
	struct out *out;
	enum clock_mode clock;
	bool raw;    /* fields as name=value instead of the event's own text */
	bool colour; /* for a terminal */
};
struct sink_text;

/* One line an event. state of sink_text_consumer; in outlives it. */
must_check int sink_text_new(const struct input *in, const struct sink_text_config *c,
			     struct sink_text **ret);
void sink_text_free(struct sink_text *s);
extern const struct consumer sink_text_consumer;

struct sink_json;

/* One JSON object a line: {"ticks","width","raw_ticks","ns","machine","cpu","vcpu","pid","comm",
 * "event","fields"}. 64-bit numbers are strings, as in session.json. */
must_check int sink_json_new(const struct input *in, struct out *out, struct sink_json **ret);
void sink_json_free(struct sink_json *s);
/* Objects with commas between them, for one document: its begin before the pass, its end behind it. */
void sink_json_set_document(struct sink_json *s);
void sink_json_document_begin(const struct timeline *t, struct out *out);
void sink_json_document_end(struct out *out);
extern const struct consumer sink_json_consumer;
/* The object of an event's fields alone. */
void sink_json_fields(struct out *out, const struct event *ev);
