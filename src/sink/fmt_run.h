/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs programs of fmt_prog.h. No allocation, no stdio, no state between records. */
#pragma once

#include "sink/fmt_prog.h"

struct fmt_run {
	struct fmt_out out;
	const uint8_t *rec;
	uint32_t size; /* at least the kind's min_bytes */
	int pid;       /* of the record */
	const struct fmt_names *names;
};

/* Appends the text of the record to out. */
void fmt_run(struct fmt_run *r, const struct fmt_prog *g);

/* Whether all it ever prints is ' ' to '~': numbers and literals. What comes from a record or a list of
 * symbols may be anything. */
bool fmt_is_plain(const struct fmt_prog *g);

/* For the forms of plugins. */
uint64_t fmt_run_field(const struct fmt_run *r, const struct fmt_field *f);
void fmt_run_symbol(struct fmt_run *r, uint64_t addr, bool with_offset);

/* Where a dynamic field of a record lies: dynamic_offset_field() of libtraceevent. */
struct fmt_bytes {
	const uint8_t *p;
	uint32_t n;    /* as the record says, but not over its end */
	uint32_t left; /* to the end of the record */
};
struct fmt_bytes fmt_run_dynamic(const struct fmt_run *r, const struct fmt_op *op);
/* fmt_print.c: arrays, masks, flags */
void fmt_print_flags(struct fmt_run *r, const struct fmt_op *op, const struct fmt_spec *spec,
		     int64_t v);
void fmt_print_symbol(struct fmt_run *r, const struct fmt_op *op, const struct fmt_spec *spec,
		      int64_t v);
void fmt_print_bitmask(struct fmt_run *r, const struct fmt_spec *spec, struct fmt_bytes b);
void fmt_print_cpumask(struct fmt_run *r, const struct fmt_spec *spec, struct fmt_bytes b);
void fmt_print_hex(struct fmt_run *r, const struct fmt_op *op, struct fmt_bytes b, uint64_t count);
void fmt_print_ints(struct fmt_run *r, struct fmt_bytes b, uint64_t count, uint64_t bytes);
