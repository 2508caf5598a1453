/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the victim program shares with the test that works on it: one page, mapped by both. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

enum victim_kind {
	VICTIM_SPIN,	/* registers, flags, red zone, vector registers */
	VICTIM_SIGNALS, /* the same under a signal every 100 us, handler on an alternate stack */
	VICTIM_FUTEX,	/* FUTEX_WAIT without timeout: -ERESTARTSYS */
	VICTIM_PPOLL,	/* with timeout and mask: -ERESTARTNOHAND */
	VICTIM_POLL,	/* with timeout: -ERESTART_RESTARTBLOCK */
	VICTIM_SLEEP,	/* clock_nanosleep */
	VICTIM_READ,	/* blocking read of a pipe: -ERESTARTSYS */
	VICTIM_SUSPEND, /* sigsuspend: must come back once a handler ran */
	VICTIM_SECCOMP, /* spins under a filter that kills for any ioctl */
	VICTIM_KINDS
};

struct victim_slot {
	pid_t tid;
	volatile uint64_t rounds; /* completed and found right */
	volatile uint64_t errors;
	volatile uint64_t spurious; /* -EINTR without a signal: only a killed tracer may cause it */
	volatile uint64_t error_code;
};

struct victim_page {
	volatile int ready;
	volatile int stop;
	pid_t pid;
	int pipe_fd; /* holds victim_pipe_bytes bytes that nobody reads */
	int socket_fd;
	struct victim_slot slot[VICTIM_KINDS];
};

#define VICTIM_PIPE_BYTES 5

/* tests/live/spin.S: 0, or the number of what differed. */
long victim_spin_regs(long rounds, long have_avx);
