/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readers of recorded traces, one per file format, behind one set of functions. A source is one
 * machine's file: facts about it, its event kinds, and lanes: streams (CPU x buffer) of records in
 * the order of the ring buffer. Stamps are the machine's own. Knows nothing of other machines. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "source/kind.h"

struct source;
struct source_cursor;

#define SOURCE_NO_CPU 0xffffu /* of a lane whose records do not tell their CPU */

struct source_lane {
	const char *buffer; /* "" is the top instance */
	unsigned cpu;
	uint64_t bytes; /* of ring-buffer pages, as far as they are in the file */
};

struct source_guest { /* GUEST option: who the guests of this host are */
	const char *name;
	uint64_t trace_id;
	const struct source_guest_cpu {
		uint32_t cpu, tid;
	} * cpus;
	size_t n_cpus;
};

struct source_shift { /* TIME_SHIFT option of one CPU: this machine's ticks + offset = host ticks */
	const struct source_shift_sample {
		uint64_t ticks;
		int64_t offset;
		uint64_t scaling, fraction;
	} * samples;
	size_t n;
};

/* What the file says about its machine and itself. Everything is owned by the source. */
struct source_facts {
	const char *path;
	const char *uname, *clock;	  /* "" unknown; "x86-tsc" also when stored as tsc2nsec */
	uint64_t trace_id, host_trace_id; /* 0 unknown */
	uint32_t mult, shift;		  /* TSC2NSEC; mult 0: not in the file */
	uint32_t quantum_ns; /* not 0: stamps are ns of clock, rounded down to multiples of it */
	const struct source_lane *lanes;
	size_t n_lanes;
	const struct source_kind *const *kinds; /* by index */
	size_t n_kinds;
	const struct source_guest *guests;
	size_t n_guests;
	const struct source_shift *shifts;
	size_t n_shifts;       /* CPUs */
	bool shifts_estimated; /* by messages to and fro (PTP), not read from KVM */
	bool truncated; /* the file ends before its time: what is there is given, once said */
	uint64_t bytes_missing; /* of its events, as far as it is known */
	bool unfinished;	/* read from the parts of a recording that did not end */
};

/* Opens a file of any known format; *.head: the parts of an unfinished recording. One message naming
 * file and byte offset on failure; a truncated file opens with a warning. */
must_check int source_open(const char *path, struct source **ret);
void source_free(struct source *s);
const struct source_facts *source_facts(const struct source *s);
/* NULL when the file has no event system:name. */
const struct source_kind *source_kind_find(const struct source *s, const char *system,
					   const char *name);
/* Task name, or NULL; hostile bytes are not filtered. */
const char *source_comm(const struct source *s, int pid);
/* An event named a thread (at most n bytes); counts when the file itself does not name it. */
void source_comm_learn(struct source *s, int pid, const char *name, size_t n);

enum {
	ITEM_CLAMPED = 1, /* the ring buffer stopped a clock that went back: from here to the end of
			     the page stamps are too high by one constant */
	ITEM_CLAMP_FIRST = 4, /* with it: by another constant from here on */
	ITEM_LOST = 2,	      /* no record: events are missing before the next item */
	ITEM_INTERRUPTED =
		8, /* its stamp was not kept: raw_ticks is that of the record behind it */
};

struct source_item {
	uint64_t raw_ticks; /* ITEM_LOST: stamp of the last event before the gap; 0 at the start */
	union {
		const void *data;
		uint64_t lost; /* ITEM_LOST: how many; UINT64_MAX: not told */
	};
	union {
		const struct source_kind *kind;
		uint64_t end_raw_ticks; /* ITEM_LOST: of the event after; UINT64_MAX: none */
	};
	uint32_t size;
	uint32_t flags;
};

/* Starts a lane. wanted[kind->index] false skips a kind; NULL wants all. wanted stays the caller's. */
must_check int source_cursor_new(struct source *s, size_t lane, const bool *wanted,
				 struct source_cursor **ret);
void source_cursor_free(struct source_cursor *c);
/* At most max; 0 at the end, -errno after a message. data: until the next call, or source/hold.h. */
must_check int source_cursor_read(struct source_cursor *c, struct source_item *items, unsigned max);

#define _cleanup_source_	_cleanup_(source_cleanup)
#define _cleanup_source_cursor_ _cleanup_(source_cursor_cleanup)
static inline void source_cleanup(struct source **s)
{
	source_free(*s);
}
static inline void source_cursor_cleanup(struct source_cursor **c)
{
	source_cursor_free(*c);
}
