// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/doctor.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* Each of these gives a new reference, or NULL without memory, which json_pack() passes on. */
static json_t *text(const char *s)
{
	return *s ? json_string(s) : json_null();
}

static json_t *number(bool known, json_int_t v)
{
	return known ? json_integer(v) : json_null();
}

static json_t *sysctl(long v)
{
	return number(v != HOSTFACTS_NOT_THERE, v);
}

static json_t *truth(bool known, bool v)
{
	return known ? json_boolean(v) : json_null();
}

static json_t *words(const char *s)
{
	char copy[256], *save = NULL;
	json_t *a = json_array();

	snprintf(copy, sizeof(copy), "%s", s);
	for (char *w = strtok_r(copy, " ", &save); a && w; w = strtok_r(NULL, " ", &save))
		json_array_append_new(a, json_string(w));
	return a;
}

static json_t *put_verdicts(const char *const *names, const struct verdict *v, int n)
{
	json_t *o = json_object();

	for (int i = 0; o && i < n; i++)
		json_object_set_new(o, names[i],
				    json_pack("{s:s, s:s}", "answer", answer_name(v[i].answer),
					      "why", v[i].why));
	return o;
}

/* --- host ----------------------------------------------------------------- */

static json_t *put_tsc(const struct hostfacts *h)
{
	static const char *const sources[] = {
		[KHZ_UNKNOWN] = "", [KHZ_KVM] = "kvm", [KHZ_PERF] = "perf", [KHZ_CPUID] = "cpuid"};
	json_t *flags = h->has_flags ? json_array() : json_null();

	for (int f = 0; h->has_flags && f < TSC_FLAGS; f++)
		if (hostfacts_has(h, (enum tsc_flag)f))
			json_array_append_new(flags, json_string(tsc_flag_name((enum tsc_flag)f)));
	return json_pack("{s:o, s:o, s:o, s:o}", "khz", number(h->tsc_khz, (json_int_t)h->tsc_khz),
			 "khz_from", text(sources[h->khz_source]), "flags", flags, "option",
			 text(h->tsc_option));
}

static json_t *put_pair(const struct skew_matrix *m, size_t i, size_t j)
{
	struct skew s = skew_matrix_get(m, i, j);

	return s.n ? json_pack("[I, I]", (json_int_t)s.lo, (json_int_t)s.hi) : json_null();
}

/* With very many CPUs the first row alone, which the others follow from. */
static json_t *put_matrix(const struct skewprobe *p)
{
	size_t rows = p->n < 2 ? 0 : p->n > SKEWPROBE_CLOSE_MAX ? 1 : p->n;
	json_t *a = json_array();

	for (size_t i = 0; a && i < rows; i++) {
		json_t *r = json_array();

		for (size_t j = 0; r && j < p->n; j++)
			json_array_append_new(r, put_pair(&p->matrix, i, j));
		json_array_append_new(a, r);
	}
	return a;
}

static json_t *put_skew(const struct doctor *d)
{
	const struct skewprobe *p = &d->skew;
	json_t *cpus = json_array();

	for (size_t i = 0; cpus && i < p->n; i++)
		json_array_append_new(cpus, json_integer(p->cpus[i]));
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:I, s:o, s:o}", "cpus", cpus,
			 "online", (json_int_t)p->online, "exchanges", (json_int_t)p->exchanges,
			 "pairs_measured", (json_int_t)p->measured, "pairs_known",
			 (json_int_t)d->skew_sum.known, "took_ns", (json_int_t)p->took_ns,
			 "consistent", p->consistent, "emulated", p->emulated, "differs_ticks",
			 (json_int_t)d->skew_sum.differs, "at_most_ticks",
			 number(d->skew_sum.known, (json_int_t)d->skew_sum.at_most), "bounds",
			 put_matrix(p));
}

static json_t *put_kvm(const struct hostfacts *h)
{
	static const char *const support[] = {[KVM_OFFSET_KEPT] = "kept",
					      [KVM_OFFSET_IGNORED] = "ignored",
					      [KVM_OFFSET_NO_ATTR] = "absent"};
	bool known = !h->judge.kvm_error;

	return json_pack("{s:o, s:o, s:o, s:o}", "module", text(h->kvm_module), "offsets",
			 text(known ? support[h->judge.kvm.support] : ""), "scaling",
			 truth(known, h->judge.kvm.scaling), "error",
			 text(known ? "" : strerror(-h->judge.kvm_error)));
}

static json_t *put_gate(const struct doctor *d)
{
	const struct gate_trial *t = &d->gate;

	return json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:o}", "built", d->host.gate.built, "btf",
			 d->host.gate.btf, "realtime", d->host.realtime, "preemptible",
			 d->host.preemptible, "watching", t->watching, "tried", t->tried, "error",
			 text(t->why));
}

