/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of a text log that carries a TSC stamp: the common shapes, told apart without being
 * described. Pure. Lines are bytes with a length: any byte may occur, NUL included. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum textline_status {
	TEXTLINE_EVENT,
	TEXTLINE_LOST,	/* the tracer says that it lost events: cpu and lost are set */
	TEXTLINE_EMPTY, /* nothing in it, or a comment: begins with '#' */
	/* not understood; textline_why() has the words */
	TEXTLINE_NO_STAMP,
	TEXTLINE_NO_NUMBER,
	TEXTLINE_TOO_BIG,
	TEXTLINE_SECONDS,
	TEXTLINE_ADDRESS,
	TEXTLINE_BAD_CPU,
	TEXTLINE_BAD_PID,
	TEXTLINE_NO_MATCH,
	TEXTLINE_COSTLY,
	TEXTLINE_CUT,
	TEXTLINE_BAD_TIME,
};

#define TEXTLINE_CPU_MAX 8191u	    /* NR_CPUS goes up to 8192 on x86 */
#define TEXTLINE_UNKNOWN UINT64_MAX /* lost, when the number is not told */

struct textline_str { /* inside the line */
	const char *s;
	size_t n;
};

struct textline {
	uint64_t stamp;
	uint64_t lost;
	int cpu, pid;		   /* -1: not told */
	struct textline_str task;  /* n 0: not told */
	struct textline_str event; /* "sched_switch", "kvm:kvm_exit"; n 0: not told */
	struct textline_str message;
	const char *numbers_end; /* behind the last number used */
};

/* Why a line is no event, in words. */
const char *textline_why(enum textline_status status);

/* Decimal or 0x number that is all of the n bytes; base 16: hexadecimal with or without 0x. */
enum textline_status textline_number(const char *s, size_t n, unsigned base, uint64_t *ret);

/* TEXTLINE_EMPTY, TEXTLINE_LOST ("CPU:1 [LOST 12 EVENTS]" of ftrace, "CPU:1 [12 EVENTS DROPPED]" of
 * trace-cmd, "Lost 12 events" of bpftrace), or TEXTLINE_NO_STAMP for everything else. */
enum textline_status textline_plain(const char *s, size_t n, struct textline *ret);

/* STAMP [cpuN] [TASK[PID]] [EVENT:] MESSAGE. The stamp may stand in [] or behind "tsc=". A record
 * header that SystemTap left before it is passed over. */
enum textline_status textline_stamped(const char *s, size_t n, unsigned base, struct textline *ret);

/* TASK-PID [CPU] FLAGS STAMP: EVENT: MESSAGE, as in ftrace's trace and trace_pipe, and without FLAGS
 * as trace-cmd prints it. */
enum textline_status textline_ftrace(const char *s, size_t n, unsigned base, struct textline *ret);
