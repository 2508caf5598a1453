/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How each kind of journal entry is undone, for every command that cleans up. A new kind is a line in
 * undo.c. */
#pragma once

#include "base/journal.h"

/* Ends with a NULL kind. */
extern const struct journal_handler undo_handlers[];

/* Puts back what dead runs left and opens this run's journal. One message on failure. */
must_check int undo_begin(struct journal **ret);
/* Undoes what is still open and closes. Number of changes that could not be put back (each logged);
 * the journal file then stays for `onetsc restore`. NULL is fine. */
unsigned undo_end(struct journal *j);
