// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/laws_kinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make(struct law_kinds *k, const struct source *s)
{
	k->of = calloc(source_facts(s)->n_kinds + 1, sizeof(*k->of));
	return k->of ? 0 : -ENOMEM;
}

static struct law_kind *add(struct law_kinds *k, const struct source *s, const char *system,
			    const char *name, enum law_role role)
{
	const struct source_kind *kind = source_kind_find(s, system, name);

	if (!kind)
		return NULL;
	k->of[kind->index].role = role;
	return &k->of[kind->index];
}

static void set_fields(struct law_kind *k, const struct source_kind *kind, const char *a,
		       const char *b, const char *c)
{
	k->a = source_field_find(kind, a);
	k->b = b ? source_field_find(kind, b) : NULL;
	k->c = c ? source_field_find(kind, c) : NULL;
}

int law_kinds_of_host(struct law_kinds *k, const struct source *s)
{
	const struct source_kind *const *kinds = source_facts(s)->kinds;
	struct law_kind *p;
	int r = make(k, s);

	if (r)
		return r;
	add(k, s, "kvm", "kvm_entry", LAW_ENTRY);
	p = add(k, s, "kvm", "kvm_exit", LAW_EXIT);
	if (p)
		set_fields(p, kinds[p - k->of], "exit_reason", "isa", NULL);
	if (p && (!p->a || !p->b))
		p->a = p->b = NULL;
	p = add(k, s, "kvm", "kvm_inj_virq", LAW_INJECTION);
	if (p)
		set_fields(p, kinds[p - k->of], "vector", "soft", NULL);
	if (p && !p->a) /* 4.x calls the field irq; not judged */
		p->role = LAW_NO_ROLE;
	p = add(k, s, "kvm", "kvm_msr", LAW_MSR_ACCESS);
	if (p)
		set_fields(p, kinds[p - k->of], "ecx", "data", "write");
	if (p && (!p->a || !p->b || !p->c))
		p->role = LAW_NO_ROLE;
	return 0;
}

static bool has_role(const struct law_kinds *k, size_t n, enum law_role role)
{
	for (size_t i = 0; i < n && k->of; i++)
		if (k->of[i].role == role)
			return true;
	return false;
}

static void add_effect(struct law_kinds *k, const struct source_kind *kind, bool msrs, bool vectors)
{
	bool is_msr = !strcmp(kind->system, "msr") && !strcmp(kind->name, "write_msr");
	struct law_kind *p = &k->of[kind->index];
	size_t n = strlen(kind->name);

	if (!is_msr &&
	    (strcmp(kind->system, "irq_vectors") || n < 6 || strcmp(kind->name + n - 6, "_entry")))
		return;
	if (is_msr)
		set_fields(p, kind, "msr", "val", NULL);
	else
		set_fields(p, kind, "vector", NULL, NULL);
	if (is_msr ? msrs && p->a && p->b : vectors && p->a)
		p->role = is_msr ? LAW_MSR_WRITE : LAW_VECTOR_ENTRY;
}

int law_kinds_of_guest(struct law_kinds *k, const struct source *s, const struct law_kinds *host,
		       size_t n_host_kinds, bool has_tasks)
{
	const struct source_facts *f = source_facts(s);
	bool msrs = has_role(host, n_host_kinds, LAW_MSR_ACCESS);
	bool vectors = has_role(host, n_host_kinds, LAW_INJECTION);
	struct law_kind *p;
	int r = make(k, s);

	if (r)
		return r;
	for (size_t i = 0; i < f->n_kinds; i++)
		add_effect(k, f->kinds[i], msrs, vectors);
	p = has_tasks ? add(k, s, "sched", "sched_switch", LAW_SWITCH) : NULL;
	if (p)
		set_fields(p, f->kinds[p - k->of], "next_pid", NULL, NULL);
	if (p && !p->a)
		p->role = LAW_NO_ROLE;
	k->has_switch = p && p->a;
	return 0;
}

void law_kinds_free(struct law_kinds *k)
{
	free(k->of);
	k->of = NULL;
}
