// SPDX-License-Identifier: GPL-2.0-or-later
/* sched, hrtimer, kmem, ftrace: what plugin_*.c of libtraceevent 1.7.1 print. */
#include "sink/fmt_form.h"

#include "sink/fmt_compile.h"

/* A task name in an array that may lack its NUL. */
static void put_comm(struct fmt_run *r, const struct fmt_field *f)
{
	const char *s = (const char *)r->rec + f->off;
	size_t n = f->size;

	if (f->off >= r->size)
		return;
	if (n > r->size - f->off)
		n = r->size - f->off;
	fmt_put(&r->out, s, strnlen(s, n));
}

static void put_comm_pid(struct fmt_run *r, const struct fmt_field *comm,
			 const struct fmt_field *pid)
{
	if (comm->size) {
		put_comm(r, comm);
		fmt_put_char(&r->out, ':');
	}
	fmt_put_dec(&r->out, (int64_t)fmt_run_field(r, pid));
}

static void put_state(struct fmt_run *r, unsigned state)
{
	static const char states[] = "SDTtZXxW";
	bool any = false;

	for (unsigned i = 0; i < sizeof(states) - 1; i++) {
		if (!(state >> i & 1))
			continue;
		if (any)
			fmt_put_char(&r->out, '|');
		any = true;
		fmt_put_char(&r->out, states[i]);
	}
	if (!any)
		fmt_put_char(&r->out, 'R');
}

static void sched_switch(struct fmt_run *r, const struct fmt_prog *g)
{
	put_comm_pid(r, &g->fields[1], &g->fields[0]);
	fmt_puts(&r->out, " [");
	fmt_put_dec(&r->out, (int32_t)fmt_run_field(r, &g->fields[2]));
	fmt_puts(&r->out, "] ");
	put_state(r, (unsigned)fmt_run_field(r, &g->fields[3]));
	fmt_puts(&r->out, " ==> ");
	put_comm_pid(r, &g->fields[5], &g->fields[4]);
	fmt_puts(&r->out, " [");
	fmt_put_dec(&r->out, (int32_t)fmt_run_field(r, &g->fields[6]));
	fmt_put_char(&r->out, ']');
}

static void sched_wakeup(struct fmt_run *r, const struct fmt_prog *g)
{
	put_comm_pid(r, &g->fields[1], &g->fields[0]);
	fmt_puts(&r->out, " [");
	fmt_put_dec(&r->out, (int64_t)fmt_run_field(r, &g->fields[2]));
	fmt_put_char(&r->out, ']');
	if (g->fields[3].size) {
		fmt_puts(&r->out, " success=");
		fmt_put_dec(&r->out, (int64_t)fmt_run_field(r, &g->fields[3]));
	}
	if (g->fields[4].size) {
		const struct fmt_spec three = {
			.width = 3, .prec = -1, .flags = FMT_ZERO, .conv = 'u'};

		fmt_puts(&r->out, " CPU:");
		fmt_put_num(&r->out, &three, fmt_run_field(r, &g->fields[4]), 8);
	}
}

/* "name/0x0": the plugin takes the address from the symbol's, and so shows offsets negative. */
static void put_function(struct fmt_run *r, const struct fmt_field *f)
{
	char *from = r->out.p;
	uint64_t addr, start;
	const char *name;
	size_t n;

	if (!f->size)
		return;
	fmt_puts(&r->out, " function=");
	from = r->out.p;
	addr = fmt_run_field(r, f);
	name = r->names->symbol(r->names->ctx, addr, &start, &n);
	if (!name) {
		fmt_puts(&r->out, "0x");
		fmt_put_hex_pad(&r->out, addr, 8);
		return;
	}
	fmt_put(&r->out, name, n);
	fmt_puts(&r->out, "/0x");
	fmt_put_hex(&r->out, start - addr);
	if (r->out.p - from > 127) /* its buffer */
		r->out.p = from + 127;
}

static void put_hrtimer(struct fmt_run *r, const struct fmt_prog *g)
{
	const struct fmt_field *f = g->fields[0].size ? &g->fields[0] : &g->fields[1];

	fmt_puts(&r->out, "hrtimer=");
	if (f->size) {
		fmt_puts(&r->out, "0x");
		fmt_put_hex(&r->out, fmt_run_field(r, f));
	} else {
		fmt_puts(&r->out, "CAN'T FIND FIELD \"hrtimer\"");
	}
}

static void hrtimer_expire_entry(struct fmt_run *r, const struct fmt_prog *g)
{
	put_hrtimer(r, g);
	fmt_puts(&r->out, " now=");
	fmt_put_udec(&r->out, fmt_run_field(r, &g->fields[2]));
	put_function(r, &g->fields[3]);
}

static void hrtimer_start(struct fmt_run *r, const struct fmt_prog *g)
{
	put_hrtimer(r, g);
	put_function(r, &g->fields[3]);
	fmt_puts(&r->out, " expires=");
	fmt_put_udec(&r->out, fmt_run_field(r, &g->fields[2]));
	fmt_puts(&r->out, " softexpires=");
	fmt_put_udec(&r->out, fmt_run_field(r, &g->fields[4]));
}

