// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/verdict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *answer_name(enum answer a)
{
	static const char *const names[ANSWERS] = {
		[ANSWER_NO] = "no", [ANSWER_UNKNOWN] = "unknown", [ANSWER_YES] = "yes"};

	return names[a];
}

void verdict_set(struct verdict *v, enum answer a, const char *fmt, ...)
{
	va_list ap;

	v->answer = a;
	va_start(ap, fmt);
	vsnprintf(v->why, sizeof(v->why), fmt, ap);
	va_end(ap);
}

static void refuse(struct verdict *v, enum offset_refusal r)
{
	verdict_set(v, ANSWER_NO, "%s", offset_refusal_text(r));
}

/* In the order in which `onetsc zero` finds out. */
void verdict_zero_new(const struct hostfacts *h, const struct gate_trial *gate, struct verdict *ret)
{
	enum offset_refusal r = judge_host(&h->judge);
	const char *why;

	if (r != OFFSET_OK)
		refuse(ret, r);
	else if (judge_gate(&h->gate, &why))
		verdict_set(ret, ANSWER_NO, "%s", why);
	else if (gate->watching)
		verdict_set(ret, ANSWER_YES, "onetsc zero is watching at this moment");
	else if (!gate->tried)
		verdict_set(ret, ANSWER_UNKNOWN, "the gate was not tried");
	else if (gate->error)
		verdict_set(ret, ANSWER_NO, "%s", gate->why);
	else
		verdict_set(
			ret, ANSWER_YES,
			"with \"onetsc zero\"; tried on a VM of our own: it can be held, and KVM "
			"keeps its offset");
}

void verdict_launch(const struct hostfacts *h, struct verdict *ret)
{
	char why[sizeof(ret->why)];

	if (judge_launch(&h->judge, why, sizeof(why)))
		verdict_set(ret, ANSWER_NO, "%s", why);
	else
		verdict_set(ret, ANSWER_YES,
			    "with \"onetsc zero -- COMMAND\", which needs no root");
}

static uint64_t to_ns(uint64_t ticks, uint64_t khz)
{
	return khz ? (uint64_t)((unsigned __int128)ticks * 1000000 / khz) : 0;
}

/* Do the CPUs' TSCs forbid an order? */
static bool refuse_skew(const struct hostfacts *h, const struct skewprobe *p, struct verdict *ret)
{
	struct skew_summary s;

	if (p->n < 2)
		return false;
	skew_matrix_sum(&p->matrix, &s);
	if (s.differs)
		verdict_set(ret, ANSWER_NO,
			    "the TSCs of CPU %d and CPU %d differ by at least %" PRIu64
			    " ticks (%" PRIu64
			    " ns), so stamps of different CPUs have no exact order; "
			    "look for \"tsc\" in the kernel's log, and for a newer firmware",
			    p->cpus[s.differs_i], p->cpus[s.differs_j], s.differs,
			    to_ns(s.differs, h->tsc_khz));
	else if (!p->consistent)
		verdict_set(
			ret, ANSWER_NO,
			"the TSCs of the CPUs do not keep a constant distance, so stamps of "
			"different CPUs have no exact order; look for \"tsc\" in the kernel's log");
	return s.differs || !p->consistent;
}

/* What the kernel itself thinks of the TSC. */
static bool is_steady(const struct hostfacts *h)
{
	return !strcmp(h->judge.clocksource, "tsc") || !h->has_flags ||
	       (hostfacts_has(h, TSC_FLAG_CONSTANT) && hostfacts_has(h, TSC_FLAG_NONSTOP));
}

static void say_debugfs(const struct hostfacts *h, struct verdict *ret)
{
	if (h->debugfs == -EACCES)
		verdict_set(ret, ANSWER_UNKNOWN,
			    "TSC offsets are in debugfs, which is for root; try as root");
	else if (!*h->kvm_module)
		verdict_set(ret, ANSWER_NO,
			    "KVM is not loaded: modprobe kvm_intel or kvm_amd first");
	else
		verdict_set(ret, ANSWER_NO,
			    "TSC offsets are in debugfs, and there is no /sys/kernel/debug/kvm; "
			    "mount -t debugfs none /sys/kernel/debug");
}

void verdict_translate_host(const struct hostfacts *h, const struct skewprobe *skew,
			    struct verdict *ret)
{
	struct skew_summary s = {0};

	if (refuse_skew(h, skew, ret))
		return;
	if (!is_steady(h)) {
		verdict_set(
			ret, ANSWER_NO,
			"this CPU's TSC may stop or change its speed (constant_tsc and nonstop_tsc "
			"are not both there) and the kernel uses %s instead; no TSC stamp has an "
			"exact place here",
			*h->judge.clocksource ? h->judge.clocksource : "another clock");
		return;
	}
	if (h->debugfs) {
		say_debugfs(h, ret);
		return;
	}
	if (skew->n > 1)
		skew_matrix_sum(&skew->matrix, &s);
	if (s.known < s.pairs)
		verdict_set(
			ret, ANSWER_UNKNOWN,
			"only %zu of %zu pairs of CPUs could be compared in the time given; try "
			"again when the machine is less busy",
			s.known, s.pairs);
	else if (strcmp(h->judge.clocksource, "tsc") != 0)
		verdict_set(ret, ANSWER_YES,
			    "offsets are read from KVM; while the clocksource is not tsc KVM may "
			    "rewrite them often, and every write is recorded");
	else
		verdict_set(
			ret, ANSWER_YES,
			"exactly: offsets are read from KVM, and every later write is recorded");
}

