// SPDX-License-Identifier: GPL-2.0-or-later
/* `onetsc zero --vm X --now`: a guest that runs. Its clock would jump by the host's uptime, so this
 * refuses and says what to do instead; --force-live does it where a guest can survive it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "cmd/command.h"
#include "cmd/undo.h"
#include "cmd/zero.h"
#include "vm/offset.h"

int zero_find(const char *which, struct vms *vms, const struct vm **ret)
{
	unsigned hidden = 0;
	int r = vm_find_all(NULL, vms, &hidden);

	if (r)
		return log_err_r(r, "cannot look for VMs in /proc: %m");
	r = vm_select(vms, which, ret);
	if (r != -ENOENT)
		return r;
	if (hidden)
		return log_err_r(
			r,
			"no VM \"%s\" among the %zu that this user may see; %u processes are "
			"hidden from it: try as root",
			which, vms->n, hidden);
	return log_err_r(r, "no VM \"%s\" among the %zu running here; see onetsc list", which,
			 vms->n);
}

/* May this running VM be changed? */
static bool may_change(const struct zero_options *o, const struct vm *vm, const char *name)
{
	enum offset_refusal refusal = judge_now(vm, o->force_live);

	if (refusal == OFFSET_RUNNING)
		log_err("%s (pid %d) runs: its clock would jump by %" PRId64
			" ticks at once. Nothing was changed. \"onetsc record\" merges it exactly as it "
			"is; \"onetsc zero --vm %s --at-reset\" zeroes it when it reboots; --force-live "
			"lets the clock of a guest on kvm-clock jump",
			name, vm->pid, vm->vcpus.n ? -vm->vcpus.v[0].offset : 0, name);
	if (refusal == OFFSET_BACKWARD)
		log_err("%s (pid %d): the TSC would step back (or its offset cannot be read) and the "
			"guest's time stand still meanwhile. Nothing was changed. \"onetsc record\" "
			"merges it exactly as it is",
			name, vm->pid);
	return refusal == OFFSET_OK;
}

static void print_done(const struct zero_options *o, const struct vm *vm, const char *name,
		       const struct offset_result *result)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	const char *masterclock = result->masterclock ? "on" : "off";

	if (!o->json) {
		printf("%s (pid %d): %u vCPUs at offset 0, masterclock %s, stopped %.1f ms\n", name,
		       vm->pid, result->vcpus, masterclock, (double)result->stopped_ns / 1e6);
		return;
	}
	strbuf_json(&b, name, strlen(name));
	printf("{\"event\":\"vm\",\"vm\":%s,\"pid\":%d,\"outcome\":\"zeroed\",\"vcpus\":%u,"
	       "\"offset\":0,\"masterclock\":%s,\"stopped_ns\":%" PRIu64 "}\n",
	       b.s ?: "\"\"", vm->pid, result->vcpus, result->masterclock ? "true" : "false",
	       result->stopped_ns);
}

/* Asked when its threads stand still: has the guest been started meanwhile? */
static bool has_not_run(void *ctx)
{
	const struct vm *vm = ctx;
	struct vms vms = {0};
	bool yes = false;

	if (!vm_find_process(NULL, vm->pid, &vms))
		array_for_each(v, &vms)
			yes |= v->vm_fd == vm->vm_fd && judge_never_ran(v);
	vms_free(&vms);
	return yes;
}

static int change(const struct zero_options *o, const struct vm *vm, const char *name)
{
	const struct offset_check check = {has_not_run, (void *)vm};
	struct offset_result result = {0};
	struct journal *journal;
	int r;

	if (undo_begin(&journal))
		return EXIT_FAILED;
	r = offset_set_all_if(NULL, vm, 0, journal, o->force_live ? NULL : &check, &result);
	if (r)
		log_errno(r, "%s (pid %d): cannot change its TSC offsets%s%s: %m", name, vm->pid,
			  *result.why.text ? ": " : "", result.why.text);
	else if (result.refusal == OFFSET_UNWANTED)
		log_err("%s (pid %d) has just begun to run. Nothing was changed", name, vm->pid);
	else if (result.refusal)
		log_err("%s (pid %d): %s%s%s%s", name, vm->pid, offset_refusal_text(result.refusal),
			*result.why.text ? " (" : "", result.why.text, *result.why.text ? ")" : "");
	else
		print_done(o, vm, name, &result);
	r = r || result.refusal ? EXIT_FAILED : EXIT_OK;
	if (undo_end(journal)) {
		log_err("not everything could be put back; run: onetsc restore");
		r = EXIT_UNRESTORED;
	}
	return r;
}

int zero_now(const struct zero_options *o)
{
	_cleanup_vms_ struct vms vms = {0};
	enum offset_refusal refusal;
	const struct vm *vm;
	char name[128];

	if (zero_find(o->vms.v[0], &vms, &vm))
		return EXIT_FAILED;
	text_escape(name, sizeof(name), vm->name);
	if (judge_at_zero(vm)) {
		log_info("%s (pid %d) is at offset 0 already", name, vm->pid);
		return EXIT_OK;
	}
	refusal = offset_preflight(NULL, vm);
	if (refusal) {
		log_err("%s (pid %d): %s", name, vm->pid, offset_refusal_text(refusal));
		return EXIT_FAILED;
	}
	return may_change(o, vm, name) ? change(o, vm, name) : EXIT_FAILED;
}
