/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How libtraceevent's plugins print some events instead of, or in front of, their own text. */
#pragma once

#include "sink/fmt_run.h"

struct fmt_form {
	const char *system, *name;
	void (*run)(struct fmt_run *r, const struct fmt_prog *g);
	bool more; /* the event's own text follows */
	/* Which the form needs, in the order of its prog->fields: numbers, or "=" arrays; "?" first:
	 * when the kind has it. Without one of them libtraceevent prints the event. */
	const char *fields[FMT_FIELDS_MAX];
};

/* fmt_kvm.c; the last one has no name. */
extern const struct fmt_form fmt_kvm_forms[];
