/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command that a recording runs: forked before anything else, started when all is set up. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct record_child {
	pid_t pid; /* 0: none, or it has ended and was waited for */
	int go_fd; /* closing it without a word lets the child leave */
	int err_fd;
	int status; /* as a shell would give it: exit code, or 128 + signal */
};

#define RECORD_CHILD_NONE ((struct record_child){0, -1, -1, 0})

/* Can that command be executed? 0, or -errno after a message. */
must_check int record_child_check(const char *name);
/* Forks; the child waits. To be called while this process has no other thread. Logs. */
must_check int record_child_fork(char *const *argv, struct record_child *ret);
/* Lets it run the command. -errno after a message when it could not be executed; status is then 127
 * or 126. */
must_check int record_child_go(struct record_child *c, const char *name);
/* Looks whether it has ended. */
bool record_child_ended(struct record_child *c);
void record_child_signal(const struct record_child *c, int sig);
/* A child that was never let go ends; one that runs stays. */
void record_child_release(struct record_child *c);
