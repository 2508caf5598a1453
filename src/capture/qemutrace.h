/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QEMU's own trace events of a running VM: switched on over QMP, and all put back. Their lines go into
 * the trace_marker of an instance, where the kernel stamps them; or, where the VM's log must be left
 * alone or the marker is out of its reach, the caller probes its function qemu_log. What QEMU's "log"
 * trace backend is and does: its docs/devel/tracing.rst. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/journal.h"

struct qemutrace;

struct qemutrace_spec {
	const char *name; /* of the VM, for people */
	pid_t pid;
	uint64_t start_ticks;
	const char *const *patterns; /* of events: names, with * and ? */
	size_t n_patterns;
	const char *qmp;    /* path of its QMP socket; NULL: found in its command line */
	const char *marker; /* INSTANCE/trace_marker */
	struct journal *journal;
};

/* Finds its monitor and the events that are off; changes nothing. One message on failure: no monitor, or
 * one that does not answer; no such event. */
must_check int qemutrace_open(const struct qemutrace_spec *spec, struct qemutrace **ret);
/* NULL: the marker is to be used. Else qemu_log must be probed, and this is why. */
const char *qemutrace_wants_probe(const struct qemutrace *q);
/* Journals the inverse and switches on. 1: QEMU does not take the marker; all is as before, and from
 * now on it wants a probe. One message on failure: qemutrace_off() must follow. */
must_check int qemutrace_on(struct qemutrace *q);
size_t qemutrace_count(const struct qemutrace *q);
/* Events off again that were switched on, the log as before, the marker closed. One message on failure:
 * the journal keeps it. Frees q in any case; NULL is fine. */
int qemutrace_off(struct qemutrace *q);

/* Undo handler; the text is JSON. */
#define QEMUTRACE_UNDO "qemu-trace"
int qemutrace_undo(const char *text);