static void call_site(struct fmt_run *r, const struct fmt_prog *g)
{
	uint64_t addr, start;
	const char *name;
	size_t n;

	if (!g->fields[0].size)
		return;
	addr = fmt_run_field(r, &g->fields[0]);
	name = r->names->symbol(r->names->ctx, addr, &start, &n);
	if (!name)
		return;
	fmt_put_char(&r->out, '(');
	fmt_put(&r->out, name, n);
	fmt_puts(&r->out, "+0x");
	fmt_put_hex(&r->out, (uint32_t)(addr - start));
	fmt_puts(&r->out, ") ");
}

/* Without the indentation that the plugin guesses from the functions it printed before: the text of
 * an event depends on nothing but the event. */
static void function(struct fmt_run *r, const struct fmt_prog *g)
{
	fmt_run_symbol(r, fmt_run_field(r, &g->fields[0]), false);
}

static void kernel_stack(struct fmt_run *r, const struct fmt_prog *g)
{
	fmt_puts(&r->out, "<stack trace >\n");
	for (uint32_t at = g->fields[0].off; at < r->size && r->out.p < r->out.end; at += 8) {
		uint64_t addr = 0, start;
		const char *name;
		size_t n = r->size - at;

		memcpy(&addr, r->rec + at, n < 8 ? n : 8);
		if (addr == UINT64_MAX || (uint32_t)addr == UINT32_MAX)
			return;
		fmt_puts(&r->out, "=> ");
		name = r->names->symbol(r->names->ctx, addr, &start, &n);
		if (name) {
			fmt_put(&r->out, name, n);
			fmt_puts(&r->out, " (");
		}
		fmt_put_hex(&r->out, addr);
		if (name)
			fmt_put_char(&r->out, ')');
		fmt_put_char(&r->out, '\n');
	}
}

static const struct fmt_form forms[] = {
	{"sched",
	 "sched_switch",
	 sched_switch,
	 false,
	 {"prev_pid", "?=prev_comm", "prev_prio", "prev_state", "next_pid", "?=next_comm",
	  "next_prio"}},
	{"sched",
	 "sched_wakeup",
	 sched_wakeup,
	 false,
	 {"pid", "?=comm", "prio", "?success", "?target_cpu"}},
	{"sched",
	 "sched_wakeup_new",
	 sched_wakeup,
	 false,
	 {"pid", "?=comm", "prio", "?success", "?target_cpu"}},
	{"timer",
	 "hrtimer_expire_entry",
	 hrtimer_expire_entry,
	 false,
	 {"?timer", "?hrtimer", "now", "?function"}},
	{"timer",
	 "hrtimer_start",
	 hrtimer_start,
	 false,
	 {"?timer", "?hrtimer", "expires", "?function", "softexpires"}},
	{"kmem", "kfree", call_site, true, {"?call_site"}},
	{"kmem", "kmalloc", call_site, true, {"?call_site"}},
	{"kmem", "kmalloc_node", call_site, true, {"?call_site"}},
	{"kmem", "kmem_cache_alloc", call_site, true, {"?call_site"}},
	{"kmem", "kmem_cache_alloc_node", call_site, true, {"?call_site"}},
	{"kmem", "kmem_cache_free", call_site, true, {"?call_site"}},
	{"ftrace", "function", function, false, {"ip"}},
	{"ftrace", "kernel_stack", kernel_stack, false, {"=caller"}},
	{NULL},
};

static bool find_field(const struct source_kind *k, const char *name, bool array,
		       struct fmt_field *ret)
{
	for (size_t i = 0; i < k->n_fields; i++) {
		const struct source_field *f = &k->fields[i];
		bool number = f->type == FIELD_UINT || f->type == FIELD_INT;
		bool fixed = number || f->type == FIELD_STRING || f->type == FIELD_BYTES;

		if (f->is_common || strcmp(f->name, name))
			continue;
		*ret = (struct fmt_field){f->offset, f->size};
		return array ? fixed : number;
	}
	return false;
}

static bool has_field(const struct source_kind *k, const char *name)
{
	for (size_t i = 0; i < k->n_fields; i++)
		if (!k->fields[i].is_common && !strcmp(k->fields[i].name, name))
			return true;
	return false;
}

static bool find_fields(struct fmt_prog *g, const struct source_kind *k, const struct fmt_form *f)
{
	for (size_t i = 0; i < FMT_FIELDS_MAX && f->fields[i]; i++) {
		const char *name = f->fields[i];
		bool optional = *name == '?', array;

		name += optional;
		array = *name == '=';
		name += array;
		if (optional && !has_field(k, name))
			continue;
		if (!find_field(k, name, array, &g->fields[i]))
			return false;
	}
	return true;
}

bool fmt_form_find(struct fmt_prog *g, const struct source_kind *k, bool *ret_more)
{
	static const struct fmt_form *const tables[] = {forms, fmt_kvm_forms};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct fmt_form *f = tables[i]; f->name; f++)
			if (!strcmp(f->name, k->name) && !strcmp(f->system, k->system)) {
				g->form = f->run;
				*ret_more = f->more;
				return find_fields(g, k, f);
			}
	return false;
}
