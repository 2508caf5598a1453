/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From libtraceevent's parsed formats to programs. */
#pragma once

#include "sink/fmt_prog.h"
#include "source/symbols.h"

struct tep_format_field;
struct tep_print_arg;

/* The program of a kind with a format that is an event, whose plugins are loaded: 0; -ENOTSUP when only libtraceevent
 * can print it; -EBADMSG when libtraceevent is not to be trusted with it either; -ENOMEM. */
must_check int fmt_compile(const struct source_kind *k, struct source_format format,
			   const struct fmt_names *names, struct fmt_prog **ret);
void fmt_prog_free(struct fmt_prog *g);

/* The rest is between the compiler's files. */
struct fmt_compiler {
	struct fmt_prog *g;
	const struct source_kind *kind;
	const struct fmt_names *names;
	struct tep_event *e;
	unsigned stack;		/* values that are on it at this op */
	int err;		/* of the first thing that cannot be compiled; compiling goes on */
	bool keep_from_tep;	/* libtraceevent would read outside the record */
	struct fmt_op rejected; /* what is emitted after an error */
};

void fmt_fail(struct fmt_compiler *c, int err);
/* pushes: how many values it adds to the stack (or takes from it). Never NULL. */
struct fmt_op *fmt_emit(struct fmt_compiler *c, enum fmt_code code, int pushes);
/* fmt_expr.c: code that leaves the argument's value on the stack. */
void fmt_expr(struct fmt_compiler *c, struct tep_print_arg *arg, unsigned depth);
/* The field it names; NULL after fmt_fail(). */
struct tep_format_field *fmt_expr_field(struct fmt_compiler *c, struct tep_print_arg *arg);
/* Places of a dynamic field into an op. */
void fmt_expr_dynamic(struct fmt_compiler *c, struct fmt_op *op, const struct tep_format_field *f);
/* Both branches of "?:"; NULL after fmt_fail(). */
struct tep_print_arg *fmt_expr_branches(struct fmt_compiler *c, struct tep_print_arg *arg);

/* fmt_form.c, fmt_kvm.c: does libtraceevent's plugin print this event in a form that we have?
 * ret_more: and then the event's own text. */
must_check bool fmt_form_find(struct fmt_prog *g, const struct source_kind *k, bool *ret_more);

/* fmt_traps.c: arguments whose lengths libtraceevent takes from the record, unchecked; of a relative
 * array it asks the length through a NULL pointer (dynamic_offset_field(), 1.7.1). */
bool fmt_traps_are_in(const struct tep_print_arg *args, unsigned depth);

#define FMT_DEPTH_MAX 64
