// SPDX-License-Identifier: GPL-2.0-or-later
/* The format string and its arguments. Expressions are fmt_expr.c's. */
#include "sink/fmt_compile.h"

#include <ctype.h>
#include <errno.h>
#include <event-parse.h>
#include <stdlib.h>

#define DIRECTIVE_MAX 30 /* of libtraceevent: longer ones are errors */
#define NOT_KNOWN     INT64_C(-1)

void fmt_fail(struct fmt_compiler *c, int err)
{
	if (!c->err || err == -EBADMSG)
		c->err = err;
}

static struct fmt_op *next_op(struct fmt_compiler *c)
{
	struct fmt_prog *g = c->g;

	if (g->n_ops == g->size_ops) {
		size_t n = g->size_ops ? 2 * g->size_ops : 16;
		struct fmt_op *p = reallocarray(g->ops, n, sizeof(*p));

		if (!p) {
			fmt_fail(c, -ENOMEM);
			return &c->rejected;
		}
		g->ops = p;
		g->size_ops = n;
	}
	return &g->ops[g->n_ops++];
}

struct fmt_op *fmt_emit(struct fmt_compiler *c, enum fmt_code code, int pushes)
{
	struct fmt_op *op = &c->rejected;

	if (c->g->n_ops >= FMT_OPS_MAX || (int)c->stack + pushes < 0 ||
	    (int)c->stack + pushes > FMT_STACK)
		fmt_fail(c, -EBADMSG);
	if (!c->err)
		op = next_op(c);
	c->stack += (unsigned)pushes;
	*op = (struct fmt_op){.code = (uint8_t)code, .spec.prec = -1};
	return op;
}

static void literal(struct fmt_compiler *c, const char *s, size_t n)
{
	struct fmt_op *op = fmt_emit(c, FMT_LIT, 0);

	op->s = s;
	op->n = (uint32_t)n;
}

/* What is between two directives. text: where it goes, behind what is there. */
static const char *plain_text(struct fmt_compiler *c, const char *p, char **text)
{
	char *to = *text;

	for (; *p && (*p != '%' || p[1] == '%'); p++) {
		if (*p == '%') {
			p++;
			*to++ = '%';
		} else if (*p == '\\' && p[1]) {
			p++;
			*to++ = *p == 'n' ? '\n' : *p == 't' ? '\t' : *p == 'r' ? '\r' : *p;
		} else {
			*to++ = *p;
		}
	}
	literal(c, *text, (size_t)(to - *text));
	*text = to;
	return p;
}

/* libtraceevent's eval_flag(): words that formats keep, and -1 for what it does not know */
static int64_t flag_value(const char *text)
{
	static const struct {
		const char *name;
		int v;
	} known[] = {
		{"HI_SOFTIRQ", 0},	{"TIMER_SOFTIRQ", 1},	  {"NET_TX_SOFTIRQ", 2},
		{"NET_RX_SOFTIRQ", 3},	{"BLOCK_SOFTIRQ", 4},	  {"IRQ_POLL_SOFTIRQ", 5},
		{"TASKLET_SOFTIRQ", 6}, {"SCHED_SOFTIRQ", 7},	  {"HRTIMER_SOFTIRQ", 8},
		{"RCU_SOFTIRQ", 9},	{"HRTIMER_NORESTART", 0}, {"HRTIMER_RESTART", 1},
	};

	if (!text)
		return NOT_KNOWN;
	if (isdigit((unsigned char)*text))
		return (int64_t)strtoull(text, NULL, 0);
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i].name, text))
			return known[i].v;
	return NOT_KNOWN;
}

/* A table of the program's own; the texts stay libtraceevent's. */
static void add_pairs(struct fmt_compiler *c, struct fmt_op *op, struct tep_print_flag_sym *list)
{
	struct fmt_prog *g = c->g;
	struct fmt_pair *pairs, **tables;
	uint32_t n = 0;

	for (struct tep_print_flag_sym *f = list; f; f = f->next)
		n++;
	pairs = calloc(n + 1, sizeof(*pairs));
	tables = pairs ? reallocarray(g->pairs, g->n_pairs + 1, sizeof(*tables)) : NULL;
	if (!tables) {
		free(pairs);
		fmt_fail(c, -ENOMEM);
		return;
	}
	g->pairs = tables;
	tables[g->n_pairs++] = pairs;
	op->pairs = pairs;
	op->n = n;
	for (n = 0; list; list = list->next, n++) {
		pairs[n].v = flag_value(list->value);
		pairs[n].s = list->str ?: "";
		pairs[n].n = (uint32_t)strlen(pairs[n].s);
	}
}

