/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a machine must tell so that its raw pages can be read: formats, symbols, names. Gathered from
 * tracefs and /proc here, or received piece by piece from a guest that may lie: every size is
 * bounded. */
#pragma once

#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "capture/events.h"
#include "capture/wire/wire.h"

struct meta_text {
	enum wire_meta_kind kind;
	char *system, *name; /* NULL but for formats */
	struct strbuf text;
};
struct meta_texts ARRAY(struct meta_text);

struct meta {
	struct meta_texts texts;
	uint64_t bytes;
};

/* Takes one piece: text is not terminated, system and name may be NULL. 0 or -errno. */
typedef int meta_emit_fn(void *ctx, enum wire_meta_kind kind, const char *system, const char *name,
			 const char *text, size_t n);

/* What is needed before the first page: headers, formats of the wanted events and of the kernel's
 * own records, printk formats, clock, uname. One message on failure. */
must_check int meta_gather(const char *tracefs, const struct instance *i, const struct events *e,
			   meta_emit_fn *emit, void *ctx);
/* The formats of the wanted events alone. One message on failure. */
must_check int meta_gather_events(const char *tracefs, const struct events *list,
				  meta_emit_fn *emit, void *ctx);
/* The names of all threads that live now or that the kernel remembers; may be called again later, as
 * one piece more. 0, -ENOMEM or what emit returned. */
must_check int meta_gather_names(const char *tracefs, meta_emit_fn *emit, void *ctx);
/* Kernel symbols; nothing where they may not be read. 0, -ENOMEM or what emit returned. */
must_check int meta_gather_symbols(meta_emit_fn *emit, void *ctx);

/* meta_emit_fn for a struct meta: appends to the text of that kind and name. -EFBIG above the
 * bounds. */
int meta_store(void *meta, enum wire_meta_kind kind, const char *system, const char *name,
	       const char *text, size_t n);
/* Forgets all texts of a kind (before it is gathered anew). */
void meta_drop(struct meta *m, enum wire_meta_kind kind);
/* The text of a kind that exists once; "" when there is none. */
struct wire_text meta_get(const struct meta *m, enum wire_meta_kind kind);
/* Sorts by kind, system, name: what a trace.dat writer wants. */
void meta_sort(struct meta *m);
/* Thread names may come several times: keeps the last line of each thread. 0 or -ENOMEM. */
must_check int meta_unify_cmdlines(struct meta *m);
void meta_free(struct meta *m);
