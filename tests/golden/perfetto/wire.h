/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protocol buffers, the reading side: strict, and ends the program at the first byte that is not as it must be. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bytes {
	const uint8_t *p, *end;
};

struct field {
	uint32_t number;
	unsigned wire;
	uint64_t v;	/* wire types 0 and 1 */
	struct bytes b; /* 2 */
};

extern const uint8_t *file_start; /* messages name bytes from here on */

__attribute__((format(printf, 2, 3), noreturn)) void die(const uint8_t *at, const char *fmt, ...);
uint64_t varint(struct bytes *b);
/* The next field of a message; false at its end. */
bool next(struct bytes *m, struct field *f);
/* Any field of m but those of the list ends the program: " 1v 2b 47f " (varint, bytes, fixed). */
void allow(const struct field *f, const struct bytes *m, const char *fields);
/* A copy. */
char *text(struct bytes b);

/* Counts how often it is called with that text; ns are summed. */
__attribute__((format(printf, 2, 3))) void count(uint64_t ns, const char *fmt, ...);
void print_counts(void);