static void string(struct fmt_compiler *c, const char *s, const struct fmt_spec *spec)
{
	struct fmt_op *op = fmt_emit(c, FMT_STR, 0);

	op->s = s;
	op->n = (uint32_t)strlen(s);
	op->spec = *spec;
}

static void string_field(struct fmt_compiler *c, struct tep_print_arg *arg,
			 const struct fmt_spec *spec)
{
	const struct tep_format_field *f = fmt_expr_field(c, arg);
	bool pointer;
	struct fmt_op *op;

	if (!f)
		return;
	pointer = !(f->flags & TEP_FIELD_IS_ARRAY) && f->size == 8;
	op = fmt_emit(c, pointer ? FMT_STR_PRINTK : FMT_STR_FIELD, 0);
	op->off = (uint32_t)f->offset;
	op->n = (uint32_t)f->size;
	op->spec = *spec;
	if (tep_get_long_size(c->e->tep) != 8)
		fmt_fail(c, -ENOTSUP);
}

/* __print_hex(), __print_array() */
static void array(struct fmt_compiler *c, struct tep_print_arg *of, bool ints, const char *between)
{
	bool dynamic = of && of->type == TEP_PRINT_DYNAMIC_ARRAY;
	const struct tep_format_field *f;
	struct fmt_op *op;

	if (dynamic) {
		op = fmt_emit(c, ints ? FMT_INTS_DYN : FMT_HEX_DYN, ints ? -2 : -1);
		fmt_expr_dynamic(c, op, of->dynarray.field);
	} else if (of && of->type == TEP_PRINT_FIELD) {
		f = fmt_expr_field(c, of);
		op = fmt_emit(c, ints ? FMT_INTS_FIELD : FMT_HEX_FIELD, ints ? -2 : -1);
		op->off = f ? (uint32_t)f->offset : 0;
	} else {
		fmt_fail(c, -EBADMSG);
		return;
	}
	op->s = between;
}

static void string_arg(struct fmt_compiler *c, struct tep_print_arg *arg,
		       const struct fmt_spec *spec, unsigned depth);

static void string_choice(struct fmt_compiler *c, struct tep_print_arg *arg,
			  const struct fmt_spec *spec, unsigned depth)
{
	struct tep_print_arg *b = *arg->op.op == '?' ? fmt_expr_branches(c, arg) : NULL;
	size_t no, end;

	if (!b)
		return; /* prints nothing, as libtraceevent does */
	fmt_expr(c, arg->op.left, depth);
	no = c->g->n_ops;
	fmt_emit(c, FMT_JUMP_IF_0, -1);
	string_arg(c, b->op.left, spec, depth);
	end = c->g->n_ops;
	fmt_emit(c, FMT_JUMP, 0);
	if (!c->err)
		c->g->ops[no].off = (uint32_t)c->g->n_ops;
	string_arg(c, b->op.right, spec, depth);
	if (!c->err)
		c->g->ops[end].off = (uint32_t)c->g->n_ops;
}

static void dynamic_string(struct fmt_compiler *c, enum fmt_code code, const char *name,
			   const struct tep_format_field *f, const struct fmt_spec *spec)
{
	struct fmt_op *op = fmt_emit(c, code, 0);

	fmt_expr_dynamic(c, op, f ?: name ? tep_find_any_field(c->e, name) : NULL);
	op->spec = *spec;
}

static void named(struct fmt_compiler *c, enum fmt_code code, struct tep_print_arg *value,
		  struct tep_print_flag_sym *list, const char *between, const struct fmt_spec *spec,
		  unsigned depth)
{
	struct fmt_op *op;

	fmt_expr(c, value, depth);
	op = fmt_emit(c, code, -1);
	add_pairs(c, op, list);
	op->s = between ?: "";
	op->spec = *spec;
}

