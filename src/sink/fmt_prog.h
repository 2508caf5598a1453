/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of one kind of event as a program: made once from what libtraceevent parsed of its format
 * file, run for each record. A program is const: threads may share it. It only jumps forward and
 * never reads outside the record, so it ends and is safe whatever the format file or the record
 * say. Semantics are those of libtraceevent 1.7.1 (event-parse.c), its oddities included. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "sink/fmt_names.h"
#include "sink/fmt_put.h"
#include "source/kind.h"

#define FMT_STACK   24
#define FMT_OPS_MAX 4096

enum fmt_code {
	FMT_END,
	FMT_LIT, /* n bytes at s */
	/* at most FMT_LIT_ROOM bytes, and then a field: size bytes at off */
	FMT_LIT_DEC,
	FMT_LIT_UDEC,
	FMT_LIT_HEX, /* with zeros up to the spec's width */
	/* these push a value */
	FMT_CONST,     /* k */
	FMT_FIELD,     /* size bytes at off, 0 when they are outside */
	FMT_FIELD_U32, /* inside of every record of the kind; and the same of 8 bytes */
	FMT_FIELD_U64,
	FMT_DYN_LEN, /* of the dynamic field at off */
	/* these replace the last one */
	FMT_INDEX,     /* element of an array of elements of size bytes at off */
	FMT_DYN_INDEX, /* size bytes at that offset into a dynamic field; n: size of its word */
	FMT_MASK,      /* of the bits in k */
	FMT_NOT,
	FMT_INVERT,
	/* these take two and push one */
	FMT_OR,
	FMT_OR_BITS,
	FMT_AND,
	FMT_AND_BITS,
	FMT_EQ,
	FMT_NE,
	FMT_LT,
	FMT_LE,
	FMT_GT,
	FMT_GE,
	FMT_SHL,
	FMT_SHR,
	FMT_ADD,
	FMT_SUB,
	FMT_MUL,
	FMT_DIV,
	FMT_MOD,
	/* control; off is an index of an op behind */
	FMT_JUMP,
	FMT_JUMP_IF_0, /* takes a value */
	/* these take a value and print it */
	FMT_LEN, /* prints nothing: the precision of the next one */
	FMT_DEC, /* size bytes, plain */
	FMT_UDEC,
	FMT_HEX, /* with zeros up to the spec's width */
	FMT_NUM, /* by spec */
	FMT_PTR,
	FMT_SYM,     /* function around an address */
	FMT_SYM_OFF, /* with the offset into it */
	FMT_FLAGS,   /* names of bits: n pairs, s between them */
	FMT_SYMBOL,  /* name of a value */
	/* these print and take nothing */
	FMT_STR_FIELD,	/* size bytes at off, or (0) all behind it; up to a NUL */
	FMT_STR_DYN,	/* of a dynamic field */
	FMT_STR,	/* n bytes at s */
	FMT_STR_PRINTK, /* the text of trace_printk() at the address in size bytes at off */
	FMT_BITMASK,	/* of a dynamic field */
	FMT_CPUMASK,
	/* these take their length (and size of elements) */
	FMT_HEX_FIELD, /* bytes from off on; n: what is between them */
	FMT_HEX_DYN,
	FMT_INTS_FIELD,
	FMT_INTS_DYN,
};

struct fmt_pair {
	int64_t v;
	const char *s;
	uint32_t n;
};

struct fmt_op {
	uint8_t code, size, kept, shown; /* 64 less the bits of the field; of what is shown */
	bool relative;			 /* dynamic field: offset counts from the end of its word */
	uint32_t off, n;
	struct fmt_spec spec;
	union {
		uint64_t k;
		const char *s;
	};
	const struct fmt_pair *pairs;
};

struct fmt_field { /* of a plugin's form; size 0: the kind has none */
	uint16_t off, size;
};

#define FMT_FIELDS_MAX 8

struct fmt_run;
struct fmt_prog {
	/* A form that the plugins of libtraceevent have, before the ops. NULL: none. */
	void (*form)(struct fmt_run *r, const struct fmt_prog *g);
	struct fmt_field fields[FMT_FIELDS_MAX]; /* of form */
	struct fmt_op *ops;
	size_t n_ops, size_ops;
	char *text; /* literals */
	struct fmt_pair **pairs;
	size_t n_pairs;
};
