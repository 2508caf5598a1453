// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/fmt_run.h"

static uint64_t load(const uint8_t *p, uint32_t size)
{
	union {
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} v;

	switch (size) {
	case 1:
		return *p;
	case 2:
		memcpy(&v.u16, p, 2);
		return v.u16;
	case 4:
		memcpy(&v.u32, p, 4);
		return v.u32;
	default:
		memcpy(&v.u64, p, 8);
		return v.u64;
	}
}

static uint64_t load_checked(const struct fmt_run *r, uint64_t off, uint32_t size)
{
	return off < r->size && size <= r->size - off ? load(r->rec + off, size) : 0;
}

uint64_t fmt_run_field(const struct fmt_run *r, const struct fmt_field *f)
{
	return load_checked(r, f->off, f->size);
}

struct fmt_bytes fmt_run_dynamic(const struct fmt_run *r, const struct fmt_op *op)
{
	uint32_t word, off, n;

	if ((uint64_t)op->off + op->n > r->size)
		return (struct fmt_bytes){r->rec, 0, r->size};
	word = (uint32_t)load(r->rec + op->off, op->n);
	off = word & 0xffff;
	n = op->n == 2 ? r->size - off : word >> 16;
	if (off > r->size || off + n > r->size)
		n = 0;
	if (off > r->size)
		off = 0;
	if (op->relative)
		off += op->off + op->n;
	if (off > r->size)
		return (struct fmt_bytes){r->rec + r->size, 0, 0};
	if (n > r->size - off)
		n = r->size - off;
	return (struct fmt_bytes){r->rec + off, n, r->size - off};
}

void fmt_run_symbol(struct fmt_run *r, uint64_t addr, bool with_offset)
{
	uint64_t start;
	size_t n;
	const char *name = r->names->symbol(r->names->ctx, addr, &start, &n);

	if (!name) {
		fmt_puts(&r->out, "0x");
		fmt_put_hex(&r->out, addr);
		return;
	}
	fmt_put(&r->out, name, n);
	if (with_offset) {
		fmt_puts(&r->out, "+0x");
		fmt_put_hex(&r->out, addr - start);
	}
}

static uint64_t of_two(unsigned code, uint64_t a, uint64_t b)
{
	switch (code) {
	case FMT_OR:
		return a || b;
	case FMT_OR_BITS:
		return a | b;
	case FMT_AND:
		return a && b;
	case FMT_AND_BITS:
		return a & b;
	case FMT_EQ:
		return a == b;
	case FMT_NE:
		return a != b;
	case FMT_LT:
		return a < b;
	case FMT_LE:
		return a <= b;
	case FMT_GT:
		return a > b;
	case FMT_GE:
		return a >= b;
	case FMT_SHL:
		return a << (b & 63);
	case FMT_SHR:
		return a >> (b & 63);
	case FMT_ADD:
		return a + b;
	case FMT_SUB:
		return a - b;
	case FMT_MUL:
		return a * b;
	case FMT_DIV:
		return b ? a / b : 0;
	default:
		return b ? a % b : 0;
	}
}

static uint64_t of_one(const struct fmt_run *r, const struct fmt_op *op, uint64_t v)
{
	struct fmt_bytes b;

	switch (op->code) {
	case FMT_INDEX:
		return v > r->size ? 0 : load_checked(r, op->off + v * op->size, op->size);
	case FMT_DYN_INDEX: /* libtraceevent counts bytes here, not elements */
		b = fmt_run_dynamic(r, op);
		return v > b.left ? 0 : load_checked(r, (uint64_t)(b.p - r->rec) + v, op->size);
	case FMT_MASK:
		return v & op->k;
	case FMT_NOT:
		return !v;
	default:
		return ~v;
	}
}

/* Strings of a record end at a NUL or with the record. */
static void put_bytes(struct fmt_run *r, const struct fmt_spec *spec, const uint8_t *p, size_t n)
{
	n = strnlen((const char *)p, n);
	if (spec->width || spec->prec >= 0)
		fmt_put_str(&r->out, spec, (const char *)p, n);
	else
		fmt_put(&r->out, (const char *)p, n);
}

