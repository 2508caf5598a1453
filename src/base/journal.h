/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Undo journal: the inverse of every change to a live system, written before the change is made.
 * The file survives a killed onetsc; `onetsc restore` (and every next run) undoes what it holds.
 * Knows nothing of the domain: an entry is a kind (one word) and a text; handlers come from above. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct journal;

struct journal_handler {
	const char *kind;
	/* Undoes one entry; must be safe when the change was never made, or its target is gone (both
	 * are success). 0 or -errno. */
	int (*undo)(const char *text);
};

/* /run/onetsc for root, else $XDG_RUNTIME_DIR/onetsc, else /tmp/onetsc-UID (checked to be ours). */
const char *journal_default_dir(void);

/* Creates DIR (0700) and a journal file in it that is locked as long as this process lives. */
must_check int journal_open(const char *dir, struct journal **ret);

/* Writes the inverse of a change that is about to be made. On failure do not make the change. */
must_check int journal_push(struct journal *j, const char *kind, uint64_t *ret_id, const char *fmt,
			    ...) __attribute__((format(printf, 4, 5)));
/* The change has been undone (or was never made). */
void journal_done(struct journal *j, uint64_t id);
/* Number of entries that are still open. */
unsigned journal_count(const struct journal *j);
/* Undoes all open entries, newest first. Number of entries that could not be undone. */
unsigned journal_unwind(struct journal *j, const struct journal_handler *handlers);
/* Removes the file when nothing is open, else leaves it for `onetsc restore`. NULL is fine. */
void journal_close(struct journal *j);

/* Undoes what dead owners left under dir. handlers ends with a NULL kind. *ret_undone and
 * *ret_failed count entries; files are removed when empty. 0 also when dir does not exist. */
must_check int journal_restore(const char *dir, const struct journal_handler *handlers,
			       unsigned *ret_undone, unsigned *ret_failed);
