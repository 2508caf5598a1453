/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by inject*.c only. */
#pragma once

#include <stdbool.h>

#include "vm/blob.h"
#include "vm/inject.h"
#include "vm/tracee.h"

enum inject_state {
	INJECT_OWN,   /* stopped at a signal-type stop with its own registers */
	INJECT_ARMED, /* same stop, registers switched to the blob */
	INJECT_DONE,  /* stopped at the exit of the blob's system call */
	INJECT_LOST,  /* runs on in the blob; the kernel lets it go when the tracer thread ends */
	INJECT_ENDED,
};

struct inject_thread {
	struct inject *inj;
	struct inject_thread *next;
	pid_t tid;
	enum inject_state state;
	bool borrowed;		     /* stays stopped and traced at the end */
	struct user_regs_struct own; /* what it gets back */
	bool stack_used;
	uint8_t stack[BLOB_STACK_BYTES]; /* its bytes at blob_stack(own.rsp) */
	struct user_regs_struct armed;
	struct inject_call *call;
};

struct inject {
	pid_t pid;
	uint64_t start_ticks;
	struct journal *journal;
	struct inject_why *why;
	struct inject_thread *threads, *main; /* main: the first that lives */
	/* the blob's place */
	bool placed;
	uint64_t entry, journal_id;
	uint8_t text[BLOB_AREA_BYTES];
};

/* Writes the reason (unless there is one) and evaluates to err. */
int inject_fail(struct inject *inj, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* inject_text.c: puts the blob there (journaled, read back), takes it away (verified). The main
 * thread must be stopped. */
must_check int inject_text_place(struct inject *inj);
must_check int inject_text_remove(struct inject *inj);

/* inject_call.c: reads the registers of a thread that has just stopped. */
must_check int inject_take(struct inject_thread *t);
/* Brings it back to INJECT_OWN, from whatever state. */
must_check int inject_leave(struct inject_thread *t, uint64_t deadline_ns);
