/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that do small jobs for a merge. A job that nobody has begun when it is waited for is done
 * by the one that waits, so that a crew of one works too, and nobody idles. Used inside timeline/
 * only, by one caller. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/cleanup.h"

#define CREW_MAX 64
/* A merge, which is one thread, keeps about four busy that print its events. */
#define CREW_DEFAULT 8

struct crew;

struct job {					     /* zero-initialise but for run */
	void (*run)(struct job *j, unsigned worker); /* worker: 0 is the caller, then the threads */
	struct job *next, *prev;
	atomic_uint state; /* of crew.c */
};

/* n: 1 to CREW_MAX, the caller among them. A thread is started when there is something for it to do;
 * what the system gives no thread for is done by the caller. */
must_check int crew_new(unsigned n, struct crew **ret);
/* No job is queued or running. */
void crew_free(struct crew *c);
unsigned crew_size(const struct crew *c); /* workers, at most */
/* For a thread to do; urgent ones first, else in this order. */
void crew_submit(struct crew *c, struct job *j, bool urgent);
/* The same, not urgent, unless it is queued or running already. */
void crew_offer(struct crew *c, struct job *j);
/* Returns when it is done, at once when it was not submitted. */
void crew_wait(struct crew *c, struct job *j);
/* The same, but a job that nobody has begun is not done at all. */
void crew_cancel(struct crew *c, struct job *j);
/* How many when nobody asked for a number: the CPUs that this process may use, at most CREW_DEFAULT. */
unsigned crew_default(void);
