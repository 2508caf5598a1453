// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MATRIX_CPUS 8
#define WIDE_US	    10 /* messages between idle CPUs take less than one */

__attribute__((format(printf, 3, 4))) static void row(struct strbuf *b, const char *name,
						      const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	strbuf_printf(b, "  %-13s %s\n", name, text);
}

static void add_verdict(struct strbuf *b, const char *name, const struct verdict *v)
{
	strbuf_printf(b, "  %-13s %-7s %s\n", name, answer_name(v->answer), v->why);
}

/* --- host ----------------------------------------------------------------- */

static void add_tsc(struct strbuf *b, const struct hostfacts *h)
{
	static const char *const sources[] = {[KHZ_UNKNOWN] = "",
					      [KHZ_KVM] = "from KVM",
					      [KHZ_PERF] = "from perf",
					      [KHZ_CPUID] = "from CPUID"};
	const char *known = hostfacts_has(h, TSC_FLAG_KNOWN_FREQ)
				    ? ", told by the CPU or a hypervisor"
				    : ", measured by the kernel at boot";
	char flags[256] = "", missing[256] = "";

	for (int f = 0; f < TSC_FLAGS; f++) {
		char *to = hostfacts_has(h, (enum tsc_flag)f) ? flags : missing;
		size_t n = strlen(to);

		snprintf(to + n, sizeof(flags) - n, " %s", tsc_flag_name((enum tsc_flag)f));
	}
	row(b, "clocksource", "%s (available: %s)%s%s",
	    *h->judge.clocksource ? h->judge.clocksource : "?",
	    *h->clocksources ? h->clocksources : "?", *h->tsc_option ? "; booted with tsc=" : "",
	    h->tsc_option);
	if (h->tsc_khz)
		row(b, "TSC", "%" PRIu64 " kHz %s%s", h->tsc_khz, sources[h->khz_source],
		    h->has_flags ? known : "");
	else
		row(b, "TSC", "frequency not known");
	if (h->has_flags)
		row(b, "CPU flags", "%s; without%s", *flags ? flags + 1 : "none", missing);
}

static void add_bound(struct strbuf *b, const struct skew *s)
{
	char text[48] = "?";

	if (s->n)
		snprintf(text, sizeof(text), "%+" PRId64 "…%+" PRId64, s->lo, s->hi);
	strbuf_printf(b, " %*s", 16 + (s->n ? 2 : 0), text); /* … has 3 bytes */
}

static void add_matrix(struct strbuf *b, const struct skewprobe *p)
{
	strbuf_printf(b, "  %-13s", "  less CPU");
	for (size_t j = 1; j < p->n; j++) {
		char name[24];

		snprintf(name, sizeof(name), "CPU %d", p->cpus[j]);
		strbuf_printf(b, " %16s", name);
	}
	strbuf_puts(b, "\n");
	for (size_t i = 0; i + 1 < p->n; i++) {
		char name[24];

		snprintf(name, sizeof(name), "%d", p->cpus[i]);
		strbuf_printf(b, "  %10s   ", name);
		for (size_t j = 1; j < p->n; j++) {
			struct skew s = skew_matrix_get(&p->matrix, i, j);

			if (j > i)
				add_bound(b, &s);
			else
				strbuf_printf(b, " %16s", "");
		}
		strbuf_puts(b, "\n");
	}
}

static void add_skew(struct strbuf *b, const struct doctor *d)
{
	const struct skew_summary *s = &d->skew_sum;
	uint64_t khz = d->host.tsc_khz;
	char ns[48] = "";

	if (d->skew.n < 2) {
		row(b, "TSC skew", "%s",
		    d->skew.online > 1 ? "not measured: this process may run on one CPU only"
				       : "one CPU only");
		return;
	}
	if (khz)
		snprintf(ns, sizeof(ns), " (%" PRIu64 " ns)",
			 (uint64_t)((unsigned __int128)s->at_most * 1000000 / khz));
	if (!s->known)
		row(b, "TSC skew", "not measured: no two CPUs could be had at the same time");
	else if (s->differs || !d->skew.consistent)
		row(b, "TSC skew", "%zu CPUs, NOT equal: up to %" PRIu64 " ticks%s apart",
		    d->skew.n, s->at_most, ns);
	else
		row(b, "TSC skew",
		    "%zu CPUs, none further apart than %" PRIu64 " ticks%s, all may be equal%s",
		    d->skew.n, s->at_most, ns,
		    khz && s->at_most > khz / 1000 * WIDE_US
			    ? "; wide bounds, for the CPUs are busy"
			    : "");
	if (s->known)
		row(b, "", "bounds from %" PRIu64 " exchanges of %zu pair%s in %.0f ms%s",
		    d->skew.exchanges, d->skew.measured, d->skew.measured == 1 ? "" : "s",
		    (double)d->skew.took_ns / 1e6,
		    d->skew.n > MATRIX_CPUS ? "; --json has all pairs" : ", in ticks");
	if (d->skew.emulated)
		row(b, "", "wider than measured, for these CPUs are QEMU's emulator");
	if (d->skew.n < d->skew.online)
		row(b, "", "%zu other CPUs were left in peace: this process may not run there",
		    d->skew.online - d->skew.n);
	if (s->known && d->skew.n <= MATRIX_CPUS)
		add_matrix(b, &d->skew);
}

