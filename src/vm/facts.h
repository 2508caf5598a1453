/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this host can do for us. Silent; changes nothing that lasts. */
#pragma once

#include <stdbool.h>

#include "vm/judge.h"
#include "vm/kvm_probe.h"
#include "vm/vm.h"

/* Name of the host's clocksource ("tsc"). */
must_check int facts_clocksource(const struct vm_roots *roots, char *buf, size_t n);
/* kvm_probe_run(), once per process; later calls give the same answer. Any thread. */
must_check int facts_kvm(struct kvm_probe *ret);
/* Both of these. */
void facts_judge_host(const struct vm_roots *roots, struct judge_host *ret);
/* PREEMPT_RT kernel? (/sys/kernel/realtime, else uname) */
bool facts_realtime(const struct vm_roots *roots);
/* Can a thread be preempted while it is in the kernel? Yes, where it cannot be told. */
bool facts_preemptible(const struct vm_roots *roots);
/* Type information of the kernel, needed by the BPF gate. */
bool facts_btf(const struct vm_roots *roots);
/* tracefs mounted and readable for us, at /sys/kernel/tracing or in debugfs. */
bool facts_tracefs(const struct vm_roots *roots);
