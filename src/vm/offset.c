// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/offset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mono.h"
#include "base/text.h"
#include "vm/facts.h"
#include "vm/stopvm.h"
#include "vm/tracee.h"

enum offset_refusal offset_preflight(const struct vm_roots *roots, const struct vm *vm)
{
	struct judge_host host;

	facts_judge_host(roots, &host);
	return vm ? judge_vm(&host, &(struct judge_vm){.vm = vm}) : judge_host(&host);
}

/* One change of one VM, all in the tracer thread. */
struct change {
	const struct vm_roots *roots;
	const struct vm *vm;
	int64_t target;
	struct journal *journal;
	const struct offset_check *check;
	struct offset_result *ret;
	struct stopvm *s;
	int64_t *old, *now, *wanted;
	long *result;
	char *undo; /* the open journal entry's text, else NULL */
	uint64_t journal_id;
};

static int refuse(struct change *c, enum offset_refusal r)
{
	c->ret->refusal = r;
	return 0;
}

static int refuse_call(struct change *c, const char *call, size_t i)
{
	if (!c->ret->why.text[0])
		snprintf(c->ret->why.text, sizeof(c->ret->why.text), "%s of vCPU %u: %s", call,
			 c->s->vm.vcpus.v[i].id, strerror((int)-c->result[i]));
	return refuse(c,
		      c->result[i] == -ENXIO || c->result[i] == -EINVAL || c->result[i] == -ENOTTY
			      ? OFFSET_NO_ATTR
			      : OFFSET_FAILED);
}

/* What an error of the injection means for the caller. */
static int refuse_error(struct change *c, int err)
{
	switch (err) {
	case -ESRCH:
		return refuse(c, OFFSET_GONE);
	case -EPERM:
	case -EACCES:
		return refuse(c, OFFSET_PERM);
	case -ENOMEM:
	case -EIO:
		c->ret->refusal = OFFSET_FAILED;
		return err;
	default:
		return refuse(c, OFFSET_FAILED);
	}
}

/* Old offsets, and whether the vCPUs tick like the host: debugfs may not be there to tell. */
static int look(struct change *c)
{
	struct kvm_probe kvm = {0};
	uint64_t host_khz = facts_kvm(&kvm) ? 0 : kvm.tsc_khz;
	size_t n = c->s->vm.vcpus.n;
	int r = stopvm_get_offsets(c->s, c->old, c->result);

	for (size_t i = 0; i < n && !r; i++)
		if (c->result[i])
			return refuse_call(c, "KVM_GET_DEVICE_ATTR", i);
	if (!r)
		r = stopvm_ioctl(c->s, KVM_GET_TSC_KHZ, c->result);
	if (r)
		return refuse_error(c, r);
	for (size_t i = 0; i < n; i++)
		if (vcpu_is_scaled(&c->s->vm.vcpus.v[i]) ||
		    (c->result[i] > 0 && !judge_same_khz((uint64_t)c->result[i], host_khz)))
			return refuse(c, OFFSET_SCALED);
	return 0;
}

static int write_journal(struct change *c)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	const struct vm *vm = &c->s->vm;
	int r;

	strbuf_printf(&b, "%d %" PRIu64 " %d %" PRId64, vm->pid, vm->start_ticks, vm->vm_fd,
		      c->target);
	for (size_t i = 0; i < vm->vcpus.n; i++)
		strbuf_printf(&b, " %u:%d:%" PRId64, vm->vcpus.v[i].id, vm->vcpus.v[i].fd,
			      c->old[i]);
	c->undo = b.failed ? NULL : strdup(b.s);
	if (!c->undo)
		return -ENOMEM;
	r = journal_push(c->journal, "offset", &c->journal_id, "%s", c->undo);
	if (r) {
		free(c->undo);
		c->undo = NULL;
	}
	return r;
}

static void journal_close_entry(struct change *c)
{
	journal_done(c->journal, c->journal_id);
	free(c->undo);
	c->undo = NULL;
}

/* One after the other: a thread that is lost must not keep the others from being put back. */
static int put_back_each(struct change *c)
{
	size_t n = c->s->vm.vcpus.n;
	_cleanup_free_ bool *which = calloc(n, sizeof(*which));
	int r = which ? 0 : -ENOMEM, err;

	for (size_t i = 0; i < n && which; i++) {
		which[i] = true;
		err = stopvm_set_offsets(c->s, which, c->old, c->result);
		which[i] = false;
		r = r ? r : err ? err : (int)c->result[i];
	}
	return r;
}

