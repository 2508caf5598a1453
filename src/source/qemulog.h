/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One line of QEMU's own trace log, and stamps of clocks in nanoseconds. Pure. */
#pragma once

#include "source/textline.h"

/* The two forms, told apart line by line; the stamp becomes nanoseconds, the task "qemu":
 *
 *   TID@SEC.FRACTION:EVENT ARGUMENTS	-msg timestamp=on up to QEMU 10.0 (scripts/tracetool/backend/
 *					log.py: gettimeofday(), six digits), and what qemusimple.h makes
 *   2025-07-21T12:34:56.789012Z TEXT	QEMU 10.1 and later (util/log.c), and QEMU's other messages
 *					before; without a fraction when that is 0. No thread
 *
 * TEXT is taken for an event when its first word is a name with an underscore, as all but one of
 * QEMU's are. "PID@SEC.FRACTION:!N" is a mark: N events were dropped. Everything else is
 * TEXTLINE_NO_STAMP, or says what is wrong with the stamp. */
enum textline_status qemulog_line(const char *s, size_t n, struct textline *ret);