static void refuse_failed(struct verdict *v, const char *why)
{
	verdict_set(v, ANSWER_NO, "%s (%s)", offset_refusal_text(OFFSET_FAILED), why);
}

static bool refuse_access(const struct vmfacts *f, struct verdict *ret)
{
	const char *text = offset_refusal_text(OFFSET_PERM);

	switch (f->access) {
	case ACCESS_YES:
		return false;
	case ACCESS_GONE:
		refuse(ret, OFFSET_GONE);
		return true;
	case ACCESS_DENIED:
		refuse(ret, OFFSET_PERM);
		return true;
	case ACCESS_TRACED:
		verdict_set(ret, ANSWER_NO,
			    "%s (it is traced by process %d: gdb, strace or another onetsc)", text,
			    f->tracer);
		return true;
	case ACCESS_SHSTK:
		refuse_failed(ret, "it has a user shadow stack");
		return true;
	case ACCESS_SECCOMP:
		refuse_failed(ret,
			      "its threads are under a seccomp filter, and suspending it needs "
			      "CAP_SYS_ADMIN");
		return true;
	case ACCESS_32BIT:
		refuse_failed(ret, "a 32-bit process");
		return true;
	}
	return false;
}

void verdict_zero_reset(const struct hostfacts *h, const struct verdict *zero_new,
			const struct vmfacts *f, struct verdict *ret)
{
	struct judge_vm v = vmfacts_judge(f);
	enum offset_refusal r = judge_vm(&h->judge, &v);

	if (r != OFFSET_OK)
		refuse(ret, r);
	else if (zero_new->answer != ANSWER_YES)
		*ret = *zero_new;
	else if (!refuse_access(f, ret))
		verdict_set(ret, ANSWER_YES, "\"onetsc zero --vm %d --at-reset\"", f->vm->pid);
}

void verdict_zero_now(const struct hostfacts *h, const struct vmfacts *f, struct verdict *ret)
{
	struct judge_vm v = vmfacts_judge(f);
	enum offset_refusal r = judge_vm(&h->judge, &v);

	if (judge_at_zero(f->vm) && r != OFFSET_SCALED) {
		verdict_set(ret, ANSWER_YES, "it is at offset 0 already");
		return;
	}
	if (r == OFFSET_OK)
		r = judge_now(f->vm, false);
	if (r != OFFSET_OK)
		refuse(ret, r);
	else if (!refuse_access(f, ret))
		verdict_set(ret, ANSWER_YES, "it has not run yet: \"onetsc zero --vm %d --now\"",
			    f->vm->pid);
}

/* Guest ticks are coarser than the host's: one stands for several. */
static uint64_t width_ticks(const struct vm *vm)
{
	uint64_t width = 1;

	array_for_each(v, &vm->vcpus) {
		unsigned __int128 one = (unsigned __int128)1 << v->frac;
		uint64_t w = v->ratio ? (uint64_t)((one + v->ratio - 1) / v->ratio) : 1;

		width = w > width ? w : width;
	}
	return width;
}

void verdict_translate_vm(const struct hostfacts *h, const struct verdict *translate,
			  const struct vmfacts *f, struct verdict *ret)
{
	bool known = f->vm->vcpus.n > 0, scaled = false;

	array_for_each(v, &f->vm->vcpus) {
		known &= v->has_offset;
		scaled |= vcpu_is_scaled(v);
	}
	if (f->has_kvm && f->is_protected && f->vm_type != VM_TYPE_TDX)
		verdict_set(ret, f->vm_type == VM_TYPE_SNP ? ANSWER_NO : ANSWER_UNKNOWN,
			    "the CPU keeps this VM's TSC from KVM (%s), so KVM does not know its "
			    "offset; only the guest itself can compare clocks (ptp_kvm)",
			    f->vm_type == VM_TYPE_SNP ? "SNP Secure TSC" : "protected TSC");
	else if (translate->answer != ANSWER_YES)
		*ret = *translate;
	else if (!f->vm->vcpus.n)
		verdict_set(ret, ANSWER_UNKNOWN, "it has no vCPU yet; ask again when it runs");
	else if (!known)
		verdict_set(ret, ANSWER_UNKNOWN,
			    "not all of its offsets can be read%s; list shows which",
			    h->debugfs ? " (debugfs)" : "");
	else if (scaled)
		verdict_set(ret, ANSWER_YES,
			    "to an interval of %" PRIu64 " host ticks: its TSC is scaled",
			    width_ticks(f->vm));
	else
		verdict_set(ret, ANSWER_YES, "exactly: to one host tick%s",
			    f->has_kvm && f->catchup
				    ? "; KVM corrects its offset now and then, and "
				      "every write is recorded"
				    : "");
}
