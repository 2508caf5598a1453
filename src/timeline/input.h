/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be read as one: a session directory, or files given side by side. Finds out which file
 * is the host's and which a guest's, which vCPU is which thread, and how each vCPU's TSC relates to
 * the host's at every moment. */
#pragma once

#include "base/array.h"
#include "clock/conv.h"
#include "clock/epoch.h"
#include "session/session.h"
#include "source/source.h"

struct input_vcpu {
	unsigned id;		  /* KVM's */
	pid_t tid;		  /* host thread; 0 unknown */
	int guest_cpu;		  /* the guest's CPU number; -1 unknown */
	struct tsc_epochs epochs; /* empty: relation to the host's clock unknown */
};
struct input_vcpus ARRAY(struct input_vcpu);

struct input_machine {
	char *name;
	bool is_guest;
	struct source *source; /* NULL: nothing recorded */
	/* guests */
	pid_t pid;		  /* the VMM; 0 unknown */
	struct session_tids tids; /* its threads: whose offset writes are this VM's */
	struct input_vcpus vcpus; /* sorted by id */
	uint64_t lost;		  /* events that the recorder counted as lost */
	bool aligned;		  /* ticks of this machine can be told in host ticks */
	bool estimated;		  /* only by an estimate of unknown error (PTP) */
	bool conflict;		  /* what is known of its offsets contradicts itself; was said */
	char *why_unaligned;	  /* one sentence */
};
struct input_machines ARRAY(struct input_machine);

struct input {
	struct input_machines machines; /* [0] is the host, or the only one */
	struct session_pairs pairs;	/* empty for foreign files */
	struct tick_conv conv;		/* of the host's ticks; mult 0 unknown */
	char *title;			/* path of the session or of the first file */
};

/* One path that is a directory: a session; else files. One message per failure. Problems that do not
 * stop (a guest whose offset is unknown, an incomplete recording) are warned about. */
must_check int input_open(const char *const *paths, size_t n, struct input **ret);
void input_free(struct input *in);

/* The vCPU behind that guest CPU, or NULL. */
const struct input_vcpu *input_vcpu_of_cpu(const struct input_machine *m, unsigned cpu);

#define _cleanup_input_ _cleanup_(input_cleanup)
static inline void input_cleanup(struct input **in)
{
	input_free(*in);
}
