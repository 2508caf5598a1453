/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trace events of QEMU in a host's trace (record --qemu-trace): lines that it wrote into trace_marker,
 * and calls of its function qemu_log. What they are called, and what they say. */
#pragma once

#include <stdint.h>

#include "base/text.h"
#include "timeline/event.h"

struct qemuline {
	const char *name, *text; /* "virtio_notify", "vdev 0x… vq 0x…" */
	size_t name_n, text_n;
};

/* "[TID@SEC.USEC:|STAMP ]EVENT[ TEXT]"; false: no event is named. Pure. */
bool qemuline_split(const char *s, size_t n, struct qemuline *ret);
/* Appends what printf() makes of such a format and such arguments; strings as their addresses, what is
 * behind the last argument as "?". Pure. */
void qemuline_format(struct strbuf *b, const char *fmt, size_t n, const uint64_t *args,
		     size_t n_args);
/* False: the event is none of QEMU's. buf: for the text, reused. */
bool qemuline_get(const struct event *ev, struct strbuf *buf, struct qemuline *ret);