/* print_str_arg() */
static void string_arg(struct fmt_compiler *c, struct tep_print_arg *arg,
		       const struct fmt_spec *spec, unsigned depth)
{
	if (!arg || depth >= FMT_DEPTH_MAX) {
		fmt_fail(c, -EBADMSG);
		return;
	}
	switch (arg->type) {
	case TEP_PRINT_ATOM:
		string(c, arg->atom.atom, spec);
		break;
	case TEP_PRINT_BSTRING:
		string(c, arg->string.string, spec);
		break;
	case TEP_PRINT_FIELD:
		string_field(c, arg, spec);
		break;
	case TEP_PRINT_FLAGS:
		named(c, FMT_FLAGS, arg->flags.field, arg->flags.flags, arg->flags.delim, spec,
		      depth + 1);
		break;
	case TEP_PRINT_SYMBOL:
		named(c, FMT_SYMBOL, arg->symbol.field, arg->symbol.symbols, NULL, spec, depth + 1);
		break;
	case TEP_PRINT_HEX:
	case TEP_PRINT_HEX_STR:
		fmt_expr(c, arg->hex.size, depth + 1);
		array(c, arg->hex.field, false, arg->type == TEP_PRINT_HEX ? " " : "");
		break;
	case TEP_PRINT_INT_ARRAY:
		fmt_expr(c, arg->int_array.count, depth + 1);
		fmt_expr(c, arg->int_array.el_size, depth + 1);
		array(c, arg->int_array.field, true, " ");
		break;
	case TEP_PRINT_STRING:
		dynamic_string(c, FMT_STR_DYN, arg->string.string, arg->string.field, spec);
		break;
	case TEP_PRINT_BITMASK:
	case TEP_PRINT_CPUMASK:
		dynamic_string(c, arg->type == TEP_PRINT_BITMASK ? FMT_BITMASK : FMT_CPUMASK,
			       arg->bitmask.bitmask, arg->bitmask.field, spec);
		break;
	case TEP_PRINT_OP:
		string_choice(c, arg, spec, depth + 1);
		break;
	case TEP_PRINT_FUNC:
		fmt_fail(c, -ENOTSUP);
		break;
	default: /* nothing, as libtraceevent does: "%s" of a cast */
		break;
	}
}

/* Flags, width, precision, size: as printf() wants them, which is stricter than libtraceevent. */
static bool parse_spec(const char *p, const char *end, struct fmt_spec *f, unsigned *ret_bytes)
{
	static const struct {
		char text[3];
		uint8_t bytes;
	} sizes[] = {{"", 4}, {"h", 2}, {"hh", 1}, {"l", 8}, {"ll", 8}, {"L", 8}, {"z", 8}};
	size_t n;

	*f = (struct fmt_spec){.prec = -1, .conv = *end == 'i' ? 'd' : *end};
	for (; *p == '-' || *p == '0' || *p == '#'; p++)
		f->flags |= *p == '-' ? FMT_LEFT : *p == '0' ? FMT_ZERO : FMT_ALT;
	for (; isdigit((unsigned char)*p) && f->width < 100; p++)
		f->width = (uint16_t)(f->width * 10 + *p - '0');
	if (*p == '.') {
		f->prec = 0;
		if (*++p == '*') {
			f->flags |= FMT_LEN_ARG;
			p++;
		}
		for (; isdigit((unsigned char)*p) && f->prec < 100; p++)
			f->prec = (int16_t)(f->prec * 10 + *p - '0');
	}
	n = (size_t)(end - p);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (strlen(sizes[i].text) == n && !memcmp(p, sizes[i].text, n)) {
			*ret_bytes = sizes[i].bytes;
			return true;
		}
	return false;
}

/* The most frequent sequence as one op: a literal, and a field of a fixed place. No jump ends between
 * the two, for a literal is never the last op of a branch. */
static bool join(struct fmt_compiler *c, size_t first, enum fmt_code code, unsigned bytes)
{
	struct fmt_op *op = c->g->ops + first;

	if (c->g->n_ops != first + 1 || !first || op[-1].code != FMT_LIT ||
	    op[-1].n > FMT_LIT_ROOM ||
	    (op->code != FMT_FIELD && op->code != FMT_FIELD_U32 && op->code != FMT_FIELD_U64))
		return false;
	op[-1].code = code == FMT_DEC ? FMT_LIT_DEC : code == FMT_UDEC ? FMT_LIT_UDEC : FMT_LIT_HEX;
	op[-1].off = op->off;
	op[-1].size = op->size;
	op[-1].kept = (uint8_t)(64 - 8 * op->size);
	op[-1].shown = bytes == 4 ? 32 : 0;
	c->g->n_ops = first;
	c->stack--;
	return true;
}

static void number(struct fmt_compiler *c, struct tep_print_arg *arg, const struct fmt_spec *spec,
		   unsigned bytes)
{
	bool simple = !spec->width && spec->prec < 0 && !(spec->flags & FMT_ALT);
	bool padded = spec->flags == FMT_ZERO && spec->width <= 16 && spec->prec < 0;
	enum fmt_code code = FMT_NUM;
	struct fmt_op *op;
	size_t first;

	if (spec->flags & FMT_LEN_ARG)
		fmt_fail(c, -ENOTSUP);
	if (bytes >= 4 && (simple || padded) && spec->conv == 'x')
		code = FMT_HEX;
	else if (bytes >= 4 && simple && (spec->conv == 'd' || spec->conv == 'u'))
		code = spec->conv == 'd' ? FMT_DEC : FMT_UDEC;
	first = c->g->n_ops;
	fmt_expr(c, arg, 0);
	if (code != FMT_NUM && !c->err && join(c, first, code, bytes)) {
		c->g->ops[c->g->n_ops - 1].spec = *spec;
		return;
	}
	op = fmt_emit(c, code, -1);
	op->size = (uint8_t)bytes;
	op->spec = *spec;
}

