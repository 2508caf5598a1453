/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the launcher and the shim that it preloads. */
#pragma once

/* "FLAGS KHZ PATH": flags q (say only what goes wrong), s (started by a script: keep the environment
 * until a VM is made), - (none); the host's TSC frequency, 0 unknown; where the shim is. */
#define SHIM_ENV "ONETSC_SHIM"

/* For tests of the shim only. */
void shim_configure(const char *env);
void shim_forget_environment(void);
