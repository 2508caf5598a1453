// SPDX-License-Identifier: GPL-2.0-or-later
/* onetsc list: which VMs run here, and how their clocks relate to the host's. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/options.h"
#include "base/text.h"
#include "cmd/command.h"
#include "vm/facts.h"
#include "vm/judge.h"
#include "vm/look.h"
#include "vm/vm.h"
#include "vm/vmfacts.h"

struct config {
	bool json;
};

static const struct opt opts[] = {
	{0, "json", OPT_FLAG, offsetof(struct config, json), NULL, "one JSON object"},
	{0},
};

static const struct opt_spec spec = {
	.command = "list",
	.args = "[VM…]",
	.summary = "Lists the VMs of this host, their vCPUs, threads and TSC offsets.",
	.details =
		"VMs are found by their KVM descriptors, whatever the VMM. Offsets, ratios and some\n"
		"threads come from debugfs and need root; what is not known is shown as \"?\".",
	.example = "onetsc list            all VMs that you may see\n"
		   "onetsc list web1       one VM, by name or process id\n"
		   "onetsc list --json | jq '.vms[].vcpus[].offset'",
	.opts = opts,
};

struct listing {
	struct vms vms;
	const struct vm **shown; /* those asked for, or all */
	size_t n;
	unsigned hidden;
	int debugfs; /* vm_debugfs_state() */
	char clocksource[32];
	struct kvm_probe kvm;
	bool has_kvm;
	struct looks looks; /* of all vCPUs; empty when they cannot be looked at */
};

static void listing_free(struct listing *l)
{
	vms_free(&l->vms);
	free(l->shown);
	array_free(&l->looks);
}

enum masterclock { MASTERCLOCK_UNKNOWN, MASTERCLOCK_OFF, MASTERCLOCK_ON };

static enum masterclock masterclock_of(const struct listing *l, const struct vm *vm)
{
	struct vmfacts facts;
	enum masterclock r = MASTERCLOCK_UNKNOWN;

	/* KVM decides it when a vCPU runs. */
	if (judge_never_ran(vm) || !l->looks.n || vmfacts_read(NULL, vm, &l->looks, &facts))
		return r;
	if (facts.has_kvm)
		r = facts.masterclock ? MASTERCLOCK_ON : MASTERCLOCK_OFF;
	vmfacts_free(&facts);
	return r;
}

/* --- JSON --- */

/* "key":number, or null */
static void put_number(struct strbuf *b, const char *key, bool known, int64_t v)
{
	strbuf_printf(b, "\"%s\":", key);
	if (known)
		strbuf_printf(b, "%" PRId64 ",", v);
	else
		strbuf_puts(b, "null,");
}

static void put_text(struct strbuf *b, const char *key, const char *v)
{
	strbuf_printf(b, "\"%s\":", key);
	if (v && *v)
		strbuf_json(b, v, strlen(v));
	else
		strbuf_puts(b, "null");
	strbuf_puts(b, ",");
}

static void put_vcpu(struct strbuf *b, const struct vcpu *v)
{
	strbuf_puts(b, "{");
	put_number(b, "fd", v->fd >= 0, v->fd);
	put_number(b, "tid", v->tid, v->tid);
	put_number(b, "host_cpu", v->host_cpu >= 0, v->host_cpu);
	put_text(b, "has_run", v->has_run < 0 ? NULL : v->has_run ? "yes" : "no");
	put_number(b, "offset", v->has_offset, v->offset);
	put_number(b, "ratio", v->has_offset, (int64_t)v->ratio);
	put_number(b, "frac", v->has_offset, v->frac);
	strbuf_printf(b, "\"id\":%u}", v->id);
}

