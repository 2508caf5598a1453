/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How texts name addresses. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* What a program asks for: names of addresses. NULL results: not known. */
struct fmt_names {
	void *ctx;
	const char *(*symbol)(void *ctx, uint64_t addr, uint64_t *ret_start, size_t *ret_n);
	/* of the guest whose vCPU is the thread */
	const char *(*guest_symbol)(void *ctx, int tid, uint64_t addr, uint64_t *ret_start,
				    size_t *ret_n);
	const char *(*printk)(void *ctx, uint64_t addr, size_t *ret_n);
	uint64_t (*address)(void *ctx, const char *symbol); /* 0: none of this name */
};
