// SPDX-License-Identifier: GPL-2.0-or-later
/* Files and their order on disk; the bytes of the head come from dathead.c. */
#include "session/datwriter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "session/dathead.h"

#define COPY_STEP_BYTES (64u << 20) /* between two progress lines */

struct datwriter {
	int dirfd;
	char *base;
	unsigned cpus;
	uint32_t page_bytes;
	int *fds;
};

struct part_name {
	char s[NAME_MAX + 1];
};

static struct part_name name_of(const struct datwriter *w, const char *suffix)
{
	struct part_name n;

	snprintf(n.s, sizeof(n.s), "%s.%s", w->base, suffix);
	return n;
}

static struct part_name name_of_cpu(const struct datwriter *w, unsigned cpu)
{
	struct part_name n;

	snprintf(n.s, sizeof(n.s), "%s.cpu%u", w->base, cpu);
	return n;
}

/* A new file of ours; its descriptor or -errno after a message. */
static int create_file(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd >= 0 ? fd : log_err_r(-errno, "cannot create \"%s\" in the session: %m", name);
}

static int sync_dir(const struct datwriter *w)
{
	return fsync(w->dirfd) ? log_err_r(-errno, "cannot sync the session directory: %m") : 0;
}

/* Head with a table of empty CPUs, under a temporary name, then in place. */
static int write_head_file(struct datwriter *w, const struct dat_meta *meta)
{
	struct part_name tmp = name_of(w, "head.tmp"), name = name_of(w, "head");
	_cleanup_fd_ int fd = -1;
	struct dathead head;
	int r;

	unlinkat(w->dirfd, tmp.s, 0);
	fd = create_file(w->dirfd, tmp.s);
	if (fd < 0)
		return fd;
	r = dathead_write(fd, meta, &head);
	if (!r && fsync(fd))
		r = -errno;
	if (!r && renameat(w->dirfd, tmp.s, w->dirfd, name.s))
		r = -errno;
	if (!r)
		return sync_dir(w);
	log_errno(r, "cannot write \"%s\" in the session: %m", name.s);
	unlinkat(w->dirfd, tmp.s, 0);
	return r;
}

static int check_meta(const char *base, const struct dat_meta *meta)
{
	const char *why = NULL;

	if (!meta->cpus || meta->cpus > DATWRITER_CPUS_MAX)
		why = "the number of CPUs is out of range";
	else if (meta->page_bytes < 4096 || meta->page_bytes > (1u << 24) ||
		 (meta->page_bytes & (meta->page_bytes - 1)))
		why = "the size of a ring-buffer page is not a power of two from 4 KiB to 16 MiB";
	else if (meta->mult > INT32_MAX || meta->shift > 32)
		why = "the conversion of ticks to ns does not fit its option";
	else if (strchr(base, '/') || strlen(base) + sizeof(".cpu4294967295") > NAME_MAX)
		why = "the name is not that of a file";
	if (!why)
		return 0;
	log_err("cannot write \"%s\": %s", base, why);
	return -EINVAL;
}

static int open_parts(struct datwriter *w)
{
	for (unsigned cpu = 0; cpu < w->cpus; cpu++) {
		w->fds[cpu] = create_file(w->dirfd, name_of_cpu(w, cpu).s);
		if (w->fds[cpu] < 0)
			return w->fds[cpu];
	}
	return 0;
}

/* Takes back what a failed create made: only files that this writer opened. */
static void remove_parts(struct datwriter *w)
{
	for (unsigned cpu = 0; cpu < w->cpus; cpu++)
		if (w->fds[cpu] >= 0)
			unlinkat(w->dirfd, name_of_cpu(w, cpu).s, 0);
}

int datwriter_create(int dirfd, const char *base, const struct dat_meta *meta,
		     struct datwriter **ret)
{
	_cleanup_datwriter_ struct datwriter *w = NULL;
	int r = check_meta(base, meta);

	if (r)
		return r;
	w = calloc(1, sizeof(*w));
	if (!w)
		return log_err_r(-ENOMEM, "cannot write \"%s\": %m", base);
	w->cpus = meta->cpus;
	w->page_bytes = meta->page_bytes;
	w->dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	w->base = strdup(base);
	w->fds = malloc(w->cpus * sizeof(*w->fds));
	if (w->dirfd < 0 || !w->base || !w->fds)
		return log_err_r(w->dirfd < 0 ? -errno : -ENOMEM, "cannot write \"%s\": %m", base);
	for (unsigned cpu = 0; cpu < w->cpus; cpu++)
		w->fds[cpu] = -1;
	if (!faccessat(w->dirfd, base, F_OK, AT_SYMLINK_NOFOLLOW) ||
	    !faccessat(w->dirfd, name_of(w, "head").s, F_OK, AT_SYMLINK_NOFOLLOW))
		return log_err_r(-EEXIST, "cannot write \"%s\" in the session: %m", base);
	r = open_parts(w);
	if (!r)
		r = write_head_file(w, meta);
	if (r) {
		remove_parts(w);
		return r;
	}
	*ret = TAKE_PTR(w);
	return 0;
}

int datwriter_cpu_fd(const struct datwriter *w, unsigned cpu)
{
	return cpu < w->cpus ? w->fds[cpu] : -EINVAL;
}

uint64_t datwriter_cpu_bytes(const struct datwriter *w, unsigned cpu)
{
	struct stat st;

	return cpu < w->cpus && !fstat(w->fds[cpu], &st) ? (uint64_t)st.st_size : 0;
}

