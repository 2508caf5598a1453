/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.dat v6 writer (layout: trace-cmd's Documentation/trace-cmd/trace-cmd.dat.v6.5.txt and what
 * stock trace-cmd 3.1.6 writes).
 *
 * While a recording runs, BASE.head is a valid trace.dat v6 without events and BASE.cpuN holds the
 * raw ring-buffer pages of that CPU, so that a kill at any moment leaves files that can be read;
 * datwriter_finish() joins them into BASE. Every failure is logged once, here. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

#define DATWRITER_CPUS_MAX 4096 /* CPUs of one file */

/* A text as read from tracefs or /proc, owned by the caller. */
struct dat_text {
	const char *system; /* event formats only: SYSTEM of events/SYSTEM/NAME/format */
	const char *s;
	size_t n;
};

struct dat_vcpu {
	uint32_t cpu, tid; /* guest CPU number, host thread */
};
struct dat_guest {
	const char *name;
	uint64_t trace_id;
	const struct dat_vcpu *vcpus;
	size_t n;
};

/* What a machine says about itself, all owned by the caller. */
struct dat_meta {
	struct dat_text header_page, header_event;
	const struct dat_text *ftrace; /* events/ftrace/NAME/format */
	size_t n_ftrace;
	const struct dat_text *events; /* formats, those of one system in a row */
	size_t n_events;
	struct dat_text kallsyms, printk, cmdlines; /* may be empty */
	unsigned cpus;				    /* 1 to DATWRITER_CPUS_MAX */
	uint32_t page_bytes;   /* size of a ring-buffer page: a power of two, 4096 or more */
	struct dat_text clock; /* text of trace_clock: "local [x86-tsc] ..." */
	struct dat_text uname; /* "Linux host 6.1.0 x86_64" */
	const struct dat_text *cpustat; /* per_cpu/cpuN/stats, one per CPU; NULL: not known yet */
	uint64_t trace_id;		/* random, not 0 */
	uint32_t mult, shift; /* TSC2NSEC: ns = (ticks * mult) >> shift; mult 0: none. mult
					 * below 2^31 (trace-cmd reads an int), shift up to 32 */
	const struct dat_guest *guests; /* host file only */
	size_t n_guests;
	uint64_t host_trace_id;	   /* guest file only: the file TIME_SHIFT refers to; 0: none */
	const int64_t *cpu_offset; /* with it, per guest CPU: host ticks = guest ticks + offset */
	uint64_t shift_at[2];	   /* guest ticks of the begin and end of the recording */
};

struct datwriter;

/* Creates BASE.head and BASE.cpu0 .. in dirfd, mode 0600; -EEXIST when one is there. Nothing stays
 * on failure. */
must_check int datwriter_create(int dirfd, const char *base, const struct dat_meta *meta,
				struct datwriter **ret);
/* File to append whole raw pages of that CPU to (splice(2), write(2)). Owned by the writer. */
int datwriter_cpu_fd(const struct datwriter *w, unsigned cpu);
/* Bytes in that file so far. */
uint64_t datwriter_cpu_bytes(const struct datwriter *w, unsigned cpu);
/* Replaces BASE.head (atomically) after meta has grown: cmdlines, guests, TSC2NSEC. cpus and
 * page_bytes must not change. */
must_check int datwriter_update(struct datwriter *w, const struct dat_meta *meta);
/* Writes BASE with the final meta, makes it durable, then removes the parts. A page that was cut
 * short at the end of a part (disk full) is left out. On failure there is no BASE and the parts
 * stay; may be called again. */
must_check int datwriter_finish(struct datwriter *w, const struct dat_meta *meta);
/* Closes; removes nothing. NULL is fine. */
void datwriter_free(struct datwriter *w);
#define _cleanup_datwriter_ _cleanup_(datwriter_cleanup)
static inline void datwriter_cleanup(struct datwriter **w)
{
	datwriter_free(*w);
}
