/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace.dat reader's own functions: versions 6 and 7 as trace-cmd.dat.v6(5) and v7(5) describe
 * them (and trace-cmd's lib/trace-cmd/trace-input.c, 3.1.6, where the pages are silent). */
#pragma once

#include "source/dat_types.h"
#include "source/symbols.h"

/* -EBADMSG after 'error: "FILE": byte N: …'. */
#define dat_err(d, offset, fmt, ...)                                         \
	log_err_r(-EBADMSG, "\"%s\": byte %llu: " fmt, (d)->maps.v[0]->path, \
		  (unsigned long long)(offset)__VA_OPT__(, ) __VA_ARGS__)

/* The same as a warning: reading goes on. */
#define dat_warn(d, offset, fmt, ...)                             \
	log_warn("\"%s\": byte %llu: " fmt, (d)->maps.v[0]->path, \
		 (unsigned long long)(offset)__VA_OPT__(, ) __VA_ARGS__)

struct dat_place { /* where a CPU's data should be */
	struct dat_map *map;
	uint64_t offset, n;
	uint32_t page_bytes;
	bool compressed, open_ended; /* the latter: n is what was found; there was more */
};

/* dat_file.c: the container */
must_check int dat_map_file(struct dat *d, const char *path, struct dat_map **ret);
/* -EIO after a message when the file became shorter than it was when it was mapped. look: also at
 * the file itself. */
must_check int dat_map_check(struct dat_map *m, bool look);
must_check int dat_read(struct dat *d);
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
/* dat_symbols.c */
void dat_symbols_to_tep(struct dat *d); /* and its printk formats, once */
const struct symtab *dat_symbols(const struct source *s, enum source_symbols which);
void dat_symbols_free(struct dat *d);
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
/* dat_kind.c: event formats as kinds. n bytes of text at offset at, which stay where they are */
must_check int dat_kind_add(struct dat *d, const char *system, uint64_t at, const char *text,
			    size_t n);
must_check int dat_kinds_build(struct dat *d); /* when all are added */
struct source_format dat_format(const struct source *s, const struct source_kind *k);
void dat_tep_lock(void); /* while libtraceevent parses anything */
void dat_tep_unlock(void);
void dat_kinds_free(struct dat *d);
/* dat_lane.c */
must_check int dat_lane_add(struct dat *d, const char *buffer, unsigned cpu,
			    const struct dat_place *at);
int dat_cursor_new(struct source *s, size_t lane, const bool *wanted, struct source_cursor **ret);
void dat_cursor_free(struct source_cursor *c);
int dat_cursor_read(struct source_cursor *c, struct source_item *items, unsigned max);
struct hold *dat_cursor_hold(const struct source_cursor *c);
void dat_cursor_defer(struct source_cursor *c);
void dat_cursor_tell(struct source_cursor *c);
bool dat_cursor_is_damaged(const struct source_cursor *c);
void dat_cursor_keep(struct source_cursor *c);
bool dat_can_seek(const struct source *s);
int dat_seek_scan(struct source *s, size_t lane, struct seek_places *ret,
		  void (*take)(void *arg, const struct source_item *items, unsigned n), void *arg);
int dat_cursor_seek(struct source_cursor *c, const struct seek_place *p);