/* What create accepted and laid out must still hold. */
static int check_same(const struct datwriter *w, const struct dat_meta *meta)
{
	if (meta->cpus == w->cpus && meta->page_bytes == w->page_bytes)
		return check_meta(w->base, meta);
	log_err("cannot write \"%s\": its CPUs or its page size changed while it was recorded",
		w->base);
	return -EINVAL;
}

int datwriter_update(struct datwriter *w, const struct dat_meta *meta)
{
	int r = check_same(w, meta);

	return r ? r : write_head_file(w, meta);
}

/* read(2) and write(2), for what copy_file_range(2) cannot do. Bytes copied or -errno. */
static ssize_t copy_plain(int in, off_t in_at, int out, off_t out_at, size_t n)
{
	_cleanup_free_ char *buf = NULL;
	size_t step = n < (1u << 20) ? n : 1u << 20;
	ssize_t r, w;

	buf = malloc(step);
	if (!buf)
		return -ENOMEM;
	r = pread(in, buf, step, in_at);
	if (r <= 0)
		return r ? -errno : -ENODATA;
	w = pwrite(out, buf, (size_t)r, out_at);
	return w < 0 ? -errno : w;
}

static bool copy_range_unfit(int err)
{
	return err == EXDEV || err == EINVAL || err == ENOSYS || err == EOPNOTSUPP || err == EBADF;
}

/* One step of a copy: at most COPY_STEP_BYTES. Bytes copied or -errno. */
static ssize_t copy_step(int in, off_t in_at, int out, off_t out_at, size_t n, bool *plain)
{
	loff_t i = in_at, o = out_at;
	ssize_t r;

	if (n > COPY_STEP_BYTES)
		n = COPY_STEP_BYTES;
	if (!*plain) {
		r = copy_file_range(in, &i, out, &o, n, 0);
		if (r > 0)
			return r;
		if (r < 0 && !copy_range_unfit(errno))
			return -errno;
		*plain = true; /* 0: some file systems say so instead of an error */
	}
	return copy_plain(in, in_at, out, out_at, n);
}

static int copy_part(struct datwriter *w, unsigned cpu, int out, uint64_t at, uint64_t bytes,
		     uint64_t *done, uint64_t total)
{
	bool plain = false;
	uint64_t pos = 0;

	while (pos < bytes) {
		ssize_t r = copy_step(w->fds[cpu], (off_t)pos, out, (off_t)(at + pos),
				      (size_t)(bytes - pos), &plain);

		if (r == -EINTR)
			continue;
		if (r < 0)
			return (int)r;
		pos += (uint64_t)r;
		*done += (uint64_t)r;
		if (total > COPY_STEP_BYTES)
			log_progress("writing %s: %u %%", w->base, (unsigned)(*done * 100 / total));
	}
	return 0;
}

static int write_cpus(struct datwriter *w, int out, const struct dathead *head)
{
	_cleanup_free_ struct dat_place *places = calloc(w->cpus, sizeof(*places));
	uint64_t done = 0, total;
	int r = 0;

	if (!places)
		return -ENOMEM;
	for (unsigned cpu = 0; cpu < w->cpus; cpu++) {
		uint64_t bytes = datwriter_cpu_bytes(w, cpu);

		places[cpu].bytes = bytes - bytes % w->page_bytes;
	}
	total = dathead_place(head, w->page_bytes, places, w->cpus);
	for (unsigned cpu = 0; !r && cpu < w->cpus; cpu++)
		r = copy_part(w, cpu, out, places[cpu].at, places[cpu].bytes, &done, total);
	if (!r && ftruncate(out, (off_t)total)) /* the padding when the last CPUs are empty */
		r = -errno;
	return r ? r : dathead_write_table(out, head, places, w->cpus);
}

static void remove_all_parts(struct datwriter *w)
{
	for (unsigned cpu = 0; cpu < w->cpus; cpu++)
		unlinkat(w->dirfd, name_of_cpu(w, cpu).s, 0);
	unlinkat(w->dirfd, name_of(w, "head").s, 0);
}

int datwriter_finish(struct datwriter *w, const struct dat_meta *meta)
{
	struct part_name tmp = name_of(w, "tmp");
	_cleanup_fd_ int out = -1;
	struct dathead head;
	int r = check_same(w, meta);

	if (r)
		return r;
	unlinkat(w->dirfd, tmp.s, 0);
	out = create_file(w->dirfd, tmp.s);
	if (out < 0)
		return out;
	r = dathead_write(out, meta, &head);
	if (!r)
		r = write_cpus(w, out, &head);
	if (!r && fsync(out))
		r = -errno;
	if (!r && renameat(w->dirfd, tmp.s, w->dirfd, w->base))
		r = -errno;
	if (r) {
		unlinkat(w->dirfd, tmp.s, 0);
		return log_err_r(
			r,
			"cannot write \"%s\": %m; what was recorded stays readable in \"%s.head\" "
			"and \"%s.cpu*\"",
			w->base, w->base, w->base);
	}
	r = sync_dir(w);
	if (!r)
		remove_all_parts(w);
	return r;
}

void datwriter_free(struct datwriter *w)
{
	if (!w)
		return;
	for (unsigned cpu = 0; w->fds && cpu < w->cpus; cpu++)
		if (w->fds[cpu] >= 0)
			close(w->fds[cpu]);
	if (w->dirfd >= 0)
		close(w->dirfd);
	free(w->fds);
	free(w->base);
	free(w);
}
