/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracks of a Perfetto trace: slices, moments and counters that we worked out. On one track what is added
 * must come in order of time. All of it belongs to the host's machine. */
#pragma once

#include "sink/perfetto.h"

struct perfetto_track;

struct perfetto_track_spec {
	const char *name;
	const struct perfetto_track *parent; /* NULL: at the top */
	unsigned rank;			     /* order among its siblings */
	bool counter;
	const char *unit; /* of a counter; NULL: none */
};

struct perfetto_arg {
	const char *name;
	enum { ARG_U64, ARG_S64, ARG_HEX, ARG_TEXT } type;
	uint64_t v;
	const char *text; /* ARG_TEXT; any bytes */
};

/* What to show with a slice or a moment. Zero-initialise. */
struct perfetto_extra {
	const struct perfetto_arg *args;
	size_t n_args;
	uint64_t flow_from; /* not 0: an arrow of this number begins here */
	uint64_t flow_to;   /* not 0: it ends here */
};

/* Only once the pass has begun. The sink owns the track. -ENOMEM after a message, or what stuck in out. */
must_check int perfetto_track_new(struct sink_perfetto *s, const struct perfetto_track_spec *spec,
				  struct perfetto_track **ret);
/* All return 0 or as above. extra may be NULL. */
must_check int perfetto_track_begin(struct perfetto_track *t, uint64_t ticks, const char *name,
				    const struct perfetto_extra *extra);
must_check int perfetto_track_end(struct perfetto_track *t, uint64_t ticks);
must_check int perfetto_track_slice(struct perfetto_track *t, uint64_t from_ticks,
				    uint64_t to_ticks, const char *name,
				    const struct perfetto_extra *extra);
must_check int perfetto_track_moment(struct perfetto_track *t, uint64_t ticks, const char *name,
				     const struct perfetto_extra *extra);
/* At ns of the trace's own time. */
must_check int perfetto_track_count_ns(struct perfetto_track *t, uint64_t ns, uint64_t v);
