/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <stdint.h>

/* Does nothing; a place for a uprobe. */
void stamped(uint64_t before, uint64_t after);
/* RDTSC, not ahead of what comes before it, nor behind what comes after. */
uint64_t stamped_now(void);
