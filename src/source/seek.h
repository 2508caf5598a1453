/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places in a lane at which reading can begin, so that what lies before need not be read. */
#pragma once

#include "base/array.h"
#include "source/source.h"

/* Of a page or a compressed chunk. Plain data: kept in files, and not trusted when it comes back. */
struct seek_place {
	uint64_t at;	     /* bytes from where the lane begins in the file; 0: the beginning */
	uint64_t high_ticks; /* highest stamp before it, as the machine's clock counts */
	uint64_t told;	     /* lost events that marks before it stand for */
	uint32_t chunks;     /* that are left, of a compressed lane */
	uint32_t flags;	     /* SEEK_… */
};
enum {
	SEEK_HAS_HIGH = 1, /* there are records before it */
	SEEK_UNTOLD = 2,   /* a mark before it does not tell its number */
};
struct seek_places ARRAY(struct seek_place);

/* Whether lanes of that source have places: it is one file that was closed. */
bool source_can_seek(const struct source *s);
/* Reads the whole lane, shows all records to take() and notes at most some 65,000 places. Says nothing
 * of damage. May run in several threads, for a lane each. 0 or -errno. */
must_check int
source_seek_scan(struct source *s, size_t lane, struct seek_places *ret,
		 void (*take)(void *arg, const struct source_item *items, unsigned n), void *arg);
/* A new cursor begins there. -EBADMSG: no such place. */
must_check int source_cursor_seek(struct source_cursor *c, const struct seek_place *p);
