// SPDX-License-Identifier: GPL-2.0-or-later
/* What __print_flags() and its like print, as print_str_arg() of libtraceevent does. */
#include "sink/fmt_run.h"

static void put_rest(struct fmt_run *r, uint64_t v)
{
	fmt_puts(&r->out, "0x");
	fmt_put_hex(&r->out, v);
}

void fmt_print_flags(struct fmt_run *r, const struct fmt_op *op, const struct fmt_spec *spec,
		     int64_t v)
{
	size_t n_between = strlen(op->s);
	bool any = false;

	for (uint32_t i = 0; i < op->n; i++) {
		const struct fmt_pair *p = &op->pairs[i];

		if (!v && p->v < 0) {
			fmt_put_str(&r->out, spec, p->s, p->n);
			break;
		}
		if (p->v <= 0 || (v & p->v) != p->v)
			continue;
		if (any)
			fmt_put(&r->out, op->s, n_between);
		fmt_put_str(&r->out, spec, p->s, p->n);
		any = true;
		v &= ~p->v;
	}
	if (!v)
		return;
	if (any)
		fmt_put(&r->out, op->s, n_between);
	put_rest(r, (uint64_t)v);
}

void fmt_print_symbol(struct fmt_run *r, const struct fmt_op *op, const struct fmt_spec *spec,
		      int64_t v)
{
	for (uint32_t i = 0; i < op->n; i++)
		if (op->pairs[i].v == v) {
			fmt_put_str(&r->out, spec, op->pairs[i].s, op->pairs[i].n);
			return;
		}
	put_rest(r, (uint64_t)v);
}

/* From where a padded text began: its padding is known once it is there. */
static void pad(struct fmt_run *r, const struct fmt_spec *spec, char *from)
{
	size_t n = (size_t)(r->out.p - from), width = spec->width;

	if (spec->prec >= 0 && n > (size_t)spec->prec)
		n = (size_t)spec->prec;
	r->out.p = from + n;
	if (width <= n || r->out.p >= r->out.end)
		return;
	if (!(spec->flags & FMT_LEFT)) {
		memmove(from + width - n, from, n);
		memset(from, ' ', width - n);
	} else {
		memset(from + n, ' ', width - n);
	}
	r->out.p = from + width;
}

/* Words of 32 bits with commas, the highest first. */
void fmt_print_bitmask(struct fmt_run *r, const struct fmt_spec *spec, struct fmt_bytes b)
{
	char *from = r->out.p;

	for (uint32_t i = b.n; i-- && r->out.p < r->out.end;) {
		fmt_put_hex_pad(&r->out, b.p[i], 2);
		if (i && i % 4 == 0)
			fmt_put_char(&r->out, ',');
	}
	pad(r, spec, from);
}

static bool has_bit(struct fmt_bytes b, uint32_t bit)
{
	return bit < b.n * 8 && b.p[bit / 8] >> bit % 8 & 1;
}

/* "0-3,5" */
void fmt_print_cpumask(struct fmt_run *r, const struct fmt_spec *spec, struct fmt_bytes b)
{
	char *from = r->out.p;
	uint32_t bit = 0;

	while (bit < b.n * 8 && r->out.p < r->out.end) {
		uint32_t first = bit;

		if (!has_bit(b, bit++))
			continue;
		while (has_bit(b, bit))
			bit++;
		if (r->out.p > from)
			fmt_put_char(&r->out, ',');
		fmt_put_udec(&r->out, first);
		if (bit > first + 1) {
			fmt_put_char(&r->out, '-');
			fmt_put_udec(&r->out, bit - 1);
		}
	}
	pad(r, spec, from);
}

void fmt_print_hex(struct fmt_run *r, const struct fmt_op *op, struct fmt_bytes b, uint64_t count)
{
	size_t n_between = strlen(op->s);
	uint64_t n = (uint32_t)count;

	for (uint32_t i = 0; i < n && i < b.left && r->out.p < r->out.end; i++) {
		if (i)
			fmt_put(&r->out, op->s, n_between);
		fmt_put_hex_pad(&r->out, b.p[i], 2);
	}
}

void fmt_print_ints(struct fmt_run *r, struct fmt_bytes b, uint64_t count, uint64_t bytes)
{
	uint64_t n = (uint32_t)count, v;

	if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)
		return;
	for (uint64_t i = 0; i < n && (i + 1) * bytes <= b.left && r->out.p < r->out.end; i++) {
		if (i)
			fmt_put_char(&r->out, ' ');
		v = 0;
		memcpy(&v, b.p + i * bytes, bytes);
		fmt_put_udec(&r->out, v);
	}
}
