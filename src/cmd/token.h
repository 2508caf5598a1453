/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The secret that an agent and a host share. */
#pragma once

#include "base/cleanup.h"

/* From the option's value: TEXT, or @FILE, so that ps(1) does not show it. NULL gives NULL. The
 * caller frees. Logs. */
must_check int token_read(const char *option, char **ret);
