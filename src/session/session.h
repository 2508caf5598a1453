/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session directory NAME.onetsc/ and its session.json: what was recorded, of which machines, and
 * how their clocks relate. The format is described in docs/session-format.md. Failures are logged
 * once, here. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"

#define SESSION_VERSION 1

/* What session_load accepts and session_save writes at most. */
#define SESSION_MACHINES_MAX 1024
#define SESSION_CPUS_MAX     4096 /* also vCPUs of a machine */
#define SESSION_TIDS_MAX     65536
#define SESSION_PAIRS_MAX    65536
#define SESSION_PARTS_MAX    256
#define SESSION_STRING_MAX   65535 /* bytes; longer ones are cut when saved */

/* One CPU's ring buffer, as the machine reported at the end (per_cpu/cpuN/stats). */
struct session_cpu {
	uint64_t bytes;	  /* raw pages written to the session */
	uint64_t overrun; /* events lost because the reader was too slow */
	uint64_t dropped; /* events lost in the kernel for another reason */
};
struct session_cpus ARRAY(struct session_cpu);

struct session_vcpu {
	unsigned id;		 /* KVM's vCPU id (APIC id) */
	pid_t tid;		 /* host thread */
	int guest_cpu;		 /* Linux CPU number in the guest, asked from it; -1 unknown */
	bool has_start, has_end; /* which of the offsets are known */
	int64_t start_offset, end_offset; /* read at start and end of the recording */
	uint64_t ratio;			  /* as in struct tsc_map: 1 and 0 without scaling */
	unsigned frac;			  /* 0 to 63 */
};
struct session_vcpus ARRAY(struct session_vcpu);
struct session_tids ARRAY(pid_t);

/* The guest went away and came again (reset, reboot, its agent restarted): what was recorded then is a
 * file of its own, with CPU numbers of its own. */
struct session_place {
	unsigned id;   /* as in struct session_vcpu */
	int guest_cpu; /* -1 unknown */
};
struct session_places ARRAY(struct session_place);
struct session_part {
	char *file; /* as in struct session_machine */
	uint64_t trace_id;
	uint64_t begin_tsc, end_tsc; /* host ticks between which it was recorded, 0 unknown */
	struct session_cpus cpus;
	struct session_places vcpus;
};
struct session_parts ARRAY(struct session_part);

struct session_machine {
	char *name; /* "host", or the VM's name */
	bool is_guest;
	/* A plain file name inside the directory, NULL: nothing was recorded of it. After a crash
	 * FILE.head and FILE.cpuN are there instead (session/datwriter.h). */
	char *file;
	uint64_t trace_id; /* TRACEID option of the file */
	struct session_cpus cpus;
	/* guests only */
	pid_t pid;		    /* VMM process */
	char *vmm;		    /* kind */
	struct session_vcpus vcpus; /* sorted by id */
	struct session_tids tids;   /* all threads of the VMM seen: whose offset writes are whose */
	struct session_parts parts; /* after the first, which is in file, in order of time */
	bool cpus_in_order; /* the agent did not say which vCPU its CPUs are: taken in order */
	bool qemu_marks;    /* its QEMU wrote its trace events as ftrace:print events of the host */
	char *why_missing;  /* one sentence when file is NULL, or not all that there was is in it */
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
	struct session_machines machines; /* [0] is the host, the others are guests */
	struct session_pairs pairs;	  /* by tsc */
};

/* Creates the directory (0700; -EEXIST when it is there). */
must_check int session_create_dir(const char *path);
/* Writes session.json atomically and durably. Strings are copied as one line of valid UTF-8:
 * control characters become '?'. -EINVAL when s is not what session_load would take. */
must_check int session_save(const struct session *s, const char *path);
/* Reads session.json of directory path; hostile content is safe: every number is in the range of its
 * meaning, file names are plain, strings are one line of UTF-8. *ret is untouched on failure.
 * -ENOENT: no session.json; -EPROTONOSUPPORT: of a newer version; -EBADMSG: broken. */
must_check int session_load(const char *path, struct session *ret);
/* Frees what s owns and zeroes it. */
void session_free(struct session *s);
#define _cleanup_session_ _cleanup_(session_free)
