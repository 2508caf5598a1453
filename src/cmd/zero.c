// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/zero.h"

#include <stddef.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "cmd/command.h"

#define AT(field) offsetof(struct zero_options, field)

static const struct opt zero_opts[] = {
	{0, "vm", OPT_STRV, AT(vms), "NAME|PID", "only this VM; may be repeated"},
	{0, "now", OPT_FLAG, AT(now), NULL, "the running VM of --vm, at once: refused, see below"},
	{0, "at-reset", OPT_FLAG, AT(at_reset), NULL,
	 "wait for the next reset of --vm, zero it, end"},
	{0, "force-live", OPT_FLAG, AT(force_live), NULL,
	 "with --now: let the clocks of the running guest jump"},
	{0, "rezero", OPT_FLAG, AT(rezero), NULL, "undo TSC writes of the guest itself too"},
	{0, "deadline", OPT_NS, AT(deadline_ns), "TIME",
	 "hold a VM at most so long, then let it run unchanged (2s)"},
	{'d', "duration", OPT_NS, AT(duration_ns), "TIME", "end after this time"},
	{'k', "stack", OPT_FLAG, AT(stack), NULL, "the kernel stack of each offset write"},
	{'j', "json", OPT_FLAG, AT(json), NULL, "one JSON object a line"},
	{0, NULL, 0, 0, NULL, NULL},
};

static const struct opt_spec zero_spec = {
	.command = "zero",
	.args = "[-- COMMAND…]",
	.summary = "Gives VMs the host's TSC: offset 0, so that guest and host RDTSC are equal.",
	.details =
		"Without COMMAND (root): watches the host. Every VM that starts or is reset from now on has\n"
		"offset 0 on all vCPUs before its first guest instruction. Prints one line per TSC offset\n"
		"that KVM writes and one per VM handled, until Ctrl-C. VMs that run already are left alone\n"
		"until their next reset, VMs restored from saved state for good: their clocks would jump.\n"
		"\"onetsc record\" merges them exactly as they are.\n"
		"With COMMAND: starts one VM so; needs no root.",
	.example =
		"  onetsc zero                          all VMs from now on\n"
		"  onetsc zero --vm web1 --at-reset     web1 when it reboots next\n"
		"  onetsc zero -k --json >writes.json   who writes which offset, with kernel stacks\n"
		"  onetsc zero -- qemu-system-x86_64 -accel kvm disk.img",
	.opts = zero_opts,
};

bool zero_wanted(const struct zero_options *o, const struct vm *vm)
{
	for (size_t i = 0; i < o->vms.n; i++) {
		uint64_t pid;

		if (!strcmp(o->vms.v[i], vm->name))
			return true;
		if (!text_to_u64(o->vms.v[i], &pid) && pid == (uint64_t)vm->pid)
			return true;
	}
	return !o->vms.n;
}

/* The first contradiction among the options, NULL for none. */
static const char *find_misuse(const struct zero_options *o, bool has_command)
{
	if (has_command && (o->vms.n || o->now || o->at_reset || o->force_live))
		return "a command to start and options for running VMs exclude each other";
	if (o->now && o->at_reset)
		return "--now and --at-reset exclude each other";
	if ((o->now || o->at_reset) && o->vms.n != 1)
		return "--now and --at-reset need one --vm NAME|PID (onetsc list shows them)";
	if (o->force_live && !o->now)
		return "--force-live belongs to --now";
	if (o->deadline_ns < 1000000 || o->deadline_ns > 60000000000)
		return "--deadline must lie between 1ms and 60s";
	return NULL;
}

static int run(int argc, char **argv)
{
	struct zero_options o = {.deadline_ns = 2000000000};
	int at = opt_parse(&zero_spec, &o, argc, argv);
	const char *misuse;

	if (at == OPT_HELP)
		return EXIT_OK;
	if (at < 0)
		return EXIT_USAGE;
	misuse = find_misuse(&o, at < argc);
	if (misuse) {
		log_err("zero: %s; see onetsc zero --help", misuse);
		return EXIT_USAGE;
	}
	if (at < argc)
		return zero_launch(&o, argv + at);
	return o.now ? zero_now(&o) : zero_watch(&o);
}

const struct command cmd_zero = {
	"zero",
	"give VMs the host's TSC: offset 0",
	run,
};
