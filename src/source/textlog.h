/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text logs whose lines carry a TSC stamp, as sources: SystemTap, bpftrace, ftrace text, printed
 * rdtsc; and QEMU's own traces, whose stamps are nanoseconds of a host clock. Described to users in
 * docs/text-sources.md and docs/qemu-traces.md. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct source;
struct textregex;

/* What --text says. Zero-initialise; textlog_spec_free(). */
struct textlog_spec {
	char *path;
	char *machine;		 /* NULL: the host; else the guest's name */
	struct textregex *regex; /* NULL: the shape is found out */
	unsigned base;		 /* 0: decimal or 0x; 16: hexadecimal */
	int cpu;		 /* all lines are of that CPU; -1: the lines say */
	bool file_order;	 /* keep the lines of a CPU in the order of the file */
	bool is_qemu;	/* a log or simple trace of QEMU's; the rest counts for these only */
	char *vm;	/* whose QEMU; NULL: not told */
	char *events;	/* QEMU's trace-events-all; NULL: the usual place */
	bool all_times; /* also what is not of the recording's time */
	int pid;	/* the caller's: of lines that name no thread; 0: unknown */
};

/* FILE[,machine=host|guest:NAME][,clock=tsc][,cpu=N][,base=10|16][,order=stamp|file][,regex=…] or
 * FILE,kind=qemu[,vm=NAME][,events=FILE][,time=recording|all]
 * regex takes the rest of the text, commas included. -EINVAL after one message. */
must_check int textlog_spec_parse(const char *text, struct textlog_spec *ret);
void textlog_spec_free(struct textlog_spec *spec);

/* Reads the whole file once; from then on it must not be cut. Needs 16 bytes of memory per line.
 * Lines that are no events are counted and shown in one warning. The regex goes over to the source.
 * -EBADMSG when no line carries a stamp. One message on failure. */
must_check int textlog_open(struct textlog_spec *spec, struct source **ret);

/* For QEMU's traces, before the first cursor: leaves out what has a stamp outside of lo_ns .. hi_ns;
 * returns how many events that were, and how many are left. */
uint64_t textlog_cut(struct source *s, uint64_t lo_ns, uint64_t hi_ns, uint64_t *ret_kept);
/* For QEMU's traces: threads that host knows get the names that it has for them. */
void textlog_take_comms(struct source *s, const struct source *host);

#define _cleanup_textlog_spec_ _cleanup_(textlog_spec_free)
