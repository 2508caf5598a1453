// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/stopvm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mono.h"
#include "vm/tracee.h"

#define STOP_TIMEOUT_MS 2000
#define CALL_TIMEOUT_MS 2000
#define SETTLE_ROUNDS	8

struct attr_payload {
	struct kvm_device_attr attr;
	int64_t value;
};

static int fail(struct stopvm *s, int err, const char *text, unsigned vcpu)
{
	if (!s->why->text[0])
		snprintf(s->why->text, sizeof(s->why->text), "%s %u", text, vcpu);
	return err;
}

/* A thread that was stopped in KVM_RUN tells which vCPU it runs. */
static void learn_from_threads(struct stopvm *s)
{
	for (struct inject_thread *t = inject_next(s->inj, NULL); t; t = inject_next(s->inj, t)) {
		int fd;

		if (!inject_was_in_ioctl(t, KVM_RUN, &fd))
			continue;
		array_for_each(v, &s->vm.vcpus)
			if (!v->tid && v->fd == fd)
				v->tid = inject_tid(t);
	}
}

static bool all_threads_known(const struct stopvm *s)
{
	array_for_each(v, &s->vm.vcpus)
		if (!v->tid)
			return false;
	return true;
}

static int stop_known(struct stopvm *s, unsigned *ret_new)
{
	struct inject_thread *t;
	size_t before = 0, after = 0;
	int r = 0;

	for (t = inject_next(s->inj, NULL); t; t = inject_next(s->inj, t))
		before++;
	for (size_t i = 0; i < s->vm.vcpus.n && !r; i++) {
		struct vcpu *v = &s->vm.vcpus.v[i];

		if (v->tid)
			r = inject_stop(s->inj, v->tid, STOP_TIMEOUT_MS, &t);
		/* No such thread (any more): whether the VM has ended vm_refresh() tells. */
		if (r == -ESRCH)
			r = v->tid = 0;
	}
	for (t = inject_next(s->inj, NULL); t; t = inject_next(s->inj, t))
		after++;
	*ret_new = (unsigned)(after - before);
	return r;
}

/* Threads that still run may add vCPUs (hot-plug): look again until nothing is new. A vCPU without a
 * known thread may be run by any, at any moment: then all must stand still. */
static int settle(const struct vm_roots *roots, struct stopvm *s)
{
	unsigned fresh;
	int r;

	for (int i = 0; i < SETTLE_ROUNDS; i++) {
		bool all = false;

		r = stop_known(s, &fresh);
		if (!r && !all_threads_known(s)) {
			all = true;
			r = inject_stop_all(s->inj, STOP_TIMEOUT_MS);
		}
		if (!r)
			r = vm_refresh(roots, &s->vm);
		if (r)
			return r == -ENOENT ? -ESRCH : r;
		learn_from_threads(s);
		if (!fresh && i && (all || all_threads_known(s)))
			return 0;
	}
	return fail(s, -ETIMEDOUT, "vCPUs are added without end to process", (unsigned)s->vm.pid);
}

static bool is_taken(const struct stopvm *s, const struct inject_thread *t)
{
	for (size_t i = 0; i < s->vm.vcpus.n; i++)
		if (s->thread[i] == t)
			return true;
	return false;
}

/* Each vCPU its own thread; those without one any thread that has nothing else to do. */
static int assign_threads(struct stopvm *s)
{
	int r;

	for (size_t i = 0; i < s->vm.vcpus.n; i++) {
		const struct vcpu *v = &s->vm.vcpus.v[i];

		if (v->fd < 0)
			return fail(s, -ENODEV, "cannot tell the descriptor of vCPU", v->id);
		r = v->tid ? inject_stop(s->inj, v->tid, STOP_TIMEOUT_MS, &s->thread[i]) : 0;
		if (r)
			return r;
	}
	for (size_t i = 0; i < s->vm.vcpus.n; i++) {
		struct inject_thread *t = inject_next(s->inj, NULL);

		while (!s->thread[i] && t && is_taken(s, t))
			t = inject_next(s->inj, t);
		if (!s->thread[i])
			s->thread[i] = t ? t : inject_next(s->inj, NULL);
	}
	return 0;
}

static int copy_vm(const struct vm *vm, struct vm *ret)
{
	*ret = (struct vm){.pid = vm->pid, .start_ticks = vm->start_ticks, .vm_fd = vm->vm_fd};
	array_for_each(v, &vm->vcpus) {
		struct vcpu *copy = array_add(&ret->vcpus);

		if (!copy)
			return -ENOMEM;
		*copy = *v;
	}
	return 0;
}

int stopvm_open(const struct vm_roots *roots, const struct vm *vm, struct journal *journal,
		struct inject_why *why, struct stopvm **ret)
{
	struct stopvm *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->why = why;
	s->begin_ns = mono_ns();
	r = copy_vm(vm, &s->vm);
	if (!r)
		r = inject_open(vm->pid, vm->start_ticks, journal, STOP_TIMEOUT_MS, why, &s->inj);
	if (!r)
		r = settle(roots, s);
	if (!r && !s->vm.vcpus.n)
		r = fail(s, -ENODEV, "no vCPU in process", (unsigned)vm->pid);
	if (!r) {
		s->thread = calloc(s->vm.vcpus.n, sizeof(*s->thread));
		r = s->thread ? assign_threads(s) : -ENOMEM;
	}
	if (r) {
		int err = stopvm_close(s);

		return err ? err : r;
	}
	*ret = s;
	return 0;
}

int stopvm_close(struct stopvm *s)
{
	int r;

	if (!s)
		return 0;
	r = inject_close(s->inj);
	vm_free(&s->vm);
	free(s->thread);
	free(s);
	return r;
}

