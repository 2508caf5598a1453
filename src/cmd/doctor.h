/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of `onetsc doctor`. */
#pragma once

#include "base/text.h"
#include "capture/readiness.h"
#include "vm/verdict.h"

enum doctor_host_verdict {
	DOCTOR_ZERO,
	DOCTOR_LAUNCH,
	DOCTOR_TRANSLATE,
	DOCTOR_RECORD,
	DOCTOR_HOST
};
enum doctor_vm_verdict {
	DOCTOR_VM_NOW, /* does not count for the exit status: a running guest is left alone on purpose */
	DOCTOR_VM_RESET,
	DOCTOR_VM_TRANSLATE,
	DOCTOR_VM_RECORD,
	DOCTOR_VM
};

struct doctor_vm {
	struct vmfacts facts;
	struct verdict verdicts[DOCTOR_VM];
};

struct doctor {
	struct hostfacts host;
	struct skewprobe skew;
	struct skew_summary skew_sum;
	struct gate_trial gate;
	struct readiness ready;
	struct verdict verdicts[DOCTOR_HOST];
	struct vms vms;
	unsigned hidden; /* processes that could not be looked into */
	int look_error;	 /* why KVM's own record of VMs could not be read */
	struct ARRAY(struct doctor_vm) shown;
};

/* Is everything yes? */
bool doctor_is_well(const struct doctor *d);
/* Who gave vCPU i of that VM its offset. */
enum writer doctor_writer(const struct doctor *d, const struct doctor_vm *v, size_t i);
/* For people. */
void doctor_add_text(struct strbuf *b, const struct doctor *d);
/* One object with a newline; see onetsc-doctor(1). False without memory. */
bool doctor_add_json(struct strbuf *b, const struct doctor *d);
