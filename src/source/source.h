/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readers of recorded traces, one per file format, all behind one set of functions. A source is one
 * machine's file: facts about it, its event kinds, and lanes: streams (CPU x buffer) of records in
 * the order of the ring buffer. Stamps are raw: the machine's own clock. Knows nothing of other
 * machines. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"

struct source;
struct source_cursor;
struct tep_event;
struct tep_handle;

enum source_field_type {
	FIELD_UINT, /* offset, size 1, 2, 4 or 8 */
	FIELD_INT,
	FIELD_STRING,	  /* char[size], perhaps without a NUL */
	FIELD_DYN_STRING, /* u32 at offset: length << 16 | offset from the record's start */
	FIELD_REL_STRING, /* the same, offset from the end of the u32 */
	FIELD_BYTES,	  /* size bytes of anything else */
	FIELD_DYN_BYTES,
	FIELD_REL_BYTES,
};

struct source_field {
	const char *name;
	uint16_t offset, size;
	uint8_t type; /* enum source_field_type */
	bool is_common;
	bool is_pointer; /* shown in hex */
};

/* One kind of event. Records of a kind hold at least min_bytes bytes, so that its fields (but the
 * far ends of dynamic ones) may be read unchecked. */
struct source_kind {
	const char *system, *name;
	uint32_t id;	/* common_type in the records; UINT32_MAX for the kind of broken records */
	uint32_t index; /* dense: 0 .. source_facts().n_kinds - 1 */
	uint32_t min_bytes;
	int32_t pid_at;			   /* offset of common_pid (4 bytes), -1: none */
	const struct source_field *fields; /* the common ones first */
	size_t n_fields;
	struct tep_event *format; /* NULL for unknown ids and broken records */
};

/* NULL when the kind has no such field of a fixed place. */
const struct source_field *source_field_find(const struct source_kind *k, const char *name);

/* Value of a FIELD_UINT or FIELD_INT (sign-extended) of a record. */
static inline uint64_t source_field_u64(const struct source_field *f, const void *record)
{
	const char *p = (const char *)record + f->offset;
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} v;

	switch (f->size) {
	case 1:
		memcpy(&v.u8, p, 1);
		return f->type == FIELD_INT ? (uint64_t)(int8_t)v.u8 : v.u8;
	case 2:
		memcpy(&v.u16, p, 2);
		return f->type == FIELD_INT ? (uint64_t)(int16_t)v.u16 : v.u16;
	case 4:
		memcpy(&v.u32, p, 4);
		return f->type == FIELD_INT ? (uint64_t)(int32_t)v.u32 : v.u32;
	default:
		memcpy(&v.u64, p, 8);
		return v.u64;
	}
}

/* Thread that a record belongs to; -1 unknown. */
static inline int source_record_pid(const struct source_kind *k, const void *record)
{
	int pid = -1;

	if (k->pid_at >= 0)
		memcpy(&pid, (const char *)record + k->pid_at, sizeof(pid));
	return pid;
}

/* Bytes of a string or bytes field of any type inside a record of n bytes; for strings up to the
 * first NUL. Returns NULL (and 0 bytes) when it points outside. */
const void *source_field_bytes(const struct source_field *f, const void *record, size_t n,
			       size_t *ret_n);

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
	const char *uname, *clock; /* "" unknown; clock is "x86-tsc" also when stored as tsc2nsec */
	uint64_t trace_id, host_trace_id; /* 0 unknown */
	uint32_t mult, shift;		  /* TSC2NSEC; mult 0: not in the file */
	const struct source_lane *lanes;
	size_t n_lanes;
	const struct source_kind *const *kinds; /* by index */
	size_t n_kinds;
	const struct source_guest *guests;
	size_t n_guests;
	const struct source_shift *shifts; /* per CPU */
	size_t n_shifts;
	bool shifts_estimated; /* by messages to and fro (PTP), not read from KVM */
	bool truncated;	 /* the file ends before its time: what is there is given, once said */
	bool unfinished; /* read from the parts of a recording that did not end */
};

/* Opens a file of any known format; *.head opens the parts of an unfinished recording. One message
 * naming file and byte offset on failure; a truncated file opens with a warning. */
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
/* For texts only; not thread-safe. */
struct tep_handle *source_tep(const struct source *s);

enum {
	ITEM_CLAMPED = 1, /* the ring buffer stopped a clock that went back: from here to the end of
			     the page stamps are too high by one constant */
	ITEM_LOST = 2,	  /* no record: events are missing before the next item */
};

struct source_item {
	uint64_t raw_ticks; /* ITEM_LOST: stamp of the last event before the gap; 0 at the start */
	union {
		const void *data;
		uint64_t lost; /* ITEM_LOST: how many; UINT64_MAX: not told */
	};
	union {
		const struct source_kind *kind;
		uint64_t end_raw_ticks; /* ITEM_LOST: stamp of the first event after the gap */
	};
	uint32_t size;
	uint32_t flags;
};

/* Starts a lane. wanted[kind->index] false skips a kind; NULL wants all. wanted stays the caller's. */
must_check int source_cursor_new(struct source *s, size_t lane, const bool *wanted,
				 struct source_cursor **ret);
void source_cursor_free(struct source_cursor *c);
/* Next items, at most max; 0 at the end, or -errno after a message. The bytes at data stay valid
 * until the next but one call on this cursor. */
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
