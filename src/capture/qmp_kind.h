/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to a monitor: a table in qmp.c, a row for each. Private to qmp*.c. */
#pragma once

#include <sys/types.h>

#include "capture/qmpwire.h"

struct qmp_io {
	char *where;
	int fd;	   /* lines of QMP come from there; -1 none */
	pid_t pid; /* listens at the socket, or the virsh that runs */
	int64_t end_ms;
};

struct qmp_way {
	const char *prefix; /* of addresses */
	bool greets, passes_fds;
	/* All return 0 or -errno and keep to io->end_ms. */
	int (*open)(struct qmp_io *io);
	int (*send)(struct qmp_io *io, const char *line, int fd);
	/* After an answer was taken, or none came. */
	void (*done)(struct qmp_io *io);
};

extern const struct qmp_way qmp_unix, qmp_virsh;

/* Waits for events of fd until io->end_ms. -ETIMEDOUT. */
must_check int qmp_wait(const struct qmp_io *io, int fd, short events);
