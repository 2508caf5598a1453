/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be read as one: a session directory, or files given side by side. Finds out which file
 * is the host's and which a guest's, which vCPU is which thread, and how each vCPU's TSC relates to
 * the host's at every moment. */
#pragma once

#include <limits.h>

#include "base/array.h"
#include "clock/conv.h"
#include "clock/epoch.h"
#include "clock/fit.h"
#include "session/session.h"
#include "source/source.h"

struct input_vcpu {
	unsigned id;		  /* KVM's */
	pid_t tid;		  /* host thread; 0 unknown */
	int guest_cpu;		  /* the guest's CPU number; -1 unknown */
	struct tsc_epochs epochs; /* empty: relation to the host's clock unknown */
};
struct input_vcpus ARRAY(struct input_vcpu);

#define INPUT_NO_VCPU UINT_MAX /* id of a stand-in: all vCPUs have the offset that counts */

struct input_machine {
	char *name;
	bool is_guest, is_text;
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
	struct fit_lookup *clock; /* stamps are ns of a host clock (facts' quantum_ns), and so
				   * become ticks; NULL: stamps are ticks */
	/* Text of a guest, or a later part of its recording: the machine it tells of, whose vCPUs
	 * (when vcpus has none for a CPU) are its own; NULL: none. */
	struct input_machine *same;
	size_t part_of;		       /* a later part: index of that machine; 0: it is none */
	struct session_places places;  /* of a later part: its CPU numbers */
	uint64_t from_ticks, to_ticks; /* between which it was recorded; 0 unknown */
};
struct input_machines ARRAY(struct input_machine);

struct input {
	struct input_machines machines;	 /* [0] is the host, or the only one */
	struct session_pairs pairs;	 /* empty for foreign files */
	struct tick_conv conv;		 /* of the host's ticks; mult 0 unknown */
	uint64_t begin_ticks, end_ticks; /* of the recording; 0 unknown */
	char *title;			 /* path of the session or of the first file */
	unsigned threads;		 /* that a pass may use, 0: one per CPU, at most 8 */
	bool qemu_marks;		 /* QEMUs wrote their trace events as ftrace:print */
	bool is_session;		 /* beside its files an index may be kept */
};

/* Given by hand. Zero-initialise. */
struct input_options {
	const char *const *texts; /* of --text, see source/textlog.h */
	size_t n_texts;
	const char *const *offsets; /* of --offset: NAME=TICKS, guest TSC less host TSC */
	size_t n_offsets;
	unsigned threads; /* that may be used, then and by passes; 0: one per CPU, at most 8 */
};

/* One path that is a directory: a session; else files. One message per failure. Problems that do not
 * stop (a guest whose offset is unknown, an incomplete recording) are warned about. */
must_check int input_open(const char *const *paths, size_t n, struct input **ret);
/* n may be 0 when there are texts. -EINVAL when the options are wrong. */
must_check int input_open_with(const char *const *paths, size_t n, const struct input_options *o,
			       struct input **ret);
void input_free(struct input *in);

/* What lost events are counted under: a trace of QEMU's loses its own, not the host's. */
const char *input_machine_title(const struct input_machine *m);

/* The vCPU behind that guest CPU, or NULL. */
const struct input_vcpu *input_vcpu_of_cpu(const struct input_machine *m, unsigned cpu);

#define _cleanup_input_ _cleanup_(input_cleanup)
static inline void input_cleanup(struct input **in)
{
	input_free(*in);
}
