/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One `onetsc zero` watches at a time: two would keep each other from the same VM. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"

/* Held until the process ends or *ret_fd is closed. -EBUSY and others after one message. */
must_check int watchlock_take(int *ret_fd);
/* Does somebody else hold it? Silent; false also when that cannot be seen. */
bool watchlock_is_taken(void);
