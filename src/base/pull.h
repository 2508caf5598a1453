/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Turns a function that pushes into one that is pulled from. It has a thread of its own, but runs only
 * while the other side waits for it: both may use the same data without locks. */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"

struct pull;

/* run(state, p) gives batches and returns 0 or -errno; it starts with the first pull_take(). Signals
 * meant for the process stay with the other threads. */
must_check int pull_new(int (*run)(void *state, struct pull *p), void *state, struct pull **ret);
/* Only in run: hands a batch over and waits until it is used up. -ECANCELED: nobody wants more. */
must_check int pull_give(struct pull *p, const void *batch, size_t n);
/* The next batch, valid until the next call; n 0: the end. Else the -errno of run, or -EINTR when a
 * signal handler ran: call again, or free. */
must_check int pull_take(struct pull *p, const void **ret_batch, size_t *ret_n);
/* Waits until run has returned: when it does not give soon, tell it by other means. */
void pull_free(struct pull *p);
