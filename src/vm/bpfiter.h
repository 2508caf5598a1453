/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Running BPF iterators over the open files of processes. Silent. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct bpf_program;

/* libbpf's own messages become debug lines. */
void bpfiter_log_debug(void);

/* Runs an iterator of kind task_file once over the files of process pid (0, and on kernels before
 * 6.1 always: of all processes), and hands all that it wrote to take(), which may be NULL. */
must_check int bpfiter_run(const struct bpf_program *prog, pid_t pid,
			   int (*take)(void *ctx, const void *bytes, size_t n), void *ctx);