static json_t *put_tracing(const struct readiness *r)
{
	json_t *events = json_array();

	for (int k = 0; events && k < READY_EVENTS; k++)
		if (r->events & 1u << k)
			json_array_append_new(
				events, json_string(readiness_event_name((enum readiness_event)k)));
	return json_pack("{s:o, s:b, s:o, s:o}", "path", text(r->tracefs), "x86_tsc", r->has_clock,
			 "events", events, "error", text(r->why));
}

static json_t *put_rights(const struct hostfacts *h)
{
	return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "uid", (json_int_t)h->uid,
			 "capabilities", (json_int_t)h->caps, "lockdown", text(h->lockdown),
			 "ptrace_scope", sysctl(h->ptrace_scope), "perf_event_paranoid",
			 sysctl(h->perf_paranoid), "unprivileged_bpf_disabled",
			 sysctl(h->bpf_unprivileged), "kptr_restrict", sysctl(h->kptr_restrict));
}

static const char *state(int err)
{
	return !err ? "yes" : err == -EACCES ? "denied" : "missing";
}

static json_t *put_host(const struct doctor *d)
{
	const struct hostfacts *h = &d->host;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:s, s:o, s:I}", "kernel",
			 h->kernel, "clocksource", text(h->judge.clocksource), "clocksources",
			 words(h->clocksources), "tsc", put_tsc(h), "skew", put_skew(d), "kvm",
			 put_kvm(h), "gate", put_gate(d), "debugfs", state(h->debugfs), "tracefs",
			 put_tracing(&d->ready), "vhost_vsock", state(h->vhost_vsock), "rights",
			 put_rights(h), "hidden_processes", (json_int_t)d->hidden);
}

/* --- VMs ------------------------------------------------------------------ */

static json_t *put_vcpu(const struct doctor *d, const struct doctor_vm *vm, size_t i)
{
	const struct vmfacts *f = &vm->facts;
	const struct vcpu *v = &f->vm->vcpus.v[i];
	bool known = v->has_offset;

	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "id", (json_int_t)v->id, "tid",
			 number(v->tid, v->tid), "offset", number(known, v->offset), "ratio",
			 number(known, (json_int_t)v->ratio), "frac", number(known, v->frac),
			 "tsc_adjust",
			 number(f->has_kvm, f->has_kvm ? (json_int_t)f->look.v[i].adjust : 0),
			 "set_by", text(f->has_kvm ? writer_name(doctor_writer(d, vm, i)) : ""));
}

static json_t *put_vm(const struct doctor *d, const struct doctor_vm *v)
{
	static const char *const names[DOCTOR_VM] = {"zero_now", "zero_at_reset", "translate",
						     "record"};
	static const char *const access[] = {
		[ACCESS_YES] = "yes",	     [ACCESS_DENIED] = "denied",
		[ACCESS_TRACED] = "traced",  [ACCESS_SHSTK] = "shadow stack",
		[ACCESS_32BIT] = "32-bit",   [ACCESS_GONE] = "gone",
		[ACCESS_SECCOMP] = "seccomp"};
	const struct vmfacts *f = &v->facts;
	uint64_t khz = f->has_kvm ? f->khz : vm_guest_khz(f->vm, d->host.tsc_khz);
	json_t *vcpus = json_array();

	for (size_t i = 0; vcpus && i < f->vm->vcpus.n; i++)
		json_array_append_new(vcpus, put_vcpu(d, v, i));
	return json_pack("{s:o, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:s, s:o, s:o}", "name",
			 json_string(f->vm->name) ?: json_null(), "pid", (json_int_t)f->vm->pid,
			 "vmm", f->vm->vmm->name, "vsock_cid",
			 number(f->vm->vsock_cid >= 0, f->vm->vsock_cid), "guest_khz",
			 number(khz, (json_int_t)khz), "masterclock",
			 truth(f->has_kvm, f->masterclock), "catchup",
			 truth(f->has_kvm, f->catchup || f->always_catchup), "protected",
			 truth(f->has_kvm, f->is_protected), "same_offset", vmfacts_same_offset(f),
			 "traceable", access[f->access], "vcpus", vcpus, "verdicts",
			 put_verdicts(names, v->verdicts, DOCTOR_VM));
}

bool doctor_add_json(struct strbuf *b, const struct doctor *d)
{
	static const char *const names[DOCTOR_HOST] = {"zero", "launch", "translate", "record"};
	json_t *vms = json_array(), *root;
	char *s;

	array_for_each(v, &d->shown)
		if (vms)
			json_array_append_new(vms, put_vm(d, v));
	root = json_pack("{s:o, s:o, s:b, s:o}", "host", put_host(d), "verdicts",
			 put_verdicts(names, d->verdicts, DOCTOR_HOST), "well", doctor_is_well(d),
			 "vms", vms);
	s = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	if (!s)
		return false;
	strbuf_puts(b, s);
	strbuf_puts(b, "\n");
	free(s);
	return true;
}