/* Makes call[i] for vCPU i where which[i]. Threads that serve several vCPUs take turns. */
static int call_all(struct stopvm *s, const bool which[], struct inject_call call[])
{
	size_t n = s->vm.vcpus.n, left = 0, k;
	_cleanup_free_ struct inject_thread **thread = calloc(n, sizeof(*thread));
	_cleanup_free_ struct inject_call *batch = calloc(n, sizeof(*batch));
	_cleanup_free_ size_t *index = calloc(n, sizeof(*index));
	_cleanup_free_ bool *todo = calloc(n, sizeof(*todo));
	int r = 0;

	if (!thread || !batch || !index || !todo)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		left += todo[i] = !which || which[i];
	for (; left && !r; left -= k) {
		k = 0;
		for (size_t i = 0; i < n; i++) {
			bool busy = !todo[i];

			for (size_t j = 0; j < k && !busy; j++)
				busy = thread[j] == s->thread[i];
			if (busy)
				continue;
			todo[i] = false;
			index[k] = i;
			thread[k] = s->thread[i];
			batch[k++] = call[i];
		}
		r = inject_ioctl_all(thread, batch, k, CALL_TIMEOUT_MS);
		for (size_t j = 0; j < k; j++)
			call[index[j]].result = batch[j].result;
	}
	return r;
}

int stopvm_ioctl(struct stopvm *s, unsigned long cmd, long result[])
{
	_cleanup_free_ struct inject_call *call = calloc(s->vm.vcpus.n, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	for (size_t i = 0; i < s->vm.vcpus.n; i++)
		call[i] = (struct inject_call){.fd = s->vm.vcpus.v[i].fd, .cmd = cmd};
	r = call_all(s, NULL, call);
	for (size_t i = 0; i < s->vm.vcpus.n; i++)
		result[i] = call[i].result;
	return r;
}

static int attr_all(struct stopvm *s, unsigned long cmd, const bool which[],
		    struct attr_payload payload[], long result[])
{
	_cleanup_free_ struct inject_call *call = calloc(s->vm.vcpus.n, sizeof(*call));
	int r;

	if (!call)
		return -ENOMEM;
	for (size_t i = 0; i < s->vm.vcpus.n; i++) {
		payload[i].attr = (struct kvm_device_attr){.group = KVM_VCPU_TSC_CTRL,
							   .attr = KVM_VCPU_TSC_OFFSET};
		call[i] = (struct inject_call){
			.fd = s->vm.vcpus.v[i].fd,
			.cmd = cmd,
			.buf = &payload[i],
			.n = sizeof(payload[i]),
			.pointer_at = offsetof(struct attr_payload, attr.addr),
			.pointer_to = offsetof(struct attr_payload, value),
		};
	}
	r = call_all(s, which, call);
	for (size_t i = 0; i < s->vm.vcpus.n; i++)
		result[i] = call[i].result;
	return r;
}

int stopvm_get_offsets(struct stopvm *s, int64_t offset[], long result[])
{
	_cleanup_free_ struct attr_payload *payload = calloc(s->vm.vcpus.n, sizeof(*payload));
	int r;

	if (!payload)
		return -ENOMEM;
	r = attr_all(s, KVM_GET_DEVICE_ATTR, NULL, payload, result);
	for (size_t i = 0; i < s->vm.vcpus.n; i++)
		offset[i] = payload[i].value;
	return r;
}

int stopvm_set_offsets(struct stopvm *s, const bool which[], const int64_t offset[], long result[])
{
	_cleanup_free_ struct attr_payload *payload = calloc(s->vm.vcpus.n, sizeof(*payload));

	if (!payload)
		return -ENOMEM;
	for (size_t i = 0; i < s->vm.vcpus.n; i++)
		payload[i].value = offset[i];
	return attr_all(s, KVM_SET_DEVICE_ATTR, which, payload, result);
}

static int clock_call(struct stopvm *s, unsigned long cmd, struct kvm_clock_data *data)
{
	struct inject_call call = {.fd = s->vm.vm_fd, .cmd = cmd, .buf = data, .n = sizeof(*data)};
	int r = inject_ioctl(s->thread[0], &call, CALL_TIMEOUT_MS);

	return r ? r : (int)call.result;
}

/* Without a masterclock KVM gives no REALTIME to continue from; then the time that passes between
 * our two calls is added here. */
static int restart_clock(struct stopvm *s, struct kvm_clock_data *data)
{
	uint64_t begin_ns = mono_ns();
	int r = clock_call(s, KVM_GET_CLOCK, data);

	if (r < 0)
		return r;
	if (!(data->flags & KVM_CLOCK_REALTIME))
		data->clock += mono_ns() - begin_ns;
	/* 6.1 takes what it gave, and heeds REALTIME only (kvm_vm_ioctl_set_clock()). */
	data->flags &= KVM_CLOCK_REALTIME;
	return clock_call(s, KVM_SET_CLOCK, data);
}

int stopvm_renew_clock(struct stopvm *s, bool *ret_masterclock)
{
	_cleanup_free_ long *result = calloc(s->vm.vcpus.n, sizeof(*result));
	struct kvm_clock_data data = {0};
	int r;

	if (!result)
		return -ENOMEM;
	/* -EINVAL from a guest without kvmclock. */
	r = stopvm_ioctl(s, KVM_KVMCLOCK_CTRL, result);
	if (!r)
		r = restart_clock(s, &data);
	if (r >= 0)
		r = clock_call(s, KVM_GET_CLOCK, &data);
	if (r < 0)
		return r;
	*ret_masterclock = data.flags & KVM_CLOCK_TSC_STABLE;
	return 0;
}
