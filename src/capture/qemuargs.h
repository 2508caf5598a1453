/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What QEMU's command line tells of its monitors and its log. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

#define QEMUARGS_MONITORS_MAX 8

struct qemuargs {
	char *monitors[QEMUARGS_MONITORS_MAX]; /* paths of QMP sockets, as QEMU sees them */
	size_t n_monitors;
	char *domain;	/* libvirt holds the monitor of this VM; NULL: it does not */
	char *log;	/* -D; NULL none */
	bool daemonize; /* without -D nothing is logged then */
};

/* argv ends with NULL. 0, -ENOMEM. */
must_check int qemuargs_parse(char *const argv[], struct qemuargs *ret);
void qemuargs_free(struct qemuargs *a);
#define _cleanup_qemuargs_ _cleanup_(qemuargs_free)
