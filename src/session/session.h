/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session directory NAME.onetsc/ and its session.json: what was recorded, of which machines, and
 * how their clocks relate. Version 1; the format is described in docs/session-format.md. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"

#define SESSION_VERSION 1

/* One CPU's ring buffer, as the machine reported at the end (per_cpu/cpuN/stats). */
struct session_cpu {
	uint64_t bytes;	  /* raw pages written to the session */
	uint64_t overrun; /* events lost because the reader was too slow */
	uint64_t dropped; /* events lost in the kernel for another reason */
};
struct session_cpus ARRAY(struct session_cpu);

struct session_vcpu {
	unsigned id;   /* KVM's vCPU id (APIC id) */
	pid_t tid;     /* host thread */
	int guest_cpu; /* Linux CPU number in the guest, asked from it; -1 unknown */
	bool has_start, has_end;
	int64_t start_offset, end_offset; /* read at start and end of the recording */
	uint64_t ratio;
	unsigned frac;
};
struct session_vcpus ARRAY(struct session_vcpu);
struct session_tids ARRAY(pid_t);

struct session_machine {
	char *name; /* "host", or the VM's name */
	bool is_guest;
	char *file;	   /* trace.dat inside the directory; NULL: nothing was recorded of it */
	uint64_t trace_id; /* TRACEID option of the file */
	struct session_cpus cpus;
	/* guests only */
	pid_t pid;		    /* VMM process */
	char *vmm;		    /* kind */
	struct session_vcpus vcpus; /* sorted by id */
	struct session_tids tids;   /* all threads of the VMM seen: whose offset writes are whose */
	char *why_missing;	    /* one sentence when file is NULL */
};
struct session_machines ARRAY(struct session_machine);

/* The same instant in several clocks: TSC was between tsc and tsc + width when the others read so. */
struct session_pair {
	uint64_t tsc, width_ticks;
	int64_t realtime_ns, monotonic_ns, boottime_ns;
};
struct session_pairs ARRAY(struct session_pair);

struct session {
	char *tool;	   /* "onetsc 0.1.0" */
	char *command;	   /* what was asked, one line */
	char *clocksource; /* of the host */
	uint64_t tsc_khz;  /* best known frequency of the host's TSC, 0 unknown */
	uint32_t mult,
		shift;	    /* ns = (ticks * mult) >> shift, shift <= 32; also in both trace.dat */
	bool complete;	    /* false: the recorder did not reach its end */
	char *offsets_file; /* "offsets.dat": kvm_write_tsc_offset in an instance of its own */
	uint64_t begin_tsc, end_tsc;
	struct session_machines machines; /* [0] is the host */
	struct session_pairs pairs;
};

/* Creates the directory (0700; -EEXIST when it is there). */
must_check int session_create_dir(const char *path);
/* Writes session.json atomically (temporary file, rename). */
must_check int session_save(const struct session *s, const char *path);
/* Reads and checks session.json of directory path; every number bounded. One message on failure. */
must_check int session_load(const char *path, struct session *ret);
void session_free(struct session *s);
#define _cleanup_session_ _cleanup_(session_free)