static void add_kvm(struct strbuf *b, const struct doctor *d)
{
	static const char *const support[] = {
		[KVM_OFFSET_KEPT] = "a TSC offset that is set is kept",
		[KVM_OFFSET_IGNORED] = "a TSC offset that is set is ignored",
		[KVM_OFFSET_NO_ATTR] = "TSC offsets cannot be set (before 5.16)"};
	const struct hostfacts *h = &d->host;
	const char *module = *h->kvm_module ? h->kvm_module : "no kvm_intel or kvm_amd";

	if (h->judge.kvm_error)
		row(b, "KVM", "%s; /dev/kvm: %s", module, strerror(-h->judge.kvm_error));
	else
		row(b, "KVM", "%s; %s; %s", module, support[h->judge.kvm.support],
		    h->judge.kvm.scaling ? "scales guest TSCs" : "no TSC scaling");
	row(b, "gate", "%s%s%s%s",
	    d->gate.watching ? "onetsc zero is watching"
	    : !d->gate.tried ? "not tried"
	    : d->gate.error  ? "does not work"
			     : "works (tried on a VM of our own)",
	    h->gate.built ? "" : "; built without BPF", h->gate.btf ? "" : "; kernel without BTF",
	    h->realtime	     ? "; PREEMPT_RT"
	    : h->preemptible ? "; preemptible kernel"
			     : "");
}

static void add_tracing(struct strbuf *b, const struct doctor *d)
{
	const struct readiness *r = &d->ready;
	char missing[128] = "";

	for (int k = 0; k < READY_EVENTS; k++)
		if (*r->tracefs && !(r->events & 1u << k)) {
			size_t n = strlen(missing);

			snprintf(missing + n, sizeof(missing) - n, " %s",
				 readiness_event_name((enum readiness_event)k));
		}
	row(b, "debugfs", "%s",
	    !d->host.debugfs		 ? "/sys/kernel/debug/kvm is readable"
	    : d->host.debugfs == -EACCES ? "for root only"
					 : "no /sys/kernel/debug/kvm");
	if (!*r->tracefs)
		row(b, "tracefs", "%s", r->why);
	else
		row(b, "tracefs", "%s; %sclock x86-tsc; %s%s", r->tracefs,
		    r->has_clock ? "" : "no ", *missing ? "without" : "KVM's tracepoints are there",
		    missing);
	row(b, "vsock", "%s",
	    !d->host.vhost_vsock	     ? "/dev/vhost-vsock can be opened"
	    : d->host.vhost_vsock == -EACCES ? "/dev/vhost-vsock is for others"
					     : "no /dev/vhost-vsock (modprobe vhost_vsock)");
}

static void add_number(struct strbuf *b, const char *name, long v)
{
	if (v != HOSTFACTS_NOT_THERE)
		strbuf_printf(b, "; %s %ld", name, v);
}

static void add_rights(struct strbuf *b, const struct hostfacts *h)
{
	static const struct {
		int cap;
		const char *name;
	} caps[] = {{CAP_SYS_ADMIN, "SYS_ADMIN"},
		    {CAP_SYS_PTRACE, "SYS_PTRACE"},
		    {CAP_BPF, "BPF"},
		    {CAP_PERFMON, "PERFMON"}};
	_cleanup_strbuf_ struct strbuf t = {0};

	strbuf_printf(&t, "user %u", h->uid);
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
		if (!(h->caps & UINT64_C(1) << caps[i].cap))
			strbuf_printf(&t, ", no CAP_%s", caps[i].name);
	strbuf_printf(&t, "; lockdown %s", *h->lockdown ? h->lockdown : "not known");
	add_number(&t, "ptrace_scope", h->ptrace_scope);
	add_number(&t, "perf_event_paranoid", h->perf_paranoid);
	add_number(&t, "unprivileged_bpf_disabled", h->bpf_unprivileged);
	add_number(&t, "kptr_restrict", h->kptr_restrict);
	row(b, "rights", "%s", t.s ? t.s : "");
	b->failed |= t.failed;
}

