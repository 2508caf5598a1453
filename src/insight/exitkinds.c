// SPDX-License-Identifier: GPL-2.0-or-later
#include "insight/exitkinds.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct kind_row {
	const char *system, *name;
	enum exitkind_action action;
	const char *fields[EXITKIND_FIELDS]; /* without all of them the kind is not used */
} rows[] = {
	{"kvm", "kvm_entry", KIND_ENTRY, {0}},
	{"kvm", "kvm_exit", KIND_EXIT, {"exit_reason", "guest_rip", "info1", "info2"}},
	{"kvm", "kvm_userspace_exit", KIND_USER, {"reason", "errno"}},
	{"sched", "sched_switch", KIND_SWITCH, {"prev_pid", "next_pid", "prev_state"}},
	{"sched", "sched_waking", KIND_WAKING, {"pid"}},
	{"sched", "sched_wakeup", KIND_WAKING, {"pid"}},
	{"kvm", "kvm_vcpu_wakeup", KIND_WAKEUP, {"ns", "waited"}},
	{"kvm", "kvm_pio", KIND_PIO, {"rw", "port"}},
	{"kvm", "kvm_mmio", KIND_MMIO, {"type", "gpa"}},
	{"kvm", "kvm_fast_mmio", KIND_FAST_MMIO, {"gpa"}},
	{"kvm", "kvm_msr", KIND_MSR, {"write", "ecx"}},
	{"kvm", "kvm_page_fault", KIND_PAGE_FAULT, {"fault_address"}},
	{"kvm", "kvm_fpu", KIND_FPU, {"load"}},
	{"kvm", "kvm_inj_virq", KIND_IN_KVM, {0}},
	{"kvm", "kvm_inj_exception", KIND_IN_KVM, {0}},
	{"kvm", "kvm_halt_poll_ns", KIND_IN_KVM, {0}},
	{"kvm", "kvm_wait_lapic_expire", KIND_IN_KVM, {0}},
	{"kvm", "kvm_emulate_insn", KIND_IN_KVM, {0}},
	{"kvm", "kvm_cr", KIND_IN_KVM, {0}},
	{"kvm", "kvm_cpuid", KIND_IN_KVM, {0}},
	{"kvm", "kvm_hypercall", KIND_IN_KVM, {0}},
	{"kvm", "kvm_eoi", KIND_IN_KVM, {0}},
};

static bool has_fields(struct exitkind *u, const struct kind_row *row, const struct source_kind *k)
{
	for (int i = 0; i < EXITKIND_FIELDS && row->fields[i]; i++) {
		u->f[i] = source_field_find(k, row->fields[i]);
		if (!u->f[i] || (u->f[i]->type != FIELD_UINT && u->f[i]->type != FIELD_INT))
			return false;
	}
	return k->pid_at >= 0;
}

static void note(struct exitkinds *k, enum exitkind_action action, const struct source_kind *kind)
{
	if (action == KIND_ENTRY) {
		k->entry = kind;
	} else if (action == KIND_EXIT) {
		k->exit = kind;
		k->isa = source_field_find(kind, "isa");
	} else if (action == KIND_USER) {
		k->user = kind;
	} else if (action == KIND_SWITCH) {
		k->sched = kind;
		k->prev_comm = source_field_find(kind, "prev_comm");
		k->next_comm = source_field_find(kind, "next_comm");
	}
}

/* The probes of record --vmm (capture/vmmprobe.h), by their names: "vmm_region_read", and "_2" … behind
 * it in a recording of several programs. A region has a name where the recorder could find it. */
static void note_probe(struct exitkinds *k, const struct source_kind *kind)
{
	struct exitkind *u = &k->v[kind->index];
	bool region = !strncmp(kind->name, "vmm_region_", 11);

	if (strncmp(kind->system, "onetsc_", 7) || kind->pid_at < 0 ||
	    (!region && strncmp(kind->name, "vmm_enter", 9)))
		return;
	u->f[0] = source_field_find(kind, "addr");
	u->text = source_field_find(kind, region ? "region" : "space");
	if (!u->f[0] || !u->text || (u->f[0]->type != FIELD_UINT && u->f[0]->type != FIELD_INT))
		return;
	if (u->text->type == FIELD_DYN_STRING || u->text->type == FIELD_REL_STRING ||
	    u->text->type == FIELD_STRING)
		u->action = KIND_CALL;
}

int exitkinds_find(struct exitkinds *k, const struct input *in)
{
	const struct input_machine *host = in->machines.v;

	if (!in->machines.n || host->is_guest || !host->source)
		return 0;
	k->v = calloc(source_facts(host->source)->n_kinds + 1, sizeof(*k->v));
	if (!k->v)
		return -ENOMEM;
	k->source = host->source;
	for (size_t i = 0; i < source_facts(host->source)->n_kinds; i++)
		note_probe(k, source_facts(host->source)->kinds[i]);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct source_kind *kind =
			source_kind_find(host->source, rows[i].system, rows[i].name);

		if (!kind || !has_fields(&k->v[kind->index], &rows[i], kind))
			continue;
		k->v[kind->index].action = (uint8_t)rows[i].action;
		note(k, rows[i].action, kind);
	}
	return 0;
}

void exitkinds_free(struct exitkinds *k)
{
	free(k->v);
	k->v = NULL;
}
