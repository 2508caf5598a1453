// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mono.h"

#define PIPE_BYTES  (1 << 20) /* the default limit of /proc/sys/fs/pipe-max-size */
#define WAIT_MIN_MS 1
#define WAIT_MAX_MS 128

#define WAIT_POLL_MS	500	    /* what a kill -9 may cost where little happens */
#define FULL_PER_MS	(64u << 10) /* of a busy CPU: without poll(2) the buffer bounds the wait */
#define WATERMARK_PART	16	    /* of a buffer: less is no reason to wake */
#define WRONG_WAKES_MAX 8

/* include/linux/ring_buffer.h and kernel/trace/ring_buffer.c: u64 time stamp, then a long whose low
 * 20 bits are the length of the data and whose top bits say that events were lost before it. */
#define PAGE_HEADER_BYTES 16
#define COMMIT_MASK	  ((1u << 20) - 1)
#define MISSED_STORED	  (1u << 30)

struct stream {
	int fd;
	bool mute; /* poll(2) gave an error: the CPU has no buffer yet */
	uint64_t bytes;
};

struct pages {
	const struct instance *instance;
	struct pages_sink sink;
	int pipe[2];
	size_t pipe_bytes;
	unsigned wait_ms, wait_max_ms;
	int64_t due_ms;	      /* when all CPUs are drained whether or not poll(2) tells of them */
	unsigned wrong_wakes; /* WRONG_WAKES_MAX: poll(2) is not used any more */
	unsigned cpus;
	struct stream streams[];
};

static bool polls(const struct pages *p)
{
	return p->wrong_wakes < WRONG_WAKES_MAX;
}

static int open_pipe(struct pages *p)
{
	int n;

	if (pipe2(p->pipe, O_CLOEXEC | O_NONBLOCK))
		return log_err_r(-errno, "cannot create a pipe: %m");
	n = fcntl(p->pipe[1], F_SETPIPE_SZ, PIPE_BYTES);
	if (n < 0)
		n = fcntl(p->pipe[1], F_GETPIPE_SZ);
	if (n < (int)p->instance->page_bytes)
		return log_err_r(-ENOBUFS, "a pipe holds only %d bytes", n);
	p->pipe_bytes = (size_t)n / p->instance->page_bytes * p->instance->page_bytes;
	return 0;
}

