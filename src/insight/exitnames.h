/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What exit reasons are called: by the trace's own format where it tells, else by the kernel's headers. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "source/source.h"

struct exitnames;

/* exit and user are kvm_exit and kvm_userspace_exit of the trace s, or NULL. -ENOMEM. */
must_check int exitnames_new(const struct source *s, const struct source_kind *exit,
			     const struct source_kind *user, struct exitnames **ret);
void exitnames_free(struct exitnames *n);

/* "hlt", "EPT_VIOLATION"; "0x7f" when it has no name. "" for isa 0. Valid as long as n. */
const char *exitnames_exit(struct exitnames *n, uint32_t isa, uint32_t reason);
/* "IO", "interrupted"; "" for EXIT_NO_REASON. */
const char *exitnames_user(struct exitnames *n, uint32_t reason);
