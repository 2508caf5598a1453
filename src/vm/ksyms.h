/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of kernel addresses, from /proc/kallsyms. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct ksyms;

struct ksym {
	const char *name, *module; /* module is "" for the kernel itself; owned by the table */
	uint64_t start;
};

/* Reads the whole table (some 15 MB of memory). path NULL: /proc/kallsyms. -EPERM when the kernel
 * hides the addresses (kptr_restrict), -EBADMSG with no valid line in it. Silent. */
must_check int ksyms_load(const char *path, struct ksyms **ret);
void ksyms_free(struct ksyms *ks);

/* The symbol that begins at or last before address; false when there is none. NULL ks: false. */
bool ksyms_find(const struct ksyms *ks, uint64_t address, struct ksym *ret);

static inline void cleanup_ksyms(struct ksyms **ks)
{
	ksyms_free(*ks);
}
#define _cleanup_ksyms_ _cleanup_(cleanup_ksyms)
