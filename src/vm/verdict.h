/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be done here, from facts. Pure: yes, no or unknown, why in one plain sentence, and what to
 * do next. Setting offsets is judged by vm/judge.h alone. */
#pragma once

#include "vm/skewprobe.h"
#include "vm/vmfacts.h"

enum answer { ANSWER_NO, ANSWER_UNKNOWN, ANSWER_YES, ANSWERS };

struct verdict {
	enum answer answer;
	char why[600]; /* what to do included; of yes: on what ground */
};

/* "no" */
const char *answer_name(enum answer a);
void verdict_set(struct verdict *v, enum answer a, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The BPF gate was put up for a VM of our own, or another onetsc has it up. */
struct gate_trial {
	bool watching; /* onetsc zero runs */
	bool tried;
	int error;
	char why[500];
};

/* All VMs that start or are reset from now on, by `onetsc zero`. */
void verdict_zero_new(const struct hostfacts *h, const struct gate_trial *gate,
		      struct verdict *ret);
/* One that `onetsc zero -- COMMAND` starts. */
void verdict_launch(const struct hostfacts *h, struct verdict *ret);
/* Guest stamps into this host's ticks, and stamps of its CPUs among each other. */
void verdict_translate_host(const struct hostfacts *h, const struct skewprobe *skew,
			    struct verdict *ret);

/* This VM at its next reset; zero_new is the host's. */
void verdict_zero_reset(const struct hostfacts *h, const struct verdict *zero_new,
			const struct vmfacts *f, struct verdict *ret);
/* And as it is now. */
void verdict_zero_now(const struct hostfacts *h, const struct vmfacts *f, struct verdict *ret);
/* Its stamps; translate is the host's. */
void verdict_translate_vm(const struct hostfacts *h, const struct verdict *translate,
			  const struct vmfacts *f, struct verdict *ret);
