/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was changed in a VM for its trace events, and its inverse. Private to qemutrace*.c. */
#pragma once

#include "capture/qmp.h"

struct qemuchange {
	pid_t pid;
	uint64_t start_ticks;
	char *monitor; /* as qmp_open() takes it */
	char *marker;
	char *log;	/* what the log is to be set back to; NULL: it was left alone */
	json_t *events; /* names of those that were off */
};

/* One line of JSON, which the caller frees; NULL without memory. */
char *qemuchange_print(const struct qemuchange *c);
/* -EBADMSG, -ENOMEM. */
must_check int qemuchange_parse(const char *text, struct qemuchange *ret);
void qemuchange_free(struct qemuchange *c);
#define _cleanup_qemuchange_ _cleanup_(qemuchange_free)

/* A monitor that is busy gets some time. Silent; 0 also when the VM is gone. */
must_check int qemuchange_undo(const struct qemuchange *c);
/* The log only, over a connection that is open; safe when it never was changed. */
must_check int qemuchange_undo_log(const struct qemuchange *c, struct qmp *q);

#define QEMUCHANGE_FDNAME "onetsc-trace-marker" /* QEMU's name of the descriptor it was handed */
