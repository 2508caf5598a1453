// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/bpfiter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"

__attribute__((format(printf, 2, 0))) static int print_libbpf(enum libbpf_print_level level,
							      const char *fmt, va_list ap)
{
	char line[512];

	if (log_get_level() < LOG_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = 0;
	log_debug("libbpf: %s", line);
	return 0;
}

void bpfiter_log_debug(void)
{
	libbpf_set_print(print_libbpf);
}

/* To the end, even when nobody wants it: only then all files have been visited. */
static int read_all(int fd, struct strbuf *b)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf)))) {
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0)
			strbuf_add(b, buf, (size_t)n);
	}
	return b->failed ? -ENOMEM : 0;
}

int bpfiter_run(const struct bpf_program *prog, pid_t pid,
		int (*take)(void *ctx, const void *bytes, size_t n), void *ctx)
{
	/* Of union bpf_iter_link_info, newer than our header; kernels without it visit all. */
	struct {
		uint32_t tid, pid, pid_fd;
	} task = {.pid = (uint32_t)pid};
	_cleanup_strbuf_ struct strbuf b = {0};
	struct bpf_iter_attach_opts opts;
	struct bpf_link *link;
	_cleanup_fd_ int fd = -1;
	int r;

	/* libbpf refuses what is not 0 in the padding, which LIBBPF_OPTS() leaves to chance. */
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.link_info = (void *)&task;
	opts.link_info_len = sizeof(task);
	link = bpf_program__attach_iter(prog, pid ? &opts : NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	r = fd < 0 ? fd : read_all(fd, &b);
	bpf_link__destroy(link);
	return !r && take && b.n ? take(ctx, b.s, b.n) : r;
}
