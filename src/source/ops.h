/* SPDX-License-Identifier: GPL-2.0-or-later */
enum source_symbols { SYMBOLS_FUNCTIONS, SYMBOLS_PRINTK, SYMBOLS_N };

/* What a format's reader implements; used inside source/ only. */
#pragma once

#include "source/hold.h"
#include "source/seek.h"
#include "source/source.h"

struct symtab;
struct source_format;

struct source_ops {
	const char *name;
	/* Does a file with this name that begins so belong to the format? */
	bool (*probe)(const char *path, const uint8_t *head, size_t n);
	int (*open)(const char *path, struct source **ret);
	void (*free)(struct source *s);
	int (*cursor_new)(struct source *s, size_t lane, const bool *wanted,
			  struct source_cursor **ret);
	void (*cursor_free)(struct source_cursor *c);
	int (*cursor_read)(struct source_cursor *c, struct source_item *items, unsigned max);
	/* source/hold.h; all four or none */
	struct hold *(*cursor_hold)(const struct source_cursor *c);
	void (*cursor_defer)(struct source_cursor *c);
	void (*cursor_tell)(struct source_cursor *c);
	bool (*cursor_is_damaged)(const struct source_cursor *c);
	void (*cursor_keep)(struct source_cursor *c); /* may be missing */
	/* source/seek.h; all three or none */
	bool (*can_seek)(const struct source *s);
	int (*seek_scan)(struct source *s, size_t lane, struct seek_places *ret,
			 void (*take)(void *arg, const struct source_item *items, unsigned n),
			 void *arg);
	int (*cursor_seek)(struct source_cursor *c, const struct seek_place *p);
	const char *(*comm)(const struct source *s, int pid);
	void (*comm_learn)(struct source *s, int pid, const char *name, size_t n);
	struct tep_handle *(*tep)(const struct source *s, bool symbols);
	struct source_format (*format)(const struct source *s, const struct source_kind *k);
	/* Read when first wanted, by whichever thread; NULL: the file has none. */
	const struct symtab *(*symbols)(const struct source *s, enum source_symbols which);
};

/* First member of each reader's own structs. */
struct source {
	const struct source_ops *ops;
	struct source_facts facts;
};
struct source_cursor {
	const struct source_ops *ops;
};

extern const struct source_ops source_tracedat;
