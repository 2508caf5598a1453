// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/exitnames.h"

#include <asm/svm.h>
#include <asm/vmx.h>
#include <errno.h>
#include <event-parse.h>
#include <linux/kvm.h>
#include <stdio.h>

#include "base/array.h"
#include "insight/exits.h"
#include "source/symbols.h"

#define DIRECT	  0x480 /* codes below are found by index */
#define NAME_MAX_ 64	/* bytes of a name from a trace */
#define MADE_MAX  256	/* names made for codes that have none */
#define DEPTH_MAX 64	/* of expressions in a format */
#define USER	  "KVM_EXIT_"

enum { VMX, SVM, USERSPACE, TABLES };

struct name {
	uint32_t code;
	char *text;
};
struct table {
	const char *direct[DIRECT];
	struct ARRAY(struct name) names; /* ours to free */
};
struct exitnames {
	struct table tables[TABLES];
};

/* In order of preference: what a trace says comes before these. */
static const struct {
	uint32_t code;
	const char *text;
} vmx_names[] = {VMX_EXIT_REASONS}, svm_names[] = {SVM_EXIT_REASONS},
  user_names[] = {
#define U(x)                     \
	{                        \
		KVM_EXIT_##x, #x \
	}
	  U(UNKNOWN),
	  U(EXCEPTION),
	  U(IO),
	  U(HYPERCALL),
	  U(DEBUG),
	  U(HLT),
	  U(MMIO),
	  U(IRQ_WINDOW_OPEN),
	  U(SHUTDOWN),
	  U(FAIL_ENTRY),
	  U(INTR),
	  U(SET_TPR),
	  U(TPR_ACCESS),
	  U(NMI),
	  U(INTERNAL_ERROR),
	  U(WATCHDOG),
	  U(SYSTEM_EVENT),
	  U(IOAPIC_EOI),
	  U(HYPERV),
	  U(X86_RDMSR),
	  U(X86_WRMSR),
	  U(DIRTY_RING_FULL),
	  U(AP_RESET_HOLD),
	  U(X86_BUS_LOCK),
	  U(XEN),
	  U(NOTIFY),
#undef U
	  {EXIT_USER_INTR, "interrupted"},
	  {EXIT_USER_ERROR, "error"},
};

static const char *find(const struct table *t, uint32_t code)
{
	if (code < DIRECT)
		return t->direct[code];
	array_for_each(n, &t->names)
		if (n->code == code)
			return n->text;
	return NULL;
}

/* The first name of a code stays. */
static int add(struct table *t, uint32_t code, const char *text)
{
	struct name *n;

	if (find(t, code) || t->names.n > DIRECT * 2)
		return 0;
	n = array_add(&t->names);
	if (!n)
		return -ENOMEM;
	*n = (struct name){code, strndup(text, NAME_MAX_)};
	if (!n->text)
		return -ENOMEM;
	if (code < DIRECT)
		t->direct[code] = n->text;
	return 0;
}

/* --- names in a trace: __print_symbolic() in the format --- */

struct walk {
	struct table *tables[2]; /* for the first and the second list of names */
	unsigned n;
	int r;
};

static void add_symbols(struct walk *w, const struct tep_print_flag_sym *s)
{
	struct table *t = w->n < 2 ? w->tables[w->n++] : NULL;

	for (; s && t && !w->r; s = s->next) {
		const char *text = s->str;

		if (!s->value || !text)
			continue;
		if (!strncmp(text, USER, strlen(USER)))
			text += strlen(USER);
		w->r = add(t, (uint32_t)strtoul(s->value, NULL, 0), text);
	}
}

static void walk(struct walk *w, const struct tep_print_arg *a, int depth)
{
	for (; a && depth < DEPTH_MAX && !w->r; a = a->next) {
		if (a->type == TEP_PRINT_SYMBOL) {
			add_symbols(w, a->symbol.symbols);
		} else if (a->type == TEP_PRINT_OP) {
			walk(w, a->op.left, depth + 1);
			walk(w, a->op.right, depth + 1);
		} else if (a->type == TEP_PRINT_TYPE) {
			walk(w, a->typecast.item, depth + 1);
		}
	}
}

static unsigned count_lists(const struct tep_print_arg *args)
{
	struct walk w = {0};

	walk(&w, args, 0);
	return w.n;
}

static const struct tep_print_arg *args_of(const struct source *s, const struct source_kind *k)
{
	const struct tep_event *e = k ? source_format(s, k).event : NULL;

	return e ? e->print_fmt.args : NULL;
}

/* Both lists, that of Intel first: trace_kvm_exit, arch/x86/kvm/trace.h. A single one: ours alone. */
static int learn(struct exitnames *n, const struct tep_print_arg *exit,
		 const struct tep_print_arg *user)
{
	struct walk w = {.tables = {&n->tables[VMX], &n->tables[SVM]}};
	struct walk u = {.tables = {&n->tables[USERSPACE], NULL}};

	if (count_lists(exit) == 2)
		walk(&w, exit, 0);
	if (!w.r)
		walk(&u, user, 0);
	return w.r ? w.r : u.r;
}

static int add_ours(struct exitnames *n)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(vmx_names) && !r; i++)
		if (vmx_names[i].code != VMX_EXIT_REASONS_FAILED_VMENTRY)
			r = add(&n->tables[VMX], vmx_names[i].code, vmx_names[i].text);
	for (size_t i = 0; i < ARRAY_SIZE(svm_names) && !r; i++)
		r = add(&n->tables[SVM], svm_names[i].code, svm_names[i].text);
	for (size_t i = 0; i < ARRAY_SIZE(user_names) && !r; i++)
		r = add(&n->tables[USERSPACE], user_names[i].code, user_names[i].text);
	return r;
}

int exitnames_new(const struct source *s, const struct source_kind *exit,
		  const struct source_kind *user, struct exitnames **ret)
{
	struct exitnames *n = calloc(1, sizeof(*n));
	int r = n ? learn(n, args_of(s, exit), args_of(s, user)) : -ENOMEM;

	if (!r)
		r = add_ours(n);
	if (r) {
		exitnames_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void exitnames_free(struct exitnames *n)
{
	if (!n)
		return;
	for (int i = 0; i < TABLES; i++) {
		array_for_each(x, &n->tables[i].names)
			free(x->text);
		array_free(&n->tables[i].names);
	}
	free(n);
}

static const char *name_of(struct table *t, uint32_t code)
{
	const char *text = find(t, code);
	char hex[16];

	if (text)
		return text;
	snprintf(hex, sizeof(hex), "%#x", code);
	if (t->names.n > DIRECT * 2 - MADE_MAX || add(t, code, hex))
		return "other";
	return find(t, code);
}

const char *exitnames_exit(struct exitnames *n, uint32_t isa, uint32_t reason)
{
	if (isa == EXIT_ISA_SVM)
		return name_of(&n->tables[SVM], reason);
	return isa ? name_of(&n->tables[VMX], reason & 0xffff) : "";
}

const char *exitnames_user(struct exitnames *n, uint32_t reason)
{
	return reason == EXIT_NO_REASON ? "" : name_of(&n->tables[USERSPACE], reason);
}
