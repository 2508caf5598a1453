/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's side: waits for a host, records this kernel as it is told, streams the raw pages. One
 * session at a time; nothing is left when the host goes away. */
#pragma once

#include "base/journal.h"
#include "capture/link.h"

struct agent_config {
	struct link_addr addr;
	const char *token; /* what the host must show; NULL: only links that are trusted */
	const char *tracefs;
	struct journal *journal;
	bool once; /* end after the first session */
};

/* Serves until a signal in signal_fd (signalfd(2)) says otherwise: 0. -errno after a message when
 * listening is not possible, or when the one session failed (once). */
must_check int agent_run(const struct agent_config *cfg, int signal_fd);
