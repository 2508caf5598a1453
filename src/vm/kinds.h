/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VMMs whose command lines are understood. A new one: a row in kinds.c, a test. */
#pragma once

#include "vm/vm.h"

/* Never NULL. exe may be a path; "" when unknown. */
const struct vmm_kind *vmm_kind_find(const char *exe);
