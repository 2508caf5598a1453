// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/preset.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

/* Every selection holds kvm_entry and kvm_exit: without them no order can be proved. */
#define KVM_WINDOW "kvm:kvm_entry", "kvm:kvm_exit", "kvm:kvm_write_tsc_offset"
#define KVM_VMM \
	"kvm:kvm_userspace_exit", "kvm:kvm_pio", "kvm:kvm_mmio", "kvm:kvm_fast_mmio", "kvm:kvm_msr"
#define KVM_IRQ                                                                                  \
	"kvm:kvm_inj_virq", "kvm:kvm_set_irq", "kvm:kvm_msi_set_irq", "kvm:kvm_apic_accept_irq", \
		"kvm:kvm_eoi"
#define SCHED \
	"sched:sched_switch", "sched:sched_waking", "sched:sched_wakeup", "sched:sched_wakeup_new"
#define TASKS "sched:sched_process_fork", "sched:sched_process_exec", "sched:sched_process_exit"
#define IRQ   "irq:irq_handler_*", "irq:softirq_*"

static const char *const default_host[] = {KVM_WINDOW,
					   KVM_VMM,
					   "kvm:kvm_inj_virq",
					   "kvm:kvm_halt_poll_ns",
					   "kvm:kvm_vcpu_wakeup",
					   SCHED,
					   IRQ,
					   NULL};
static const char *const default_guest[] = {
	SCHED, TASKS, IRQ, "irq_vectors:*_entry", "irq_vectors:*_exit", NULL};

static const char *const exits_host[] = {KVM_WINDOW,
					 KVM_VMM,
					 "kvm:kvm_cr",
					 "kvm:kvm_cpuid",
					 "kvm:kvm_hypercall",
					 "kvm:kvm_page_fault",
					 "kvm:kvm_inj_*",
					 "sched:sched_switch",
					 NULL};
static const char *const exits_guest[] = {"sched:sched_switch", TASKS, NULL};

static const char *const latency_host[] = {KVM_WINDOW,
					   KVM_VMM,
					   KVM_IRQ,
					   "kvm:kvm_halt_poll_ns",
					   "kvm:kvm_vcpu_wakeup",
					   "kvm:kvm_wait_lapic_expire",
					   SCHED,
					   IRQ,
					   "timer:hrtimer_*",
					   "irq_vectors:*_entry",
					   "irq_vectors:*_exit",
					   NULL};
static const char *const latency_guest[] = {SCHED,
					    TASKS,
					    IRQ,
					    "timer:hrtimer_*",
					    "timer:timer_expire_*",
					    "irq_vectors:*_entry",
					    "irq_vectors:*_exit",
					    "power:cpu_idle",
					    NULL};

static const char *const block_host[] = {
	KVM_WINDOW, KVM_VMM, KVM_IRQ, SCHED, IRQ, "block:block_rq_*", "block:block_bio_*", NULL};
static const char *const block_guest[] = {
	SCHED, TASKS, IRQ, "block:block_rq_*", "block:block_bio_*", NULL};

static const char *const net_host[] = {KVM_WINDOW, KVM_VMM,  KVM_IRQ,	SCHED, IRQ,
				       "net:*",	   "napi:*", "vhost:*", NULL};
static const char *const net_guest[] = {SCHED, TASKS, IRQ, "net:*", "napi:*", NULL};

static const char *const all_host[] = {
	"kvm:*", "sched:*", "irq:*",   "irq_vectors:*", "timer:*",  "workqueue:*", "block:*",
	"net:*", "napi:*",  "power:*", "vhost:*",	"signal:*", NULL};
static const char *const all_guest[] = {"sched:*",     "irq:*",	   "irq_vectors:*",  "timer:*",
					"workqueue:*", "block:*",  "net:*",	     "napi:*",
					"power:*",     "signal:*", "raw_syscalls:*", NULL};

const struct preset presets[] = {
	{"default", "exits, VMM round trips, scheduling, interrupts", default_host, default_guest},
	{"exits", "every exit and what it was about", exits_host, exits_guest},
	{"latency", "interrupts, timers and wake-ups, end to end", latency_host, latency_guest},
	{"block", "default plus disk requests on both sides", block_host, block_guest},
	{"net", "default plus network packets on both sides", net_host, net_guest},
	{"all", "everything that is useful; costs the most", all_host, all_guest},
	{NULL, NULL, NULL, NULL},
};

const struct preset *preset_find(const char *name)
{
	if (!name)
		return &presets[0];
	for (const struct preset *p = presets; p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

int preset_want(struct events *e, const char *const *patterns)
{
	int n = 0;

	for (; *patterns; patterns++) {
		int r = events_want(e, *patterns);

		if (r < 0)
			return r;
		if (!r)
			log_debug("this kernel has no event %s", *patterns);
		n += r;
	}
	return n;
}

void preset_print_all(FILE *out)
{
	for (const struct preset *p = presets; p->name; p++)
		fprintf(out, "%-9s %s\n", p->name, p->help);
}
