/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves the ring-buffer pages of an instance out, whole and unparsed: splice(2) from trace_pipe_raw
 * through a pipe into a sink. Driven by a timer, not by wake-ups: a waiting reader makes the kernel
 * queue irq work inside the traced paths, and poll(2) on these files differs between kernels. */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "capture/instance.h"

struct pages;

/* Takes exactly n bytes (whole pages of one CPU) out of the pipe. 0 or -errno; what it returns ends
 * the call that led to it. */
struct pages_sink {
	int (*put)(void *ctx, unsigned cpu, int pipe_fd, size_t n);
	void *ctx;
};

/* Opens the instance's per-CPU files. One message on failure. */
must_check int pages_open(const struct instance *i, const struct pages_sink *sink,
			  struct pages **ret);
/* Moves every full page that is there now. Afterwards pages_wait_ms() says when to come again:
 * sooner while the buffers fill, later when little happens. 0 or -errno, silent. */
must_check int pages_drain(struct pages *p);
unsigned pages_wait_ms(const struct pages *p);
/* With tracing off: also the partly filled last pages, padded with zeros. 0 or -errno, silent. */
must_check int pages_flush(struct pages *p);
/* Bytes handed to the sink so far, in whole pages. */
uint64_t pages_bytes(const struct pages *p, unsigned cpu);
void pages_close(struct pages *p);

/* Sink helper: n bytes from the pipe to fd; splice(2), or read and write where fd cannot. */
must_check int pages_to_fd(int pipe_fd, int fd, size_t n);

/* Zeroes what lies behind the data of a ring-buffer page that was read(2), so that stale kernel
 * bytes never reach a file. Pure. */
void page_pad(void *page, uint32_t page_bytes);
