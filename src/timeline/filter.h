/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A timeline_filter worked out for each machine: kinds by index, threads by pid. Used inside
 * timeline/ only. */
#pragma once

#include "timeline/tasks.h"
#include "timeline/timeline.h"

struct filter_machine {
	bool *wanted;	     /* by kind index; NULL: all */
	bool *decoded;	     /* wanted and the kinds that name tasks */
	struct filter_task { /* what the glob said of a pid */
		int pid;
		bool known, match;
	} * tasks;	  /* FILTER_TASKS slots, NULL without a glob */
	pid_t *vcpu_tids; /* host: threads of the vCPU that is asked for */
	size_t n_vcpu_tids;
};

struct filter {
	struct timeline_filter ask;
	struct filter_machine *machines;
	size_t n;
};

/* tasks by machine. */
must_check int filter_init(struct filter *f, const struct timeline_filter *ask,
			   const struct input *in, const struct tasks *tasks);
void filter_free(struct filter *f);
/* Whether anything of that lane can pass. */
bool filter_lane(const struct filter *f, const struct input *in, const struct timeline_lane *l);
/* Whether not all records of that machine pass. */
bool filter_has_tests(const struct filter *f, size_t machine);
/* Whether a record passes. */
bool filter_item(const struct filter *f, size_t machine, const struct input_machine *m,
		 const struct source_item *it);
