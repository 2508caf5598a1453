/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole reads and writes on file descriptors; small files in one call. Silent: errors are returned. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* Writes all n bytes. 0 or -errno. */
must_check int fd_write_all(int fd, const void *buf, size_t n);
/* Reads exactly n bytes; -ENODATA when the stream ends before. */
must_check int fd_read_all(int fd, void *buf, size_t n);

/* Reads the file of any kind (also /proc, tracefs) up to cap bytes into a new NUL-terminated buffer
 * that the caller frees; -EFBIG when it holds more. *ret_n may be NULL. dirfd as in openat(2). */
must_check int file_read(int dirfd, const char *path, size_t cap, char **ret, size_t *ret_n);
/* First line of a small file without its newline, into buf. */
must_check int file_read_line(int dirfd, const char *path, char *buf, size_t n);
/* open(2) O_WRONLY|O_TRUNC without O_CREAT, one write, close: the way tracefs wants it. */
must_check int file_write_str(int dirfd, const char *path, const char *text);
/* Reads a decimal or 0x number from a file that holds only it. */
must_check int file_read_u64(int dirfd, const char *path, unsigned long long *ret);
/* mkdir -p for the last path component only where the parent exists; existing directory is fine. */
must_check int dir_make(const char *path, mode_t mode);
