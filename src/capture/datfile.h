/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One trace.dat of the session while it grows: its metadata, its writer, what was counted. Used for
 * the host's files and for those that a guest sends. */
#pragma once

#include "capture/meta.h"
#include "session/datwriter.h"
#include "session/session.h"

struct datfile {
	char *name; /* "host.dat" */
	struct meta meta;
	unsigned cpus;
	uint32_t page_bytes;
	uint64_t trace_id;
	struct datwriter *writer;  /* NULL until datfile_create() */
	struct session_cpus stats; /* one per CPU, filled in at the end; bytes always current */
	uint64_t events;	   /* sum, known at the end */
	bool finished;		   /* the file itself exists */
};

/* What a file says about other machines; NULL members where it says nothing. */
struct datfile_links {
	uint32_t mult, shift;
	const struct dat_guest *guests;
	size_t n_guests;
	uint64_t host_trace_id;
	const int64_t *cpu_offset; /* per CPU of the file */
	uint64_t shift_at[2];
};

/* A random id that is not 0. */
uint64_t datfile_random_id(void);
/* Name of a file for a machine: "guest-NAME.dat" with odd bytes replaced, "guest-NAME+2.dat" of its
 * second part. Caller frees; NULL without memory. */
char *datfile_guest_name(const char *machine, unsigned part);

/* Creates the parts in dirfd from meta, cpus and page_bytes; sets trace_id. Logs. */
must_check int datfile_create(struct datfile *f, int dirfd, const struct datfile_links *links);
/* Rewrites the head with what is known now. Logs. */
must_check int datfile_update(struct datfile *f, const struct datfile_links *links);
/* Cuts parts to whole pages and joins them. Logs. */
must_check int datfile_finish(struct datfile *f, const struct datfile_links *links);
void datfile_free(struct datfile *f);
