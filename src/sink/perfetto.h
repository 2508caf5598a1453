/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the timeline as a Perfetto trace (https://perfetto.dev/docs/reference/trace-packet-proto): one
 * pass, in memory bounded by the number of CPUs. The host is machine 0 and each guest one of its own, with
 * their events as the kernel's ftrace. Time is the host's CLOCK_BOOTTIME; of files without readings of
 * it, ns of the host's TSC.
 *
 * States, requests and whatever else is not an event of a kernel go onto tracks, with the functions of
 * sink/perfetto_track.h. */
#pragma once

#include "insight/exits.h"
#include "sink/out.h"
#include "timeline/timeline.h"

struct sink_perfetto;

/* in and out outlive it. -ENODATA after a message: the input does not tell the frequency of its clock. */
must_check int sink_perfetto_new(const struct input *in, struct out *out,
				 struct sink_perfetto **ret);
void sink_perfetto_free(struct sink_perfetto *s);
/* For exits_new() with the sink as its state, in the same pass and before it: tracks of what each vCPU did.
 */
extern const struct exits_ops perfetto_exits_ops;
/* state is the sink. Errors of out are returned and not logged. */
extern const struct consumer sink_perfetto_consumer;
