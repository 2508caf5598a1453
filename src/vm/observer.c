// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/observer.h"

#include <linux/kvm.h>
#include <string.h>

static const struct {
	__u32 cmd;
	const char *name;
} ioctls[] = {
	{(__u32)KVM_CREATE_VCPU, "KVM_CREATE_VCPU"},
	{(__u32)KVM_SET_MSRS, "KVM_SET_MSRS"},
	{(__u32)KVM_SET_DEVICE_ATTR, "KVM_SET_DEVICE_ATTR"},
	{(__u32)KVM_SET_TSC_KHZ, "KVM_SET_TSC_KHZ"},
};

/* Functions of kvm.ko (6.1, 6.12) that write an offset without guest or VMM asking for it. */
static bool stack_is_kvm(const struct gate_write *w, const struct ksyms *ks)
{
	struct ksym s;

	for (int i = 0; i < w->n_stack && i < GATE_STACK_DEPTH; i++)
		if (ksyms_find(ks, w->stack[i], &s) && (!strcmp(s.name, "kvm_arch_vcpu_load") ||
							!strcmp(s.name, "kvm_guest_time_update")))
			return true;
	return false;
}

bool observer_needs_symbols(const struct gate_write *w)
{
	return w->ioctl == (__u32)KVM_RUN;
}

enum write_source observer_source(const struct gate_write *w, const struct ksyms *ks,
				  const char **ret_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(ioctls); i++)
		if (w->ioctl == ioctls[i].cmd) {
			*ret_name = ioctls[i].name;
			return WRITE_VMM;
		}
	if (w->ioctl != (__u32)KVM_RUN) {
		*ret_name = "another ioctl";
		return WRITE_VMM;
	}
	if (stack_is_kvm(w, ks)) {
		*ret_name = "KVM itself";
		return WRITE_KVM;
	}
	*ret_name = "guest WRMSR";
	return WRITE_GUEST;
}

static bool is_tracing(const char *name)
{
	return !strncmp(name, "bpf_", 4) || !strncmp(name, "__bpf_", 6) ||
	       !strncmp(name, "__traceiter_", 12);
}

unsigned observer_stack_skip(const struct gate_write *w, const struct ksyms *ks)
{
	struct ksym s;
	unsigned n = w->n_stack > 0 ? (unsigned)w->n_stack : 0, skip = 0;

	for (unsigned i = 0; i < n && i < 8; i++)
		if (ksyms_find(ks, w->stack[i], &s) && is_tracing(s.name))
			skip = i + 1;
	return skip;
}

void observer_add_frame(struct strbuf *b, const struct ksyms *ks, __u64 address)
{
	struct ksym s;

	if (!ksyms_find(ks, address, &s)) {
		strbuf_printf(b, "%#llx", (unsigned long long)address);
		return;
	}
	strbuf_printf(b, "%s+%#llx", s.name, (unsigned long long)(address - s.start));
	if (*s.module)
		strbuf_printf(b, " [%s]", s.module);
}
