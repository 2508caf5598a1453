/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's part of a recording: the main instance and the small one that holds every TSC offset
 * write, both read by one thread into trace.dat files. */
#pragma once

#include "base/journal.h"
#include "capture/datfile.h"
#include "capture/events.h"

struct hostrec;

enum hostrec_lane {
	HOSTREC_OFFSETS, /* "offsets.dat": kvm_write_tsc_offset, kvm_track_tsc; never overwritten */
	HOSTREC_MAIN,	 /* "host.dat" */
	HOSTREC_LANES
};

struct hostrec_spec {
	const char *tracefs;
	const struct events *events; /* of the main instance */
	uint64_t buffer_bytes;	     /* per CPU */
	int dirfd;		     /* of the session */
	struct journal *journal;
	struct datfile_links links; /* what is known at the start */
};

/* Creates both instances, off, and both files. A kernel without KVM's tracepoints gets no offsets
 * lane, after a warning. One message on failure, and no instance stays. */
must_check int hostrec_open(const struct hostrec_spec *spec, struct hostrec **ret);
/* Switches the offsets instance on, or the main one. The first call starts the reader thread. */
must_check int hostrec_start(struct hostrec *h, enum hostrec_lane lane);
/* More events for the main instance while it records: their formats go into the file first. One message
 * on failure. */
must_check int hostrec_add(struct hostrec *h, const char *tracefs, const struct events *e,
			   const struct datfile_links *links);
/* Sets the filter of one of its events. One message on failure. */
must_check int hostrec_filter(struct hostrec *h, const struct event *ev, const char *filter);
/* Directory of the main instance. */
const char *hostrec_path(const struct hostrec *h);
/* A descriptor that becomes readable when reading failed and the recording must end. */
int hostrec_failed_fd(const struct hostrec *h);
/* Main instance off, then the other; all pages fetched; both instances removed. The first error of
 * the whole recording, after its message. Idempotent. */
must_check int hostrec_stop(struct hostrec *h);
/* NULL when the lane does not exist. Current sizes while it runs: hostrec_bytes(). */
struct datfile *hostrec_file(struct hostrec *h, enum hostrec_lane lane);
uint64_t hostrec_bytes(struct hostrec *h, enum hostrec_lane lane);
/* Events lost so far in the main instance, from the kernel's counters. */
uint64_t hostrec_lost(struct hostrec *h);
/* Stops first when that was not done. NULL is fine. */
void hostrec_close(struct hostrec *h);
