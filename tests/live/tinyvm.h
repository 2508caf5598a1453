/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory of tinyvm, as the test sees it. */
#pragma once

#include <stdint.h>

#define TINYVM_BYTES	0x10000
#define TINYVM_SPIN	0x1000
#define TINYVM_HALT	0x1100
#define TINYVM_COUNTERS 0x2000

struct tinyvm_vcpu {
	volatile uint32_t steps; /* by the guest */
	volatile uint32_t halts, interrupted, bad_exit;
	volatile int tid;
	/* of vCPU 0 of the last VM */
	volatile int ready, pid, preloaded;
};
