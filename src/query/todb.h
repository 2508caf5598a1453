/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the tables of a session into a database file. */
#pragma once

#include <signal.h>

#include "timeline/timeline.h"

struct todb_config {
	const struct input *in;
	const char *path;		   /* an empty file, or none */
	const struct timeline_filter *ask; /* from_ticks, to_ticks and vm count */
	const volatile sig_atomic_t *stop; /* not 0: ends soon with -EINTR, silently */
};

/* In one transaction, in bounded memory. One message per failure. */
must_check int todb_write(const struct todb_config *c);