static int open_streams(struct pages *p)
{
	char path[64];

	for (unsigned c = 0; c < p->cpus; c++) {
		snprintf(path, sizeof(path), "per_cpu/cpu%u/trace_pipe_raw", c);
		p->streams[c].fd =
			openat(p->instance->dirfd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (p->streams[c].fd < 0)
			return log_err_r(-errno, "cannot open \"%s/%s\": %m", p->instance->path,
					 path);
	}
	return 0;
}

static unsigned wait_max(uint64_t buffer_bytes)
{
	uint64_t ms = buffer_bytes / FULL_PER_MS;

	return ms < WAIT_MIN_MS ? WAIT_MIN_MS : ms < WAIT_MAX_MS ? (unsigned)ms : WAIT_MAX_MS;
}

int pages_open(const struct instance *i, const struct pages_sink *sink, struct pages **ret)
{
	struct pages *p = calloc(1, sizeof(*p) + i->cpus * sizeof(p->streams[0]));
	int r;

	if (!p)
		return -ENOMEM;
	p->instance = i;
	p->sink = *sink;
	p->cpus = i->cpus;
	p->wait_ms = WAIT_MIN_MS;
	p->wait_max_ms = wait_max(i->buffer_bytes);
	p->pipe[0] = p->pipe[1] = -1;
	for (unsigned c = 0; c < p->cpus; c++)
		p->streams[c].fd = -1;
	r = open_pipe(p);
	if (!r)
		r = open_streams(p);
	if (r) {
		pages_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

static int hand_over(struct pages *p, unsigned cpu, size_t n)
{
	int r = p->sink.put(p->sink.ctx, cpu, p->pipe[0], n);

	if (!r)
		p->streams[cpu].bytes += n;
	return r;
}

/* Nothing (more) to read. ENODEV: a CPU that was never online has no buffer
 * (ring_buffer_alloc_read_page()). */
static bool is_empty(int err)
{
	return err == EAGAIN || err == ENODEV;
}

/* tracing_buffers_splice_read() gives full pages only; -EAGAIN when there is none. */
static int drain_cpu(struct pages *p, unsigned cpu, uint64_t *ret_bytes)
{
	uint64_t sum = 0;
	int r = 0;

	/* At most one buffer's worth, so that one busy CPU does not starve the others. */
	while (!r && sum <= p->instance->buffer_bytes) {
		ssize_t n = splice(p->streams[cpu].fd, NULL, p->pipe[1], NULL, p->pipe_bytes,
				   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n && !is_empty(errno) ? -errno : 0;
			break;
		}
		r = hand_over(p, cpu, (size_t)n);
		sum += (uint64_t)n;
		if ((size_t)n < p->pipe_bytes)
			break;
	}
	*ret_bytes = sum;
	return r;
}

/* More than a quarter of a buffer in one round: come twice as often; less than a sixteenth: half. */
static void adapt(struct pages *p, uint64_t most)
{
	if (most > p->instance->buffer_bytes / 4 && p->wait_ms > WAIT_MIN_MS)
		p->wait_ms /= 2;
	else if (most < p->instance->buffer_bytes / 16 && p->wait_ms < p->wait_max_ms)
		p->wait_ms *= 2;
}

/* Kernels before 6.1 wake at the first event: that would be a wake-up each for a page or none. */
static void judge_wake(struct pages *p, uint64_t bytes)
{
	bool wrong = bytes < p->instance->buffer_bytes / WATERMARK_PART;

	if (!wrong && p->wrong_wakes)
		p->wrong_wakes--;
	else if (wrong && ++p->wrong_wakes == WRONG_WAKES_MAX)
		log_debug("\"%s\": poll(2) wakes too early, read by a timer instead",
			  p->instance->path);
}

unsigned pages_cpus(const struct pages *p)
{
	return p->cpus;
}

void pages_poll(const struct pages *p, struct pollfd *v)
{
	for (unsigned c = 0; c < p->cpus; c++)
		v[c] = (struct pollfd){.fd = polls(p) && !p->streams[c].mute ? p->streams[c].fd
									     : -1,
				       .events = POLLIN};
}

int pages_drain(struct pages *p, const struct pollfd *polled)
{
	int64_t now = mono_ms();
	uint64_t most = 0, n;
	bool due = now >= p->due_ms;

	for (unsigned c = 0; c < p->cpus; c++) {
		short got = polled ? polled[c].revents : 0;
		int r;

		if (got & (POLLERR | POLLHUP | POLLNVAL))
			p->streams[c].mute = true;
		if (!due && !(got & POLLIN))
			continue;
		r = drain_cpu(p, c, &n);
		if (r)
			return r;
		if (got & POLLIN)
			judge_wake(p, n);
		if (n)
			p->streams[c].mute = false;
		most = n > most ? n : most;
	}
	if (due) {
		adapt(p, most);
		p->due_ms = now + (polls(p) ? WAIT_POLL_MS : p->wait_ms);
	}
	return 0;
}

int pages_wait_ms(const struct pages *p)
{
	int64_t now = mono_ms();

	return p->due_ms > now ? (int)(p->due_ms - now) : 0;
}

void page_pad(void *page, uint32_t page_bytes)
{
	uint64_t commit;
	size_t used;

	memcpy(&commit, (char *)page + 8, sizeof(commit));
	used = PAGE_HEADER_BYTES + (size_t)(commit & COMMIT_MASK);
	if (commit & MISSED_STORED)
		used += sizeof(uint64_t);
	if (used < page_bytes)
		memset((char *)page + used, 0, page_bytes - used);
}

static int flush_cpu(struct pages *p, unsigned cpu, char *page)
{
	uint32_t size = p->instance->page_bytes;
	uint64_t unused;
	int r = drain_cpu(p, cpu, &unused);

	while (!r) {
		ssize_t n = read(p->streams[cpu].fd, page, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n && !is_empty(errno) ? -errno : 0;
		memset(page + n, 0, size - (size_t)n);
		page_pad(page, size);
		r = fd_write_all(p->pipe[1], page, size);
		if (!r)
			r = hand_over(p, cpu, size);
	}
	return r;
}

int pages_flush(struct pages *p)
{
	_cleanup_free_ char *page = malloc(p->instance->page_bytes);
	int r = page ? 0 : -ENOMEM;

	for (unsigned c = 0; !r && c < p->cpus; c++)
		r = flush_cpu(p, c, page);
	return r;
}

uint64_t pages_bytes(const struct pages *p, unsigned cpu)
{
	return p->streams[cpu].bytes;
}

void pages_close(struct pages *p)
{
	if (!p)
		return;
	for (unsigned c = 0; c < p->cpus; c++)
		if (p->streams[c].fd >= 0)
			close(p->streams[c].fd);
	for (int k = 0; k < 2; k++)
		if (p->pipe[k] >= 0)
			close(p->pipe[k]);
	free(p);
}

static int copy_through(int pipe_fd, int fd, size_t n)
{
	char buf[16384];

	while (n) {
		size_t want = n < sizeof(buf) ? n : sizeof(buf);
		int r = fd_read_all(pipe_fd, buf, want);

		if (!r)
			r = fd_write_all(fd, buf, want);
		if (r)
			return r;
		n -= want;
	}
	return 0;
}

int pages_to_fd(int pipe_fd, int fd, size_t n)
{
	while (n) {
		ssize_t w = splice(pipe_fd, NULL, fd, NULL, n, SPLICE_F_MOVE);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EINVAL)
			return copy_through(pipe_fd, fd, n);
		if (w <= 0)
			return w ? -errno : -EIO;
		n -= (size_t)w;
	}
	return 0;
}
