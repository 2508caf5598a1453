/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's list of trace events (trace-events-all): names, arguments, formats. Pure. The syntax is that
 * of docs/devel/tracing.rst and scripts/tracetool/__init__.py of QEMU 5 to 10:
 *
 *   [disable|vcpu|tcg ]NAME(TYPE NAME, ... | void) "format" PRIx64 "more format" */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct strbuf;
struct qemuevents;

#define QEMUEVENT_ARGS_MAX 32u

/* One event. Zero-initialise; qemuevent_free(). */
struct qemuevent {
	char *format; /* for printf, with the PRI macros spelled out */
	unsigned n_args;
	bool is_string[QEMUEVENT_ARGS_MAX];
};

/* text stays the caller's, and must live as long. -ENOMEM; -ENODATA: no event in it. */
must_check int qemuevents_new(const char *text, size_t n, struct qemuevents **ret);
void qemuevents_free(struct qemuevents *e);

/* -ENOENT: there is no event of that name; -EBADMSG: its line is not understood; -ENOMEM. */
must_check int qemuevents_get(const struct qemuevents *e, const char *name, size_t n,
			      struct qemuevent *ret);
void qemuevent_free(struct qemuevent *e);

/* Appends the arguments in the event's format: payload is u64 per number or pointer, u32 length and
 * bytes per string (trace/simple.c). Control characters become blanks. -EBADMSG, nothing appended:
 * the payload is not of these arguments. */
must_check int qemuevent_print(const struct qemuevent *e, const uint8_t *payload, size_t n,
			       struct strbuf *b);
