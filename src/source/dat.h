/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace.dat reader's own structures: versions 6 and 7 as trace-cmd.dat.v6(5) and v7(5) describe
 * them (and trace-cmd's lib/trace-cmd/trace-input.c, 3.1.6, where the pages are silent). */
#pragma once

#include "base/array.h"
#include "base/mapped.h"
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
	struct mapped *mapped;
	const uint8_t *p;
	size_t n;
	bool told_cut; /* that it was cut while it was read */
};

struct dat_lane { /* same index as facts.lanes */
	struct dat_map *map;
	uint64_t offset, n; /* in the map; n is what is there */
	uint32_t page_bytes;
	bool compressed, told_broken;
	bool cut;	  /* the rest of it is not in the file; said for the file as a whole */
	uint64_t dropped; /* as dat_dropped() says */
};

struct dat_place { /* where a CPU's data should be */
	struct dat_map *map;
	uint64_t offset, n;
	uint32_t page_bytes;
	bool compressed;
	bool open_ended; /* n is what was found; there was more */
};

struct dat_stat { /* of a CPUSTAT option */
	const char *buffer;
	uint64_t cpu, events, dropped;
};

struct dat_buffer { /* v6: an instance's data, met before the lanes can be read */
	uint64_t offset;
	const char *name;
};

struct dat {
	struct source s;
	struct ARRAY(struct dat_map *) maps; /* [0] is the file itself */
	unsigned version, user_long, commit_bytes;
	uint32_t page_bytes, cpus;
	uint8_t compression;		      /* enum dat_compression */
	uint64_t bytes_wanted, bytes_missing; /* of events */
	unsigned first_cut_cpu;
	bool any_cut;
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
	struct ARRAY(char *) names; /* buffer names that lanes point to */
	struct ARRAY(struct dat_stat) stats;
	const char *stats_of;		     /* buffer of those to come; NULL: the top one */
	struct ARRAY(uint64_t) lists, found; /* v7: options read; buffer sections they tell of */
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

/* The same as a warning: reading goes on. */
#define dat_warn(d, offset, fmt, ...)                             \
	log_warn("\"%s\": byte %llu: " fmt, (d)->maps.v[0]->path, \
		 (unsigned long long)(offset)__VA_OPT__(, ) __VA_ARGS__)

/* dat_file.c: the container */
must_check int dat_map_file(struct dat *d, const char *path, struct dat_map **ret);
/* -EIO after a message when the file became shorter than it was when it was mapped. look: also at
 * the file itself. */
must_check int dat_map_check(struct dat_map *m, bool look);
must_check int dat_read(struct dat *d);
must_check int dat_section_open(struct dat *d, uint64_t offset, unsigned id,
				struct dat_section *ret);
/* Silent; what is wrong, or NULL. */
must_check const char *dat_section_find(struct dat *d, uint64_t offset, unsigned id,
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
/* What the CPUSTAT options say of a buffer's CPU, or NULL; once they are sorted. */
void dat_stats_sort(struct dat *d);
const struct dat_stat *dat_stat_find(const struct dat *d, const char *buffer, unsigned cpu);
/* A copy that lives as long as d; NULL without memory. */
const char *dat_keep_name(struct dat *d, const char *name);
/* dat_recover.c: v7, when the chain of option lists is broken: looks at all sections from offset on
 * and finds lists and buffers that nothing tells of. */
must_check int dat_recover(struct dat *d, uint64_t offset,
			   int (*read_list)(struct dat *d, uint64_t offset));
/* dat_kind.c: tep's events as kinds */
must_check int dat_kinds_build(struct dat *d);
void dat_kinds_free(struct dat *d);
/* dat_lane.c */
must_check int dat_lane_add(struct dat *d, const char *buffer, unsigned cpu,
			    const struct dat_place *at);
int dat_cursor_new(struct source *s, size_t lane, const bool *wanted, struct source_cursor **ret);
void dat_cursor_free(struct source_cursor *c);
int dat_cursor_read(struct source_cursor *c, struct source_item *items, unsigned max);
