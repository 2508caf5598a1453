// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/watchlock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/journal.h"
#include "base/log.h"

#define NAME ".zero.lock"

int watchlock_take(int *ret_fd)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;

	if (asprintf(&path, "%s/" NAME, journal_default_dir()) < 0) {
		path = NULL;
		return log_err_r(-ENOMEM, "cannot take the lock of onetsc zero: %m");
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return log_err_r(-errno, "cannot open \"%s\": %m", path);
	/* Whoever asks watchlock_is_taken() has it for an instant. */
	for (int try = 0; flock(fd, LOCK_EX | LOCK_NB); try++)
		if (try < 5)
			poll(NULL, 0, 10);
		else
			return log_err_r(
				-EBUSY, "another onetsc zero is watching already (it holds \"%s\")",
				path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

bool watchlock_is_taken(void)
{
	char path[256];
	_cleanup_fd_ int fd = -1;

	/* A watcher is root, whoever asks. */
	snprintf(path, sizeof(path), "/run/onetsc/" NAME);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
}
