/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace.dat reader's own structures: versions 6 and 7 as trace-cmd.dat.v6(5) and v7(5) describe
 * them (and trace-cmd's lib/trace-cmd/trace-input.c, 3.1.6, where the pages are silent). */
#pragma once

#include "base/array.h"
#include "source/comms.h"
#include "source/dat_in.h"
#include "source/dat_unpack.h"
#include "source/ops.h"
#include "source/ringbuf.h"

#define DAT_SECTION_MAX (512u << 20) /* decompressed metadata */
#define DAT_CHUNK_MAX	(64u << 20)  /* decompressed piece of CPU data; trace-cmd writes 40 KiB */
#define DAT_CPUS_MAX	65536u

enum dat_option_id {
	DAT_DONE = 0,
	DAT_CPUSTAT = 2,
	DAT_BUFFER = 3,
	DAT_TRACECLOCK = 4,
	DAT_UNAME = 5,
	DAT_CPUCOUNT = 8,
	DAT_TRACEID = 11,
	DAT_TIME_SHIFT = 12,
	DAT_GUEST = 13,
	DAT_TSC2NSEC = 14,
	DAT_HEADER_INFO = 16,
	DAT_FTRACE_EVENTS = 17,
	DAT_EVENT_FORMATS = 18,
	DAT_KALLSYMS = 19,
	DAT_PRINTK = 20,
	DAT_CMDLINES = 21,
};

struct dat_map { /* a mapped file */
	char *path;
	const uint8_t *p;
	size_t n;
};

struct dat_lane { /* same index as facts.lanes */
	const struct dat_map *map;
	uint64_t offset, n; /* in the map; n is what is there */
	uint32_t page_bytes;
	bool compressed, told_broken;
	uint64_t dropped; /* as dat_dropped() says */
};

struct dat_buffer { /* v6: an instance's data, met before the lanes can be read */
	uint64_t offset;
	char *name;
};

struct dat {
	struct source s;
	struct ARRAY(struct dat_map *) maps; /* [0] is the file itself */
	unsigned version, user_long, commit_bytes;
	uint32_t page_bytes, cpus;
	uint8_t compression; /* enum dat_compression */
	bool told_cut;
	struct tep_handle *tep;
	bool texts_loaded; /* symbols and printk formats are in tep */
	struct tep_plugin_list *plugins;
	uint64_t section_at[DAT_CMDLINES + 1]; /* v7: file offset of each section, 0 none */
	struct dat_in kallsyms, printk;	       /* v6 */
	struct ARRAY(struct dat_lane) lanes;
	struct ARRAY(struct source_lane) fact_lanes;
	struct ARRAY(struct source_guest) guests;
	struct ARRAY(struct source_shift) shifts;
	struct ARRAY(struct dat_buffer) buffers;
	struct ARRAY(char *) names;	/* buffer names that lanes point to */
	struct ARRAY(uint64_t) dropped; /* by CPU, of the top buffer */
	bool stats_of_instance;		/* those to come are not the top buffer's */
	struct comms comms;
	struct ARRAY(const struct source_kind *) kinds;
	const struct source_kind **by_id;
	unsigned n_ids;
};

/* A section's bytes: mapped, or decompressed into own. */
struct dat_section {
	struct dat_in in;
	void *own;
};

/* -EBADMSG after 'error: "FILE": byte N: …'. */
#define dat_err(d, offset, fmt, ...)                                         \
	log_err_r(-EBADMSG, "\"%s\": byte %llu: " fmt, (d)->maps.v[0]->path, \
		  (unsigned long long)(offset)__VA_OPT__(, ) __VA_ARGS__)

/* dat_file.c: the container */
must_check int dat_map_file(struct dat *d, const char *path, const struct dat_map **ret);
must_check int dat_read(struct dat *d);
must_check int dat_section_open(struct dat *d, uint64_t offset, unsigned id,
				struct dat_section *ret);
void dat_section_close(struct dat_section *s);
/* dat_v6.c, dat_v7.c: everything behind the first 16 bytes */
must_check int dat_v6_read(struct dat *d, struct dat_in *in);
must_check int dat_v7_read(struct dat *d, struct dat_in *in);
/* dat_meta.c: pieces that both versions hold. -ENODATA: the bytes end too early */
must_check int dat_meta_header(struct dat *d, struct dat_in *in);
must_check int dat_meta_ftrace(struct dat *d, struct dat_in *in);
must_check int dat_meta_events(struct dat *d, struct dat_in *in);
must_check int dat_meta_cmdlines(struct dat *d, struct dat_in *in);
void dat_meta_texts(struct dat *d); /* symbols and printk formats, once, when first wanted */
/* dat_option.c */
must_check int dat_option(struct dat *d, unsigned id, struct dat_in *in);
/* What the CPUSTAT options say of the lane; 0 unknown. */
uint64_t dat_dropped(const struct dat *d, size_t lane);
/* dat_kind.c: tep's events as kinds */
must_check int dat_kinds_build(struct dat *d);
void dat_kinds_free(struct dat *d);
/* dat_lane.c */
must_check int dat_lane_add(struct dat *d, const struct dat_map *map, const char *buffer,
			    unsigned cpu, uint64_t offset, uint64_t n, uint32_t page_bytes,
			    bool compressed);
int dat_cursor_new(struct source *s, size_t lane, const bool *wanted, struct source_cursor **ret);
void dat_cursor_free(struct source_cursor *c);
int dat_cursor_read(struct source_cursor *c, struct source_item *items, unsigned max);
