/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves the ring-buffer pages of an instance out, whole and unparsed: splice(2) from trace_pipe_raw
 * through a pipe into a sink. poll(2) wakes when a CPU's buffer holds the share that buffer_percent
 * says, so that a burst is met and silence costs nothing; one wake-up in half a second takes what came
 * meanwhile. Where poll(2) wakes for less (old kernels), a timer that adapts to the rate. */
#pragma once

#include <poll.h>
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
/* What to poll(2) for: fills v, one for each of pages_cpus(). Anew before every poll. */
unsigned pages_cpus(const struct pages *p);
void pages_poll(const struct pages *p, struct pollfd *v);
/* Moves every full page of the CPUs that v tells of after poll(2), of all when their time has come; v may
 * be NULL. Afterwards pages_wait_ms() says when at the latest to come again. 0 or -errno, silent. */
must_check int pages_drain(struct pages *p, const struct pollfd *v);
int pages_wait_ms(const struct pages *p);
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
