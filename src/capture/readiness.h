/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Can `onetsc record` work here? Facts of tracefs, and the verdict from them (pure). */
#pragma once

#include "vm/verdict.h"

enum readiness_event { READY_ENTRY, READY_EXIT, READY_WRITE, READY_EVENTS };

/* "kvm:kvm_entry" */
const char *readiness_event_name(enum readiness_event e);

struct readiness {
	char tracefs[128]; /* "" when it cannot be used; why then says so, as record would */
	char why[400];
	bool has_clock;	 /* x86-tsc */
	unsigned events; /* 1 << READY_x */
};

/* Silent. */
void readiness_read(struct readiness *ret);

void verdict_record_host(const struct hostfacts *h, const struct readiness *r, struct verdict *ret);
/* A VM's; record is the host's. */
void verdict_record_vm(const struct hostfacts *h, const struct verdict *record,
		       const struct vmfacts *f, struct verdict *ret);
