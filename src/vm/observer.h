/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a TSC offset write that the BPF observer reported means: by whom, from where. */
#pragma once

#include <stdbool.h>

#include "base/text.h"
#include "vm/bpf/gate_shared.h"
#include "vm/ksyms.h"

enum write_source {
	WRITE_VMM,   /* an ioctl of the VMM (or one that onetsc made in it) */
	WRITE_GUEST, /* the guest's WRMSR of TSC or TSC_ADJUST */
	WRITE_KVM,   /* KVM by itself: host resumed from suspend, unstable TSC, catch-up */
};

/* True when observer_source() needs symbols to tell the guest from KVM. */
bool observer_needs_symbols(const struct gate_write *w);
/* Without symbols (NULL) a write inside KVM_RUN counts as the guest's. *ret_name is a short text
 * that is never freed: "KVM_SET_MSRS", "guest WRMSR". */
enum write_source observer_source(const struct gate_write *w, const struct ksyms *ks,
				  const char **ret_name);

/* Number of leading stack entries that belong to tracing itself. */
unsigned observer_stack_skip(const struct gate_write *w, const struct ksyms *ks);
/* "kvm_vcpu_ioctl+0x1f0 [kvm]", or the bare address when it has no name. */
void observer_add_frame(struct strbuf *b, const struct ksyms *ks, __u64 address);
