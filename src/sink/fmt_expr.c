// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/fmt_compile.h"

#include <ctype.h>
#include <errno.h>
#include <event-parse.h>
#include <stdlib.h>

static struct tep_format_field *check_field(struct fmt_compiler *c, struct tep_format_field *f)
{
	if (f && f->offset >= 0 && f->size >= 0 && f->offset <= UINT16_MAX && f->size <= UINT16_MAX)
		return f;
	fmt_fail(c, -ENOTSUP);
	return NULL;
}

struct tep_format_field *fmt_expr_field(struct fmt_compiler *c, struct tep_print_arg *arg)
{
	struct tep_format_field *f = arg->field.field;

	if (!f && arg->field.name)
		f = tep_find_any_field(c->e, arg->field.name);
	return check_field(c, f);
}

void fmt_expr_dynamic(struct fmt_compiler *c, struct fmt_op *op, const struct tep_format_field *f)
{
	if (!f || !check_field(c, (struct tep_format_field *)f) || (f->size != 4 && f->size != 2)) {
		fmt_fail(c, -ENOTSUP);
		return;
	}
	op->off = (uint32_t)f->offset;
	op->n = (uint32_t)f->size;
	op->relative = f->flags & TEP_FIELD_IS_RELATIVE;
}

static void constant(struct fmt_compiler *c, uint64_t k)
{
	fmt_emit(c, FMT_CONST, 1)->k = k;
}

/* A word that is no number stands for the address of a symbol (test_for_symbol()). */
static void atom(struct fmt_compiler *c, const char *text)
{
	uint64_t v = strtoull(text, NULL, 0);

	if (!v && !isdigit((unsigned char)*text))
		v = c->names->address(c->names->ctx, text);
	constant(c, v);
}

static bool is_number(uint64_t size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static void load(struct fmt_compiler *c, uint64_t off, uint64_t size)
{
	bool always = off + size <= c->kind->min_bytes;
	struct fmt_op *op;

	if (!is_number(size) || off > UINT16_MAX) {
		constant(c, 0);
		return;
	}
	op = fmt_emit(c,
		      always && size == 4   ? FMT_FIELD_U32
		      : always && size == 8 ? FMT_FIELD_U64
					    : FMT_FIELD,
		      1);
	op->off = (uint32_t)off;
	op->size = (uint8_t)size;
}

static uint64_t mask_of(const char *type, size_t n)
{
	static const struct {
		const char *name;
		uint64_t mask;
	} types[] = {
		{"u8", UINT8_MAX},   {"s8", UINT8_MAX},	  {"char", UINT8_MAX},
		{"u16", UINT16_MAX}, {"s16", UINT16_MAX}, {"short", UINT16_MAX},
		{"u32", UINT32_MAX}, {"s32", UINT32_MAX}, {"int", UINT32_MAX},
	};

	if (n > 9 && !memcmp(type, "unsigned ", 9)) {
		type += 9;
		n -= 9;
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].name) == n && !memcmp(types[i].name, type, n))
			return types[i].mask;
	return UINT64_MAX;
}

/* What eval_type_str() keeps of a value. pointer: the type is "X *" and an X was read. */
static void cast(struct fmt_compiler *c, const char *type, bool pointer)
{
	size_t n = strlen(type);
	uint64_t mask;

	if (n < 2 || pointer != (type[n - 1] == '*'))
		return;
	mask = mask_of(type, pointer ? n - 2 : n);
	if (mask != UINT64_MAX)
		fmt_emit(c, FMT_MASK, 0)->k = mask;
}

static void dynamic_index(struct fmt_compiler *c, struct tep_print_arg *array,
			  struct tep_print_arg *index, unsigned depth)
{
	const struct tep_format_field *f = array->dynarray.field;
	struct fmt_op *op;

	fmt_expr(c, index, depth);
	op = fmt_emit(c, FMT_DYN_INDEX, 0);
	fmt_expr_dynamic(c, op, f);
	op->size = f && is_number(f->elementsize) ? (uint8_t)f->elementsize : 8;
}

static void field_index(struct fmt_compiler *c, struct tep_print_arg *array,
			struct tep_print_arg *index, unsigned depth)
{
	const struct tep_format_field *f = fmt_expr_field(c, array);
	struct fmt_op *op;
	uint64_t i;

	if (!f)
		return;
	if (index->type == TEP_PRINT_ATOM && isdigit((unsigned char)*index->atom.atom)) {
		i = strtoull(index->atom.atom, NULL, 0);
		load(c, (uint64_t)f->offset + (i > UINT16_MAX ? UINT16_MAX : i) * f->elementsize,
		     f->elementsize);
		return;
	}
	fmt_expr(c, index, depth);
	op = fmt_emit(c, FMT_INDEX, 0);
	op->off = (uint32_t)f->offset;
	op->size = (uint8_t)f->elementsize;
	if (!is_number(f->elementsize))
		fmt_fail(c, -ENOTSUP);
}