/* --- VMs ------------------------------------------------------------------ */

static const char *yes_no(bool known, bool v)
{
	return !known ? "?" : v ? "yes" : "no";
}

static void add_vcpu(struct strbuf *b, const struct doctor *d, const struct doctor_vm *vm, size_t i)
{
	const struct vcpu *v = &vm->facts.vm->vcpus.v[i];
	char offset[24] = "?", ratio[40] = "?", tid[16] = "?", adjust[24] = "?";

	if (v->tid)
		snprintf(tid, sizeof(tid), "%d", v->tid);
	if (v->has_offset) {
		snprintf(offset, sizeof(offset), "%" PRId64, v->offset);
		if (vcpu_is_scaled(v))
			snprintf(ratio, sizeof(ratio), "%" PRIu64 "/2^%u", v->ratio, v->frac);
		else
			snprintf(ratio, sizeof(ratio), "1");
	}
	if (vm->facts.has_kvm)
		snprintf(adjust, sizeof(adjust), "%lld", (long long)vm->facts.look.v[i].adjust);
	strbuf_printf(b, "  %4u  %8s  %21s  %-8s  %12s  %s\n", v->id, tid, offset, ratio, adjust,
		      vm->facts.has_kvm ? writer_text(doctor_writer(d, vm, i)) : "?");
}

static void add_vm(struct strbuf *b, const struct doctor *d, const struct doctor_vm *v)
{
	static const char *const names[DOCTOR_VM] = {"zero now", "zero at reset", "translate",
						     "record"};
	const struct vmfacts *f = &v->facts;
	uint64_t khz = f->has_kvm ? f->khz : vm_guest_khz(f->vm, d->host.tsc_khz);
	char name[128], freq[32] = "? kHz";

	if (khz)
		snprintf(freq, sizeof(freq), "%" PRIu64 " kHz", khz);
	strbuf_printf(b,
		      "\nVM %s (pid %d, %s): %zu vCPU%s, %s; masterclock %s, catch-up %s, "
		      "protected TSC %s\n",
		      text_escape(name, sizeof(name), f->vm->name), f->vm->pid, f->vm->vmm->name,
		      f->vm->vcpus.n, f->vm->vcpus.n == 1 ? "" : "s", freq,
		      !f->has_kvm      ? "?"
		      : f->masterclock ? "on"
				       : "off",
		      yes_no(f->has_kvm, f->catchup || f->always_catchup),
		      yes_no(f->has_kvm, f->is_protected));
	strbuf_puts(b,
		    "  vCPU    THREAD                 OFFSET  RATIO       TSC_ADJUST  OFFSET IS\n");
	for (size_t i = 0; i < f->vm->vcpus.n; i++)
		add_vcpu(b, d, v, i);
	if (!vmfacts_same_offset(f))
		strbuf_puts(b,
			    "  its vCPUs have different offsets: the guest's TSCs are not equal\n");
	for (int i = 0; i < DOCTOR_VM; i++)
		add_verdict(b, names[i], &v->verdicts[i]);
}

static void explain(struct strbuf *b, const struct doctor *d)
{
	if (d->look_error && d->shown.n)
		strbuf_printf(b,
			      "\nKVM's own record of each VM (masterclock, catch-up, who set the "
			      "offset) could not be read: %s\n",
			      d->look_error == -EPERM ? "that needs root"
			      : d->look_error == -ENXIO
				      ? "not from another pid namespace than the host's"
				      : strerror(-d->look_error));
	if (d->hidden)
		strbuf_printf(b,
			      "\n%u process%s of others could not be looked into; run as root to "
			      "see all VMs\n",
			      d->hidden, d->hidden == 1 ? "" : "es");
	else if (!d->vms.n)
		strbuf_puts(b, "\nno VM is running\n");
}

void doctor_add_text(struct strbuf *b, const struct doctor *d)
{
	static const char *const names[DOCTOR_HOST] = {"zero", "zero -- CMD", "translate",
						       "record"};

	strbuf_printf(b, "Host: Linux %s\n", d->host.kernel);
	add_tsc(b, &d->host);
	add_skew(b, d);
	add_kvm(b, d);
	add_tracing(b, d);
	add_rights(b, &d->host);
	for (int i = 0; i < DOCTOR_HOST; i++)
		add_verdict(b, names[i], &d->verdicts[i]);
	array_for_each(v, &d->shown)
		add_vm(b, d, v);
	explain(b, d);
}
