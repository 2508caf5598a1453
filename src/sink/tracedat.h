/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes each machine of the timeline as a trace.dat of version 6 whose stamps are host ticks, so that trace-cmd
 * and KernelShark show all of them on one clock. The files of the guests and of the host know each other
 * (options GUEST, TRACEID, TSC2NSEC; TIME_SHIFT is 0). Text logs have no place in such files. */
#pragma once

#include "timeline/timeline.h"

struct sink_tracedat;

/* Files are made in directory path when the pass begins: NAME.dat for each machine. in outlives it. */
must_check int sink_tracedat_new(const struct input *in, const char *path,
				 struct sink_tracedat **ret);
void sink_tracedat_free(struct sink_tracedat *s);
/* state is the sink. One message per failure. */
extern const struct consumer sink_tracedat_consumer;
