/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of addresses that events tell: of the event's own kernel, or of the guest whose vCPU its
 * thread is. With a small cache; for one thread. */
#pragma once

#include "sink/fmt_prog.h"
#include "timeline/timeline.h"

struct eventnames;

must_check int eventnames_new(const struct input *in, struct eventnames **ret);
void eventnames_free(struct eventnames *n);
/* The event that the lookups which follow are for. */
void eventnames_at(struct eventnames *n, const struct event *ev);
struct fmt_names eventnames_lookups(struct eventnames *n);
