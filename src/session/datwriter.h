/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace.dat v6 writer (layout: trace-cmd's Documentation/trace-cmd/trace-cmd.dat.v6.5.txt).
 *
 * While a recording runs, NAME.dat.head holds everything but the CPU data and NAME.dat.cpuN the raw
 * ring-buffer pages, so that a kill at any moment leaves files that can be read; datwriter_finish()
 * joins them into NAME.dat. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* A machine's static facts, all owned by the caller; texts as read from tracefs and /proc. */
struct dat_text {
	const char *system, *name; /* event formats only */
	const char *s;
	size_t n;
};

struct dat_meta {
	struct dat_text header_page, header_event;
	const struct dat_text *ftrace; /* events/ftrace/NAME/format */
	size_t n_ftrace;
	const struct dat_text *events; /* events/SYSTEM/NAME/format, grouped by system */
	size_t n_events;
	struct dat_text kallsyms, printk, cmdlines;
	unsigned cpus;
	uint32_t page_bytes;   /* ring-buffer page (subbuffer) size */
	struct dat_text clock; /* text of trace_clock, "... [x86-tsc]" */
	struct dat_text uname; /* "Linux host 6.1.0 x86_64" */
	uint64_t trace_id;
	uint32_t mult, shift;		/* TSC2NSEC; mult 0: leave the option out */
	const struct dat_guest *guests; /* host file only */
	size_t n_guests;
	uint64_t host_trace_id;	   /* guest file only: TIME_SHIFT refers to it; 0: no TIME_SHIFT */
	const int64_t *cpu_offset; /* guest file only, per guest CPU: host = guest + cpu_offset */
	uint64_t shift_at[2];	   /* ticks of the first and last sample of TIME_SHIFT */
};

struct dat_guest {
	const char *name;
	uint64_t trace_id;
	unsigned n;
	const struct dat_vcpu *vcpus;
};
struct dat_vcpu {
	uint32_t cpu, tid; /* guest CPU number, host thread */
};

struct datwriter;

/* Creates BASE.head and BASE.cpu0..n-1 in dirfd, none may exist. */
must_check int datwriter_create(int dirfd, const char *base, const struct dat_meta *meta,
				struct datwriter **ret);
/* File to append whole raw pages of that CPU to (splice(2), write(2)). Owned by the writer. */
int datwriter_cpu_fd(const struct datwriter *w, unsigned cpu);
/* Writes BASE with final metadata (cmdlines, options, vCPU map may have grown), removes the parts.
 * On failure the parts stay. */
must_check int datwriter_finish(struct datwriter *w, const struct dat_meta *meta);
void datwriter_free(struct datwriter *w);
#define _cleanup_datwriter_ _cleanup_(datwriter_cleanup)
static inline void datwriter_cleanup(struct datwriter **w)
{
	datwriter_free(*w);
}
