/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Task names by pid: a hash table that stays bounded whatever a file claims. */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comm_slot;
struct comm_names;
struct comms { /* zero-initialise */
	struct comm_slot *slots;
	struct comm_names *names;
	uint32_t n, size;
};

/* Adds a name of n bytes (up to its first NUL; cut when longer than a kernel's) unless the pid has
 * one. Quietly full at a quarter million. */
void comms_add(struct comms *c, int pid, const char *name, size_t n);
/* NULL when not known; as long as c. */
const char *comms_get(const struct comms *c, int pid);
void comms_free(struct comms *c);