/* print_arg_pointer(); p is behind the 'p'. Returns what follows. */
static const char *pointer(struct fmt_compiler *c, const char *p, struct tep_print_arg *arg)
{
	bool symbol = *p && strchr("FfSs", *p);

	if (*p && strchr("MmIiUh", *p))
		fmt_fail(c, -ENOTSUP);
	if (arg->type == TEP_PRINT_BSTRING) {
		string(c, arg->string.string, &(struct fmt_spec){.prec = -1});
	} else {
		fmt_expr(c, arg, 0);
		fmt_emit(c, !symbol ? FMT_PTR : *p == 'F' || *p == 'S' ? FMT_SYM_OFF : FMT_SYM, -1);
	}
	return p + symbol;
}

static void value(struct fmt_compiler *c, const char *start, const char *conv,
		  struct tep_print_arg *len, struct tep_print_arg *arg)
{
	struct fmt_spec spec;
	unsigned bytes;

	if (!parse_spec(start + 1, conv, &spec, &bytes) || conv - start >= DIRECTIVE_MAX ||
	    !len != !(spec.flags & FMT_LEN_ARG)) {
		fmt_fail(c, -ENOTSUP);
		return;
	}
	if (len) {
		fmt_expr(c, len, 0);
		fmt_emit(c, FMT_LEN, -1);
	}
	if (*conv == 's')
		string_arg(c, arg, &spec, 0);
	else
		number(c, arg, &spec, bytes);
}

/* One directive with its arguments: parse_arg_format(). */
static const char *directive(struct fmt_compiler *c, const char *start, char **text,
			     struct tep_print_arg **args)
{
	struct tep_print_arg *len = NULL, *arg;
	const char *p;
	char *to = *text;

	for (p = start + 1; *p && strchr("#hlLzZ.-0123456789*", *p); p++) {
		if (*p != '*')
			continue;
		if (!*args || len) {
			fmt_fail(c, -ENOTSUP);
			return p + 1;
		}
		len = *args;
		*args = len->next;
	}
	if (!*p)
		return p;
	if (!strchr("pduixXos", *p)) { /* ">c<" is what libtraceevent makes of what it lacks */
		*to++ = '>';
		*to++ = *p;
		*to++ = '<';
		literal(c, *text, 3);
		*text = to;
		return p + 1;
	}
	arg = *args;
	if (!arg) {
		fmt_fail(c, -ENOTSUP);
		return p + 1;
	}
	*args = arg->next;
	if (*p == 'p')
		return pointer(c, p + 1, arg);
	value(c, start, p, len, arg);
	return p + 1;
}

static void compile_text(struct fmt_compiler *c)
{
	const char *p = c->e->print_fmt.format;
	struct tep_print_arg *args = c->e->print_fmt.args;
	char *text;

	if (!p || c->e->flags & (TEP_EVENT_FL_FAILED | TEP_EVENT_FL_ISBPRINT)) {
		fmt_fail(c, -ENOTSUP);
		return;
	}
	text = c->g->text = calloc(1, 2 * strlen(p) + 1 + FMT_LIT_ROOM);
	if (!text) {
		fmt_fail(c, -ENOMEM);
		return;
	}
	while (*p)
		p = *p == '%' && p[1] != '%' ? directive(c, p, &text, &args)
					     : plain_text(c, p, &text);
}

int fmt_compile(const struct source_kind *k, struct source_format format,
		const struct fmt_names *names, struct fmt_prog **ret)
{
	struct fmt_compiler c = {.kind = k, .names = names, .e = format.event};
	bool more = true;

	c.g = calloc(1, sizeof(*c.g));
	if (!c.g)
		return -ENOMEM;
	c.keep_from_tep = fmt_traps_are_in(c.e->print_fmt.args, 0);
	if (c.e->handler && !fmt_form_find(c.g, k, &more))
		fmt_fail(&c, -ENOTSUP);
	if (more && format.has_text)
		compile_text(&c);
	else if (more)
		fmt_fail(&c, -EBADMSG);
	fmt_emit(&c, FMT_END, 0);
	if (c.err == -ENOTSUP && (c.keep_from_tep || !format.has_text))
		c.err = -EBADMSG;
	if (c.err) {
		fmt_prog_free(c.g);
		return c.err;
	}
	*ret = c.g;
	return 0;
}

void fmt_prog_free(struct fmt_prog *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n_pairs; i++)
		free(g->pairs[i]);
	free(g->pairs);
	free(g->ops);
	free(g->text);
	free(g);
}
