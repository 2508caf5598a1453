/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace.dat reader's own structures. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "base/array.h"
#include "base/mapped.h"
#include "source/comms.h"
#include "source/dat_format.h"
#include "source/dat_in.h"
#include "source/dat_kept.h"
#include "source/dat_unpack.h"
#include "source/ops.h"
#include "source/ringbuf.h"

#define DAT_SECTION_MAX (512u << 20) /* decompressed metadata */
#define DAT_CHUNK_MAX	(64u << 20)  /* decompressed piece of CPU data; trace-cmd writes 40 KiB */
#define DAT_CPUS_MAX	8192u	     /* NR_CPUS of x86 */
#define DAT_LANES_MAX	16384u
#define DAT_TOLD_MAX	8u /* broken places that are named, of a file */

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

/* Sub-buffers are 2^n pages (ring_buffer_subbuf_order_set()). */
static inline bool dat_page_is_sane(uint32_t n)
{
	return n >= RINGBUF_PAGE_MIN && n <= RINGBUF_PAGE_MAX && !(n & (n - 1));
}

struct dat_map { /* a mapped file */
	char *path;
	struct mapped *mapped;
	const uint8_t *p;
	size_t n;
	atomic_bool told_cut; /* that it was cut while it was read */
};

struct dat_lane { /* same index as facts.lanes */
	struct dat_map *map;
	uint64_t offset, n; /* in the map; n is what is there */
	uint32_t page_bytes;
	bool compressed, told_broken;
	bool cut;	  /* the rest of it is not in the file; said for the file as a whole */
	uint64_t dropped; /* as dat_dropped() says */
	struct dat_kept kept;
};

struct dat_stat { /* of a CPUSTAT option */
	const char *buffer;
	uint64_t cpu, events, dropped;
};

struct dat_buffer { /* v6: an instance's data, met before the lanes can be read */
	uint64_t offset;
	const char *name;
};

/* A section's bytes: mapped, or decompressed into own. */
struct dat_section {
	struct dat_in in;
	void *own;
};

struct dat {
	struct source s;
	struct ARRAY(struct dat_map *) maps; /* [0] is the file itself */
	unsigned version, user_long, commit_bytes;
	uint32_t page_bytes, cpus;
	uint8_t compression;		      /* enum dat_compression */
	uint64_t bytes_wanted, bytes_missing; /* of events */
	unsigned first_cut_cpu, told_broken;
	bool any_cut;
	struct tep_handle *tep;
	bool plugins_loaded, texts_loaded; /* the latter: symbols, printk formats are in tep */
	pthread_mutex_t symbols_lock;	   /* to load them */
	struct dat_symbols {
		_Atomic(bool) loaded;
		struct dat_section section;
		struct symtab *syms;
	} symbols[SYMBOLS_N];
	struct tep_plugin_list *plugins;
	uint64_t section_at[DAT_CMDLINES + 1]; /* v7: file offset of each section, 0 none */
	struct dat_in kallsyms, printk;	       /* v6 */
	struct ARRAY(struct dat_lane) lanes;
	struct dat_room room;
	struct ARRAY(struct source_lane) fact_lanes;
	struct ARRAY(struct source_guest) guests;
	struct ARRAY(struct source_shift) shifts;
	struct ARRAY(struct dat_buffer) buffers;
	struct ARRAY(char *) names; /* buffer names that lanes point to */
	struct ARRAY(struct dat_stat) stats;
	const char *stats_of;		     /* buffer of those to come; NULL: the top one */
	struct ARRAY(uint64_t) lists, found; /* v7: options read; buffer sections they tell of */
	struct comms comms;
	struct ARRAY(const struct source_kind *) kinds; /* of a struct dat_kind each */
	struct format_head head;			/* of the format that is read */
	struct ARRAY(void *) sections;			/* whose texts are needed later */
	const struct source_kind **by_id;
	unsigned n_ids;
};
