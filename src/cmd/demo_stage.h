/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of the demo that needs a VM: runs the case "demo" of the lab's scripts, on this machine
 * or in an emulated host, and tells what it is at. */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"

/* Directory with the scripts "run" and "local": $ONETSC_LAB, else where they were installed, else
 * the source tree. -ENOENT after a message. The caller frees *ret. */
must_check int demo_stage_find(char **ret);

/* Runs it: here uses this machine's KVM, else an emulated one. Results go to out, all that it says
 * to out/stage.log. 0; -ECANCELED after Ctrl-C; other -errno after one message. */
must_check int demo_stage_run(const char *scripts, const char *onetsc, bool here, const char *out);
