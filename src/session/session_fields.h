/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What session.json holds: one table per struct, used by its reader and its writer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kind {
	K_STR,	/* char *, one line */
	K_FILE, /* char *, a plain file name */
	K_BOOL,
	K_NUM, /* a small unsigned number */
	K_INT, /* a small signed number */
	K_U64, /* written as a string: JSON readers lose bits above 2^53 */
	K_HEX, /* the same in hexadecimal */
	K_S64, /* signed, as a string */
};

struct field {
	const char *key;
	enum kind kind;
	size_t at, size;
	int64_t lo;
	uint64_t hi;
	bool required;
	size_t has; /* offset + 1 of a bool that says whether the value is there; 0: none */
};

/* A list of one of these structs, whatever its type: the common shape of all ARRAY()s. */
struct list {
	char *v;
	size_t n, size;
};
struct list_kind {
	const char *key;
	const struct field *fields;
	size_t bytes, max;
};
#define LIST(a) ((struct list *)(a))

extern const struct field session_fields[], machine_fields[], part_fields[];
extern const struct list_kind cpu_list, vcpu_list, place_list, pair_list;