static void put_field_string(struct fmt_run *r, const struct fmt_op *op, const struct fmt_spec *s)
{
	size_t left = op->off < r->size ? r->size - op->off : 0;

	put_bytes(r, s, r->rec + op->off, op->n && op->n < left ? op->n : left);
}

static void put_dynamic_string(struct fmt_run *r, const struct fmt_op *op,
			       const struct fmt_spec *spec)
{
	struct fmt_bytes b = fmt_run_dynamic(r, op);

	if (b.n)
		put_bytes(r, spec, b.p, b.left);
}

static void put_printk(struct fmt_run *r, const struct fmt_op *op)
{
	uint64_t addr = load_checked(r, op->off, 8);
	size_t n;
	const char *s = r->names->printk(r->names->ctx, addr, &n);

	if (s)
		fmt_put(&r->out, s, n);
	else
		fmt_put_hex(&r->out, addr);
}

static void put_pointer(struct fmt_run *r, uint64_t v)
{
	if (!v) {
		fmt_puts(&r->out, "(nil)");
		return;
	}
	fmt_puts(&r->out, "0x");
	fmt_put_hex(&r->out, v);
}

/* What prints and takes nothing. */
static void print(struct fmt_run *r, const struct fmt_op *op, const struct fmt_spec *spec)
{
	switch (op->code) {
	case FMT_STR:
		fmt_put_str(&r->out, spec, op->s, op->n);
		break;
	case FMT_STR_PRINTK:
		put_printk(r, op);
		break;
	case FMT_BITMASK:
		fmt_print_bitmask(r, spec, fmt_run_dynamic(r, op));
		break;
	case FMT_CPUMASK:
		fmt_print_cpumask(r, spec, fmt_run_dynamic(r, op));
		break;
	default:
		break;
	}
}

/* What prints values; returns how many it took. */
static unsigned print_value(struct fmt_run *r, const struct fmt_op *op, const struct fmt_spec *spec,
			    const uint64_t *top)
{
	struct fmt_bytes b = {r->rec + r->size, 0, 0};

	switch (op->code) {
	case FMT_NUM:
		fmt_put_num(&r->out, spec, top[-1], op->size);
		return 1;
	case FMT_PTR:
		put_pointer(r, top[-1]);
		return 1;
	case FMT_FLAGS:
		fmt_print_flags(r, op, spec, (int64_t)top[-1]);
		return 1;
	case FMT_SYMBOL:
		fmt_print_symbol(r, op, spec, (int64_t)top[-1]);
		return 1;
	default:
		break;
	}
	if (op->code == FMT_HEX_DYN || op->code == FMT_INTS_DYN)
		b = fmt_run_dynamic(r, op);
	else if (op->off < r->size)
		b = (struct fmt_bytes){r->rec + op->off, 0, r->size - op->off};
	if (op->code == FMT_HEX_DYN || op->code == FMT_HEX_FIELD) {
		fmt_print_hex(r, op, b, top[-1]);
		return 1;
	}
	fmt_print_ints(r, b, top[-2], top[-1]);
	return 2;
}

/* A precision of the record goes into a copy of the spec. */
static const struct fmt_spec *spec_of(const struct fmt_op *op, struct fmt_spec *copy, int len)
{
	if (!(op->spec.flags & FMT_LEN_ARG))
		return &op->spec;
	*copy = op->spec;
	copy->prec = (int16_t)(len < 0 ? -1 : len > INT16_MAX ? INT16_MAX : len);
	return copy;
}

static inline char *plain_at(char *p, unsigned code, unsigned shown, unsigned width, uint64_t v)
{
	v <<= shown;
	if (code == FMT_DEC)
		return fmt_dec_at(p, (int64_t)v >> shown);
	if (code == FMT_UDEC)
		return fmt_udec_at(p, v >> shown);
	return fmt_hex_at(p, v >> shown, width);
}

/* A field is read with 8 bytes where the record has as many. */
static inline uint64_t load_wide(const struct fmt_run *r, const struct fmt_op *op)
{
	uint64_t v;

	if (op->off + 8 > r->size)
		return load_checked(r, op->off, op->size);
	memcpy(&v, r->rec + op->off, 8);
	return v << op->kept >> op->kept;
}

