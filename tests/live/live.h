/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting, watching and ending a victim. */
#pragma once

#include <stdbool.h>

#include "base/journal.h"
#include "victim.h"

/* Starts the program in ONETSC_VICTIM with the given threads; waits until they run. */
struct victim_page *victim_start(const int *kinds, int n);
void victim_end(struct victim_page *page);
/* Waits until every thread has completed `more` rounds from now on. False after 20 s. */
bool victim_progress(const struct victim_page *page, const int *kinds, int n, uint64_t more);
/* Asserts that no thread found anything wrong; prints what it was. */
void victim_assert_well(const struct victim_page *page);
/* Are the bytes at the entry point those of the file? */
bool victim_text_is_original(const struct victim_page *page);

/* An undo journal in a directory of its own. */
struct live_journal {
	char dir[64];
	struct journal *j;
};
void live_journal_open(struct live_journal *lj);
void live_journal_close(struct live_journal *lj);
