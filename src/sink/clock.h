/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host ticks as people want to see them. */
#pragma once

#include "sink/out.h"
#include "timeline/timeline.h"

enum clock_mode {
	CLOCK_START, /* seconds since the first event */
	CLOCK_TICKS, /* host TSC */
	CLOCK_NS,    /* nanoseconds of the host's TSC */
	CLOCK_REAL,  /* seconds of the host's CLOCK_REALTIME */
	CLOCK_BOOT,  /* seconds of the host's CLOCK_BOOTTIME */
};

struct clock_view;

/* Readings of the host's CLOCK_BOOTTIME, or CLOCK_REALTIME, by its ticks. Silent: -ENODATA when the input
 * holds none, -EINVAL when they do not fit a clock. */
struct fit_lookup;
must_check int clock_fit_new(const struct input *in, bool realtime, struct fit_lookup **ret);

/* "start", "ticks", "ns", "realtime", "boottime"; -EINVAL after a message. */
must_check int clock_mode_parse(const char *text, enum clock_mode *ret);
/* -ENODATA after a message when what the mode needs is not recorded. Without a known frequency
 * CLOCK_START shows ticks, and says so. */
must_check int clock_view_new(const struct timeline *t, enum clock_mode mode,
			      struct clock_view **ret);
void clock_view_free(struct clock_view *v);
#define CLOCK_VIEW_BYTES 32
/* What the time before was up to its point: of a thread, of one view. Zero-initialise. */
struct clock_memo {
	uint64_t ns; /* of whole seconds */
	uint8_t n;   /* bytes of text; 0: nothing yet */
	char text[CLOCK_VIEW_BYTES];
};
/* Right-aligned to clock_view_width() columns; CLOCK_VIEW_BYTES are written. Returns its end. */
char *clock_view_write(const struct clock_view *v, struct clock_memo *memo, char *to,
		       uint64_t ticks);
unsigned clock_view_width(const struct clock_view *v);
/* Duration in seconds with nanoseconds (in ticks when there is no frequency), with its unit. */
void clock_view_put_span(const struct clock_view *v, struct out *o, uint64_t ticks);
