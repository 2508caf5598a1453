/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client of QEMU's monitor: at a Unix socket, or through libvirt's virsh. Every call ends within its
 * time, whatever answers. Silent: qmp_why() has the words. Knows nothing of traces. */
#pragma once

#include <sys/types.h>

#include "capture/qmpwire.h"

struct qmp;

/* addr: "unix:PATH", or "virsh:DOMAIN" (virsh qemu-monitor-command). For a socket: connects, waits for
 * the greeting, negotiates. Each command may take twice timeout_ms. -ETIMEDOUT: nothing was said (a
 * monitor serves one client at a time); -ECONNRESET, -EBADMSG, -EMSGSIZE: closed, said what is no QMP,
 * or too much; -errno of connect. */
must_check int qmp_open(const char *addr, int timeout_ms, struct qmp **ret);
/* The process that listens at the socket; 0 unknown. */
pid_t qmp_peer(const struct qmp *q);
/* Can descriptors be handed to QEMU? */
bool qmp_passes_fds(const struct qmp *q);
/* One command; takes args over (NULL: none). fd is sent along unless -1. *ret_value is owned by the
 * caller, ret_value may be NULL. -EREMOTEIO: QEMU refuses, see qmp_error(); else as qmp_open. After
 * any other error but that the connection is of no use. */
must_check int qmp_run(struct qmp *q, const char *command, json_t *args, int fd,
		       json_t **ret_value);
/* A command of the human monitor. Its failures look like successes: *ret_text is what it printed, ""
 * when all is well; the caller frees it. */
must_check int qmp_human(struct qmp *q, const char *line, char **ret_text);
/* What QEMU said when it last refused, printable; "" before. */
const char *qmp_error(const struct qmp *q);
void qmp_close(struct qmp *q);

/* An error of the above as a half-sentence for people. */
const char *qmp_why(int err);