/* After a failure: every vCPU as it was, or the journal keeps the entry. */
static int put_back(struct change *c)
{
	bool masterclock;
	int r = stopvm_set_offsets(c->s, NULL, c->old, c->result);

	if (r)
		r = put_back_each(c);
	if (!r)
		r = stopvm_get_offsets(c->s, c->now, c->result);
	for (size_t i = 0; i < c->s->vm.vcpus.n && !r; i++)
		if (c->now[i] != c->old[i])
			r = -EIO;
	if (!r)
		r = stopvm_renew_clock(c->s, &masterclock);
	if (r && r != -ESRCH)
		return -EIO;
	journal_close_entry(c);
	return 0;
}

/* Sets, renews the clocks and compares. 0 with a refusal when it did not take. */
static int apply(struct change *c)
{
	size_t n = c->s->vm.vcpus.n;
	int r = stopvm_set_offsets(c->s, NULL, c->wanted, c->result);

	for (size_t i = 0; i < n && !r; i++)
		if (c->result[i])
			return refuse_call(c, "KVM_SET_DEVICE_ATTR", i);
	if (!r)
		r = stopvm_get_offsets(c->s, c->now, c->result);
	for (size_t i = 0; i < n && !r; i++) {
		if (c->result[i])
			return refuse_call(c, "KVM_GET_DEVICE_ATTR", i);
		if (c->now[i] == c->target)
			continue;
		c->ret->read_back = c->now[i];
		return refuse(c, OFFSET_PROTECTED);
	}
	if (!r)
		r = stopvm_renew_clock(c->s, &c->ret->masterclock);
	return r ? refuse_error(c, r) : 0;
}

static int change_stopped(struct change *c)
{
	size_t n = c->s->vm.vcpus.n;
	int r = look(c), err;

	if (r || c->ret->refusal != OFFSET_OK)
		return r;
	if (c->check && !c->check->go(c->check->ctx))
		return refuse(c, OFFSET_UNWANTED);
	for (size_t i = 0; i < n; i++)
		c->wanted[i] = c->target;
	r = write_journal(c);
	if (r)
		return r;
	r = apply(c);
	if (!r && c->ret->refusal == OFFSET_OK) {
		journal_close_entry(c);
		c->ret->vcpus = (unsigned)n;
		return 0;
	}
	err = put_back(c);
	if (err)
		c->ret->refusal = OFFSET_FAILED;
	return err ? err : r;
}

static int change_run(void *arg)
{
	struct change *c = arg;
	int r = stopvm_open(c->roots, c->vm, c->journal, &c->ret->why, &c->s);
	uint64_t begin_ns;

	if (r)
		return refuse_error(c, r);
	begin_ns = c->s->begin_ns;
	c->old = calloc(c->s->vm.vcpus.n, sizeof(*c->old));
	c->now = calloc(c->s->vm.vcpus.n, sizeof(*c->now));
	c->wanted = calloc(c->s->vm.vcpus.n, sizeof(*c->wanted));
	c->result = calloc(c->s->vm.vcpus.n, sizeof(*c->result));
	r = c->old && c->now && c->wanted && c->result ? change_stopped(c) : -ENOMEM;
	/* What may be left of the injection is code that never runs; the journal knows of it. */
	if (stopvm_close(c->s) && !r && c->ret->refusal == OFFSET_OK)
		log_debug("process %d: %s", c->vm->pid, c->ret->why.text);
	c->ret->stopped_ns = mono_ns() - begin_ns;
	free(c->old);
	free(c->now);
	free(c->wanted);
	free(c->result);
	return r;
}

/* Threads that did not answer in time have been let go by now: try once more from the beginning. */
static int retry_undo(struct change *c)
{
	int r = offset_undo(c->undo);

	if (!r)
		journal_done(c->journal, c->journal_id);
	free(c->undo);
	return r ? -EIO : 0;
}

int offset_set_all_if(const struct vm_roots *roots, const struct vm *vm, int64_t target,
		      struct journal *journal, const struct offset_check *check,
		      struct offset_result *ret)
{
	struct change c = {roots, vm, target, journal, check, ret};
	int r;

	*ret = (struct offset_result){.refusal = offset_preflight(roots, vm)};
	if (ret->refusal != OFFSET_OK)
		return 0;
	r = inject_run(change_run, &c);
	if (c.undo)
		return retry_undo(&c);
	return r == -EIO ? 0 : r; /* refused, and nothing has changed */
}

int offset_set_all(const struct vm_roots *roots, const struct vm *vm, int64_t target,
		   struct journal *journal, struct offset_result *ret)
{
	return offset_set_all_if(roots, vm, target, journal, NULL, ret);
}
