// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/vmfacts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vm/proc.h"

/* Would PTRACE_O_SUSPEND_SECCOMP be granted (kernel/ptrace.c check_ptrace_options())? Our own state
 * decides, so it is read from the real /proc. */
static bool may_suspend_seccomp(void)
{
	char text[32];

	return !proc_status(NULL, getpid(), "CapEff", text, sizeof(text)) &&
	       strtoull(text, NULL, 16) >> CAP_SYS_ADMIN & 1 &&
	       proc_status_number(NULL, getpid(), "Seccomp") <= 0;
}

/* Opening a thread's memory asks the kernel the same question as PTRACE_ATTACH does
 * (mm_access(PTRACE_MODE_ATTACH_FSCREDS), Yama included), and the thread notices nothing. */
static enum vm_access thread_access(const char *proc, pid_t pid, pid_t tid, pid_t *ret_tracer)
{
	char path[PATH_MAX];
	_cleanup_fd_ int fd = -1;
	struct proc_stat s;
	long tracer;

	if (proc_stat_read(proc, pid, tid, &s) || proc_is_kernel_worker(&s))
		return ACCESS_YES; /* is not worked on */
	tracer = proc_status_number(proc, tid, "TracerPid");
	if (tracer > 0) {
		*ret_tracer = (pid_t)tracer;
		return ACCESS_TRACED;
	}
	if (proc_has_shadow_stack(proc, tid))
		return ACCESS_SHSTK;
	if (proc_status_number(proc, tid, "Seccomp") > 0 && !may_suspend_seccomp())
		return ACCESS_SECCOMP;
	snprintf(path, sizeof(path), "%s/%d/task/%d/mem", proc, pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 || errno == ENOENT || errno == ESRCH)
		return ACCESS_YES;
	return ACCESS_DENIED;
}

static int read_access(const char *proc, struct vmfacts *f)
{
	struct pids tids = {0};
	pid_t pid = f->vm->pid;
	uint64_t entry;
	int r = proc_threads(proc, pid, &tids);

	f->access = r == -ESRCH ? ACCESS_GONE : ACCESS_YES;
	for (size_t i = 0; i < tids.n && f->access == ACCESS_YES; i++)
		f->access = thread_access(proc, pid, tids.v[i], &f->tracer);
	array_free(&tids);
	if (f->access == ACCESS_YES && proc_entry_point(proc, pid, &entry) == -EOPNOTSUPP)
		f->access = ACCESS_32BIT;
	return r == -ENOMEM ? r : 0;
}

/* The vCPU's descriptor names it for sure; without it, its number, where the process has one VM. */
static const struct look_vcpu *find_look(const struct looks *looks, const struct vmfacts *f,
					 const struct vcpu *v)
{
	if (v->fd >= 0)
		return look_find(looks, f->vm->pid, v->fd);
	array_for_each(l, looks)
		if (f->fds == 1 && (pid_t)l->tgid == f->vm->pid && l->id == v->id)
			return l;
	return NULL;
}

static int add_look(struct vmfacts *f, const struct look_vcpu *l)
{
	struct look_vcpu *e = array_add(&f->look);

	if (!e)
		return -ENOMEM;
	*e = *l;
	f->masterclock = l->flags & LOOK_MASTERCLOCK;
	f->catchup |= !!(l->flags & LOOK_CATCHUP);
	f->always_catchup |= !!(l->flags & LOOK_ALWAYS);
	f->is_protected |= !!(l->flags & LOOK_PROTECTED);
	f->vm_type = l->vm_type;
	if (!f->khz)
		f->khz = l->khz;
	return 0;
}

int vmfacts_read(const struct vm_roots *roots, const struct vm *vm, const struct looks *looks,
		 struct vmfacts *ret)
{
	struct vmfacts f = {.vm = vm, .fds = vm_count_fds(roots, vm->pid)};
	int r = read_access(roots && roots->proc ? roots->proc : "/proc", &f);

	if (looks)
		array_for_each(v, &vm->vcpus) {
			const struct look_vcpu *l = find_look(looks, &f, v);

			if (!r && l)
				r = add_look(&f, l);
		}
	if (r) {
		vmfacts_free(&f);
		return r;
	}
	f.has_kvm = f.look.n && f.look.n == vm->vcpus.n;
	*ret = f;
	return 0;
}

void vmfacts_free(struct vmfacts *f)
{
	array_free(&f->look);
}

struct judge_vm vmfacts_judge(const struct vmfacts *f)
{
	return (struct judge_vm){
		.vm = f->vm,
		.fds = f->fds,
		.catchup = f->has_kvm && f->always_catchup,
		.is_protected = f->has_kvm && f->is_protected,
		.khz = f->has_kvm ? f->khz : 0,
	};
}

bool vmfacts_same_offset(const struct vmfacts *f)
{
	const struct vcpus *c = &f->vm->vcpus;

	for (size_t i = 1; i < c->n; i++)
		if (c->v[i].has_offset && c->v[0].has_offset && c->v[i].offset != c->v[0].offset)
			return false;
	return true;
}