static void put_vm(struct strbuf *b, const struct listing *l, const struct vm *vm)
{
	static const char *const masterclocks[] = {[MASTERCLOCK_UNKNOWN] = "null",
						   [MASTERCLOCK_OFF] = "false",
						   [MASTERCLOCK_ON] = "true"};
	const char *comma = "";

	strbuf_puts(b, "{");
	put_text(b, "name", vm->name);
	put_number(b, "pid", true, vm->pid);
	put_number(b, "start_ticks", true, (int64_t)vm->start_ticks);
	put_number(b, "fd", vm->vm_fd >= 0, vm->vm_fd);
	put_text(b, "vmm", vm->vmm->name);
	put_text(b, "exe", vm->exe);
	put_number(b, "vsock_cid", vm->vsock_cid >= 0, vm->vsock_cid);
	put_number(b, "guest_khz", vm_guest_khz(vm, l->kvm.tsc_khz),
		   (int64_t)vm_guest_khz(vm, l->kvm.tsc_khz));
	strbuf_printf(b, "\"masterclock\":%s,", masterclocks[masterclock_of(l, vm)]);
	strbuf_puts(b, "\"vcpus\":[");
	array_for_each(v, &vm->vcpus) {
		strbuf_puts(b, comma);
		put_vcpu(b, v);
		comma = ",";
	}
	strbuf_puts(b, "]}");
}

static void put_listing(struct strbuf *b, const struct listing *l)
{
	static const char *const support[] = {[KVM_OFFSET_KEPT] = "kept",
					      [KVM_OFFSET_IGNORED] = "ignored",
					      [KVM_OFFSET_NO_ATTR] = "absent"};

	strbuf_puts(b, "{\"host\":{");
	put_text(b, "clocksource", l->clocksource);
	put_text(b, "tsc_offsets", l->has_kvm ? support[l->kvm.support] : NULL);
	put_text(b, "debugfs", !l->debugfs ? "read" : l->debugfs == -EACCES ? "denied" : "missing");
	strbuf_printf(b, "\"hidden_processes\":%u,", l->hidden);
	if (l->kvm.tsc_khz)
		strbuf_printf(b, "\"tsc_khz\":%" PRIu64 "},\"vms\":[", l->kvm.tsc_khz);
	else
		strbuf_puts(b, "\"tsc_khz\":null},\"vms\":[");
	for (size_t i = 0; i < l->n; i++) {
		strbuf_puts(b, i ? ",\n" : "\n");
		put_vm(b, l, l->shown[i]);
	}
	strbuf_puts(b, "]}\n");
}

/* --- for people --- */

static const char *number_or(char *buf, size_t n, bool known, int64_t v, const char *other)
{
	if (!known)
		return other;
	snprintf(buf, n, "%" PRId64, v);
	return buf;
}

static void add_vcpu(struct strbuf *b, const struct vcpu *v)
{
	char tid[24], cpu[24], offset[24], ratio[32] = "?";

	if (v->has_offset && !vcpu_is_scaled(v))
		snprintf(ratio, sizeof(ratio), "1");
	else if (v->has_offset)
		snprintf(ratio, sizeof(ratio), "%" PRIu64 "/2^%u", v->ratio, v->frac);
	strbuf_printf(
		b, "  %4u  %8s  %3s  %21s  %s\n", v->id,
		number_or(tid, sizeof(tid), v->tid, v->tid, v->has_run ? "?" : "not run"),
		number_or(cpu, sizeof(cpu), v->host_cpu >= 0, v->host_cpu, v->has_run ? "?" : "-"),
		number_or(offset, sizeof(offset), v->has_offset, v->offset, "?"), ratio);
}

static void add_vm(struct strbuf *b, const struct listing *l, const struct vm *vm)
{
	static const char *const masterclocks[] = {
		[MASTERCLOCK_UNKNOWN] = "?", [MASTERCLOCK_OFF] = "off", [MASTERCLOCK_ON] = "on"};
	char name[128], khz[24], cid[24];
	uint64_t guest = vm_guest_khz(vm, l->kvm.tsc_khz);

	strbuf_printf(b, "%-15s  %7d  %-16s  %5zu  %10s  %9s  %s\n",
		      text_escape(name, sizeof(name), vm->name), vm->pid, vm->vmm->name,
		      vm->vcpus.n,
		      number_or(cid, sizeof(cid), vm->vsock_cid >= 0, vm->vsock_cid, "-"),
		      number_or(khz, sizeof(khz), guest, (int64_t)guest, "?"),
		      masterclocks[masterclock_of(l, vm)]);
	if (vm->vcpus.n)
		strbuf_puts(b, "  vCPU    THREAD  CPU                 OFFSET  RATIO\n");
	array_for_each(v, &vm->vcpus)
		add_vcpu(b, v);
}

