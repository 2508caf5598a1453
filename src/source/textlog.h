/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text logs whose lines carry a TSC stamp, as sources: SystemTap, bpftrace, ftrace text, printed
 * rdtsc. Described to users in docs/text-sources.md. */
#pragma once

#include <stdbool.h>

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
};

/* FILE[,machine=host|guest:NAME][,clock=tsc][,cpu=N][,base=10|16][,order=stamp|file][,regex=…]
 * regex takes the rest of the text, commas included. -EINVAL after one message. */
must_check int textlog_spec_parse(const char *text, struct textlog_spec *ret);
void textlog_spec_free(struct textlog_spec *spec);

/* Reads the whole file once; from then on it must not be cut. Needs 16 bytes of memory per line.
 * Lines that are no events are counted and shown in one warning. The regex goes over to the source.
 * -EBADMSG when no line carries a stamp. One message on failure. */
must_check int textlog_open(struct textlog_spec *spec, struct source **ret);

#define _cleanup_textlog_spec_ _cleanup_(textlog_spec_free)
