// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"

int fd_write_all(int fd, const void *buf, size_t n)
{
	const char *p = buf;

	while (n) {
		ssize_t w = write(fd, p, n);

		if (w < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

int fd_read_all(int fd, void *buf, size_t n)
{
	char *p = buf;

	while (n) {
		ssize_t r = read(fd, p, n);

		if (r < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (!r)
			return -ENODATA;
		p += r;
		n -= (size_t)r;
	}
	return 0;
}

/* Grows *buf so that at least one more byte plus the NUL fits; -EFBIG past cap. */
static int read_grow(char **buf, size_t *size, size_t used, size_t cap)
{
	size_t want;
	char *p;

	if (used + 1 < *size)
		return 0;
	if (used > cap)
		return -EFBIG;
	want = *size ? *size * 2 : 4096;
	if (want > cap + 2)
		want = cap + 2;
	p = realloc(*buf, want);
	if (!p)
		return -ENOMEM;
	*buf = p;
	*size = want;
	return 0;
}

int file_read(int dirfd, const char *path, size_t cap, char **ret, size_t *ret_n)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *buf = NULL;
	size_t size = 0, used = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t r;
		int err = read_grow(&buf, &size, used, cap);

		if (err)
			return err;
		r = read(fd, buf + used, size - used - 1);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (!r)
			break;
		used += (size_t)r;
	}
	if (used > cap)
		return -EFBIG;
	buf[used] = 0;
	if (ret_n)
		*ret_n = used;
	*ret = TAKE_PTR(buf);
	return 0;
}

int file_read_line(int dirfd, const char *path, char *buf, size_t n)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t r;

	if (fd < 0)
		return -errno;
	r = read(fd, buf, n - 1);
	if (r < 0)
		return -errno;
	buf[r] = 0;
	buf[strcspn(buf, "\n")] = 0;
	return 0;
}

int file_write_str(int dirfd, const char *path, const char *text)
{
	_cleanup_fd_ int fd = openat(dirfd, path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, text, strlen(text));
}

int file_read_u64(int dirfd, const char *path, unsigned long long *ret)
{
	char buf[64];
	uint64_t v;
	int r = file_read_line(dirfd, path, buf, sizeof(buf));

	if (r)
		return r;
	r = text_to_u64(buf, &v);
	if (!r)
		*ret = v;
	return r;
}

int dir_make(const char *path, mode_t mode)
{
	struct stat st;

	if (!mkdir(path, mode))
		return 0;
	if (errno != EEXIST)
		return -errno;
	if (lstat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}