static void add_listing(struct strbuf *b, const struct listing *l)
{
	if (!l->n)
		return;
	strbuf_printf(b, "%-15s  %7s  %-16s  %5s  %10s  %9s  %s\n", "VM", "PID", "VMM", "vCPUS",
		      "CID", "kHz", "MASTERCLOCK");
	for (size_t i = 0; i < l->n; i++)
		add_vm(b, l, l->shown[i]);
	strbuf_printf(b, "host: clocksource %s", l->clocksource[0] ? l->clocksource : "?");
	if (l->kvm.tsc_khz)
		strbuf_printf(b, ", TSC %" PRIu64 " kHz", l->kvm.tsc_khz);
	strbuf_puts(b, "\n");
}

/* What is missing, why, and what would help. */
static void explain(const struct listing *l)
{
	if (l->hidden)
		log_info(
			"%u process%s of others could not be looked into; run as root to see all VMs",
			l->hidden, l->hidden == 1 ? "" : "es");
	if (!l->n && !l->vms.n)
		log_info("no VM is running%s", l->hidden ? " that you may see" : "");
	if (!l->n || !l->debugfs)
		return;
	if (l->debugfs == -EACCES)
		log_info("offsets and ratios are unknown: debugfs is for root only");
	else
		log_info("offsets and ratios are unknown: there is no /sys/kernel/debug/kvm; "
			 "mount -t debugfs none /sys/kernel/debug");
}

/* Those named, or all. */
static int select_vms(struct listing *l, char **names)
{
	size_t named = 0;
	int r;

	while (names[named])
		named++;
	l->shown = calloc(l->vms.n + named + 1, sizeof(*l->shown));
	if (!l->shown)
		return -ENOMEM;
	if (!*names)
		array_for_each(vm, &l->vms)
			l->shown[l->n++] = vm;
	for (; *names; names++) {
		r = vm_select(&l->vms, *names, &l->shown[l->n]);
		if (r == -ENOENT)
			log_err("no VM \"%s\" is running here%s", *names,
				l->hidden ? ", or it is not yours to see" : "");
		if (r)
			return r;
		l->n++;
	}
	return 0;
}

static int read_listing(struct listing *l)
{
	int r = vm_find_all(NULL, &l->vms, &l->hidden);

	if (r)
		return log_err_r(r, "cannot read /proc: %m");
	l->debugfs = vm_debugfs_state(NULL);
	if (facts_clocksource(NULL, l->clocksource, sizeof(l->clocksource)))
		l->clocksource[0] = 0;
	/* The frequency is KVM's to tell; a VM of our own is not worth it when there is no other. */
	l->has_kvm = l->vms.n && !facts_kvm(&l->kvm);
	/* Without it the masterclock is a "?", as everything that is not for this user. */
	if (l->vms.n && !geteuid() && look_read(&l->looks))
		array_free(&l->looks);
	return 0;
}

static int run(int argc, char **argv)
{
	_cleanup_(listing_free) struct listing l = {0};
	_cleanup_strbuf_ struct strbuf b = {0};
	struct config cfg = {0};
	int at = opt_parse(&spec, &cfg, argc, argv);

	if (at < 0)
		return at == OPT_HELP ? EXIT_OK : EXIT_USAGE;
	if (read_listing(&l) || select_vms(&l, argv + at))
		return EXIT_FAILED;
	if (cfg.json)
		put_listing(&b, &l);
	else
		add_listing(&b, &l);
	if (b.failed || (b.n && fwrite(b.s, 1, b.n, stdout) != b.n) || fflush(stdout)) {
		log_err("cannot write the listing: %m");
		return EXIT_FAILED;
	}
	explain(&l);
	return EXIT_OK;
}

const struct command cmd_list = {"list", "VMs of this host, their vCPUs, threads and TSC offsets",
				 run};