static inline char *lit_field_at(char *p, const struct fmt_run *r, const struct fmt_op *op,
				 unsigned code)
{
	uint64_t v = load_wide(r, op);

	memcpy(p, op->s, FMT_LIT_ROOM);
	return plain_at(p + op->n, code, op->shown, op->spec.width, v);
}

/* What goes on with values; returns where the stack then ends. */
static uint64_t *calculate(const struct fmt_run *r, const struct fmt_op *op, uint64_t *top)
{
	switch (op->code) {
	case FMT_CONST:
		*top = op->k;
		return top + 1;
	case FMT_FIELD_U32:
		*top = load(r->rec + op->off, 4);
		return top + 1;
	case FMT_FIELD_U64:
		*top = load(r->rec + op->off, 8);
		return top + 1;
	case FMT_FIELD:
		*top = load_checked(r, op->off, op->size);
		return top + 1;
	case FMT_DYN_LEN:
		*top = fmt_run_dynamic(r, op).n;
		return top + 1;
	case FMT_INDEX ... FMT_INVERT:
		top[-1] = of_one(r, op, top[-1]);
		return top;
	default:
		top[-2] = of_two(op->code, top[-2], top[-1]);
		return top - 1;
	}
}

/* What is not simple. */
static uint64_t *put_other(struct fmt_run *r, const struct fmt_op *op, uint64_t *top, int len)
{
	struct fmt_spec copy;

	switch (op->code) {
	case FMT_SYM:
	case FMT_SYM_OFF:
		fmt_run_symbol(r, top[-1], op->code == FMT_SYM_OFF);
		return top - 1;
	case FMT_STR_FIELD:
		put_field_string(r, op, spec_of(op, &copy, len));
		return top;
	case FMT_STR_DYN:
		put_dynamic_string(r, op, spec_of(op, &copy, len));
		return top;
	case FMT_STR ... FMT_CPUMASK:
		print(r, op, spec_of(op, &copy, len));
		return top;
	default:
		return top - print_value(r, op, spec_of(op, &copy, len), top);
	}
}

void fmt_run(struct fmt_run *r, const struct fmt_prog *g)
{
	uint64_t stack[FMT_STACK], *top = stack; /* the compiler has counted */
	char *end = r->out.end;
	int len = 0;

	if (g->form)
		g->form(r, g);
	for (const struct fmt_op *op = g->ops; op->code != FMT_END && r->out.p < end; op++) {
		switch (op->code) {
		case FMT_LIT_DEC:
			r->out.p = lit_field_at(r->out.p, r, op, FMT_DEC);
			break;
		case FMT_LIT_UDEC:
			r->out.p = lit_field_at(r->out.p, r, op, FMT_UDEC);
			break;
		case FMT_LIT_HEX:
			r->out.p = lit_field_at(r->out.p, r, op, FMT_HEX);
			break;
		case FMT_LIT:
			fmt_put_lit(&r->out, op->s, op->n);
			break;
		case FMT_CONST ... FMT_MOD:
			top = calculate(r, op, top);
			break;
		case FMT_JUMP_IF_0:
			if (*--top)
				break;
			__attribute__((fallthrough));
		case FMT_JUMP:
			op = g->ops + op->off - 1;
			break;
		case FMT_LEN:
			len = (int)*--top;
			break;
		case FMT_DEC ... FMT_HEX:
			r->out.p = plain_at(r->out.p, op->code, op->size == 4 ? 32 : 0,
					    op->spec.width, *--top);
			break;
		default:
			top = put_other(r, op, top, len);
		}
	}
}

static bool is_plain_text(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return false;
	return true;
}

bool fmt_is_plain(const struct fmt_prog *g)
{
	for (size_t i = 0; i < g->n_ops; i++) {
		const struct fmt_op *op = &g->ops[i];

		if (op->code > FMT_PTR || (op->code >= FMT_LIT && op->code <= FMT_LIT_HEX &&
					   !is_plain_text(op->s, op->n)))
			return false;
	}
	return !g->form;
}