static void subscript(struct fmt_compiler *c, struct tep_print_arg *arg, unsigned depth)
{
	struct tep_print_arg *array = arg->op.left;
	const char *type = NULL;

	for (; array && array->type == TEP_PRINT_TYPE; array = array->typecast.item)
		type = type ?: array->typecast.type;
	if (array && array->type == TEP_PRINT_DYNAMIC_ARRAY)
		dynamic_index(c, array, arg->op.right, depth);
	else if (array && array->type == TEP_PRINT_FIELD)
		field_index(c, array, arg->op.right, depth);
	else
		fmt_fail(c, -ENOTSUP);
	if (type)
		cast(c, type, true);
}

struct tep_print_arg *fmt_expr_branches(struct fmt_compiler *c, struct tep_print_arg *arg)
{
	struct tep_print_arg *b = arg->op.right;

	if (b && b->type == TEP_PRINT_OP && b->op.left && b->op.right)
		return b;
	fmt_fail(c, -ENOTSUP);
	return NULL;
}

static void choice(struct fmt_compiler *c, struct tep_print_arg *arg, unsigned depth)
{
	struct tep_print_arg *b = fmt_expr_branches(c, arg);
	size_t no, end;

	if (!b)
		return;
	fmt_expr(c, arg->op.left, depth);
	no = c->g->n_ops;
	fmt_emit(c, FMT_JUMP_IF_0, -1);
	fmt_expr(c, b->op.left, depth);
	end = c->g->n_ops;
	fmt_emit(c, FMT_JUMP, -1);
	if (!c->err)
		c->g->ops[no].off = (uint32_t)c->g->n_ops;
	fmt_expr(c, b->op.right, depth);
	if (!c->err)
		c->g->ops[end].off = (uint32_t)c->g->n_ops;
}

/* eval_num_arg(): all values are unsigned and of 64 bits. */
static void operation(struct fmt_compiler *c, struct tep_print_arg *arg, unsigned depth)
{
	static const struct {
		char op[3];
		uint8_t code;
	} ops[] = {
		{"||", FMT_OR}, {"|", FMT_OR_BITS}, {"&&", FMT_AND}, {"&", FMT_AND_BITS},
		{"==", FMT_EQ}, {"!=", FMT_NE},	    {"<", FMT_LT},   {"<=", FMT_LE},
		{">", FMT_GT},	{">=", FMT_GE},	    {"<<", FMT_SHL}, {">>", FMT_SHR},
		{"+", FMT_ADD}, {"-", FMT_SUB},	    {"*", FMT_MUL},  {"/", FMT_DIV},
		{"%", FMT_MOD},
	};

	if (!strcmp(arg->op.op, "!") || !strcmp(arg->op.op, "~")) {
		fmt_expr(c, arg->op.right, depth);
		fmt_emit(c, *arg->op.op == '!' ? FMT_NOT : FMT_INVERT, 0);
		return;
	}
	fmt_expr(c, arg->op.left, depth);
	fmt_expr(c, arg->op.right, depth);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (!strcmp(ops[i].op, arg->op.op)) {
			fmt_emit(c, ops[i].code, -1);
			return;
		}
	fmt_fail(c, -ENOTSUP);
}

void fmt_expr(struct fmt_compiler *c, struct tep_print_arg *arg, unsigned depth)
{
	const struct tep_format_field *f;

	if (!arg || depth >= FMT_DEPTH_MAX) {
		fmt_fail(c, -EBADMSG);
		return;
	}
	switch (arg->type) {
	case TEP_PRINT_ATOM:
		atom(c, arg->atom.atom);
		break;
	case TEP_PRINT_FIELD:
		f = fmt_expr_field(c, arg);
		if (f)
			load(c, (uint64_t)f->offset, (uint64_t)f->size);
		break;
	case TEP_PRINT_TYPE:
		fmt_expr(c, arg->typecast.item, depth + 1);
		cast(c, arg->typecast.type, false);
		break;
	case TEP_PRINT_OP:
		if (!strcmp(arg->op.op, "["))
			subscript(c, arg, depth + 1);
		else if (!strcmp(arg->op.op, "?"))
			choice(c, arg, depth + 1);
		else
			operation(c, arg, depth + 1);
		break;
	case TEP_PRINT_DYNAMIC_ARRAY_LEN:
		fmt_expr_dynamic(c, fmt_emit(c, FMT_DYN_LEN, 1), arg->dynarray.field);
		break;
	case TEP_PRINT_FUNC:	      /* of a plugin */
	case TEP_PRINT_DYNAMIC_ARRAY: /* the address in libtraceevent's memory */
		fmt_fail(c, -ENOTSUP);
		break;
	default:
		constant(c, 0);
	}
}
