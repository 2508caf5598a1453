// SPDX-License-Identifier: GPL-2.0-or-later
/* From processes and their descriptors to VMs. */
#include "vm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/text.h"
#include "vm/debugfs.h"
#include "vm/kinds.h"
#include "vm/proc.h"

struct vcpu_fd {
	int fd;
	unsigned id;
	bool used;
};

struct process {
	pid_t pid;
	struct pids vm_fds; /* ascending */
	struct ARRAY(struct vcpu_fd) vcpu_fds;
};

static const char *proc_root(const struct vm_roots *roots)
{
	return roots && roots->proc ? roots->proc : "/proc";
}

static void process_free(struct process *p)
{
	array_free(&p->vm_fds);
	array_free(&p->vcpu_fds);
}

static int compare_vcpus(const void *a, const void *b)
{
	const struct vcpu *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

/* Two descriptors of one VM (dup)? Where the kernel does not tell they count as two VMs. */
static bool is_known_file(const struct process *p, int fd)
{
	for (size_t i = 0; i < p->vm_fds.n; i++)
		if (!syscall(SYS_kcmp, p->pid, p->pid, KCMP_FILE, (unsigned long)fd,
			     (unsigned long)p->vm_fds.v[i]))
			return true;
	return false;
}

static int add_fd(struct process *p, const char *dir, int fd, bool real)
{
	char path[PATH_MAX], link[64];
	struct vcpu_fd *v;
	unsigned id;
	pid_t *vm;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%d", dir, fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return 0; /* closed meanwhile */
	link[n] = 0;
	if (!strcmp(link, "anon_inode:kvm-vm")) {
		if (real && is_known_file(p, fd))
			return 0;
		vm = array_add(&p->vm_fds);
		if (!vm)
			return -ENOMEM;
		*vm = fd;
	} else if (sscanf(link, "anon_inode:kvm-vcpu:%u", &id) == 1) {
		v = array_add(&p->vcpu_fds);
		if (!v)
			return -ENOMEM;
		*v = (struct vcpu_fd){fd, id, false};
	}
	return 0;
}

/* KVM descriptors of a process. -EACCES where they may not be seen. */
static int process_scan(const struct vm_roots *roots, pid_t pid, struct process *p)
{
	struct pids fds = {0};
	char dir[PATH_MAX - 16];
	int r;

	*p = (struct process){.pid = pid};
	snprintf(dir, sizeof(dir), "%s/%d/fd", proc_root(roots), pid);
	r = proc_list(dir, &fds);
	for (size_t i = 0; i < fds.n && !r; i++)
		r = add_fd(p, dir, fds.v[i], !roots || !roots->proc);
	array_free(&fds);
	if (r)
		process_free(p);
	return r == -EPERM ? -EACCES : r;
}

/* Has the process descriptors of these vCPUs? */
static bool has_ids(const struct process *p, const struct vcpus *ids)
{
	array_for_each(v, ids) {
		bool found = false;

		array_for_each(f, &p->vcpu_fds)
			found |= f->id == v->id;
		if (!found)
			return false;
	}
	return ids->n > 0;
}

enum owner { OWNER_OTHER, OWNER_MAYBE, OWNER_THIS };

/* Of a directory whose name tells nothing, because the thread that made the VM has ended: the threads
 * that have run its vCPUs tell. Before there are any, the vCPUs' ids are all there is. */
static enum owner owner_by_vcpus(const struct vm_roots *roots, const struct process *p,
				 const struct debugfs_dir *d)
{
	struct vcpus vcpus = {0};
	enum owner r = OWNER_OTHER;
	bool known = false;

	if (debugfs_vcpu_ids(roots, d, &vcpus))
		vcpus.n = 0;
	array_for_each(v, &vcpus) {
		debugfs_read_vcpu(roots, d, p->pid, v);
		known |= v->has_run == 1;
		if (v->tid)
			r = OWNER_THIS;
	}
	if (!known && has_ids(p, &vcpus))
		r = OWNER_MAYBE;
	array_free(&vcpus);
	return r;
}

static enum owner owner_of(const struct vm_roots *roots, const struct process *p,
			   const struct debugfs_dir *d)
{
	long tgid = proc_status_number(proc_root(roots), d->tid, "Tgid");

	if (tgid > 0)
		return tgid == p->pid ? OWNER_THIS : OWNER_OTHER;
	return owner_by_vcpus(roots, p, d);
}

/* The debugfs directory of this VM: by its descriptor and a thread of this process. *ret->tid 0: no
 * such directory. The descriptor may have been moved (dup) after the VM was made: a process with
 * one VM and one directory has no choice. */
static int find_dir(const struct vm_roots *roots, const struct process *p, int vm_fd,
		    struct debugfs_dir *ret)
{
	struct debugfs_dirs dirs = {0};
	struct debugfs_dir other = {0}, maybe = {0};
	unsigned others = 0, maybes = 0;
	int r = debugfs_list(roots, &dirs);

	*ret = (struct debugfs_dir){0};
	array_for_each(d, &dirs) {
		enum owner owner = owner_of(roots, p, d);

		if (owner == OWNER_MAYBE && d->vm_fd == vm_fd) {
			maybe = *d;
			maybes++;
		}
		if (owner != OWNER_THIS)
			continue;
		other = *d;
		others++;
		if (d->vm_fd == vm_fd)
			*ret = *d;
	}
	if (!ret->tid && others == 1 && p->vm_fds.n == 1)
		*ret = other;
	if (!ret->tid && !others && maybes == 1 && p->vm_fds.n == 1)
		*ret = maybe;
	array_free(&dirs);
	return r == -ENOMEM ? r : 0;
}

static struct vcpu *vcpu_by_id(struct vcpus *vcpus, unsigned id)
{
	array_for_each(v, vcpus)
		if (v->id == id)
			return v;
	return NULL;
}

/* The VM that a vCPU's descriptor probably belongs to: made after its VM, before the next one. */
static int nearest_vm_fd(const struct process *p, int vcpu_fd)
{
	int best = p->vm_fds.v[0];

	for (size_t i = 1; i < p->vm_fds.n; i++)
		if (p->vm_fds.v[i] < vcpu_fd)
			best = p->vm_fds.v[i];
	return best;
}

/* Gives the descriptors to the vCPUs. known: ids are complete, from debugfs. */
static int attach_fds(struct process *p, struct vm *vm, bool known)
{
	array_for_each(f, &p->vcpu_fds) {
		struct vcpu *v = vcpu_by_id(&vm->vcpus, f->id);

		if (f->used || nearest_vm_fd(p, f->fd) != vm->vm_fd || (known && !v))
			continue;
		if (!v) {
			v = array_add(&vm->vcpus);
			if (!v)
				return -ENOMEM;
			*v = (struct vcpu){.id = f->id, .fd = -1, .has_run = -1, .host_cpu = -1};
		}
		/* Two descriptors of one id in one VM cannot be: the guess was wrong, so no guess. */
		v->fd = v->fd == -1 ? f->fd : -2;
		f->used = true;
	}
	array_for_each(v, &vm->vcpus)
		if (v->fd == -2)
			v->fd = -1;
	return 0;
}

/* Is fd a descriptor of a vCPU with that id? Another VM of the process may have one as well. */
static bool is_vcpu_fd(const struct process *p, int fd, unsigned id)
{
	array_for_each(f, &p->vcpu_fds)
		if (f->fd == fd)
			return f->id == id;
	return false;
}

/* A thread blocked in KVM_RUN tells which descriptor it runs. */
static void learn_thread(const struct process *p, struct vm *vm, pid_t tid, int fd)
{
	array_for_each(v, &vm->vcpus) {
		if (v->tid == tid && is_vcpu_fd(p, fd, v->id))
			v->fd = fd;
		else if (!v->tid && v->fd == fd)
			v->tid = tid;
		else
			continue;
		v->has_run = 1;
	}
}

static void attach_threads(const struct vm_roots *roots, const struct process *p, struct vm *vm)
{
	const char *proc = proc_root(roots);
	struct pids tids = {0};
	struct proc_syscall call;
	struct proc_stat s;

	if (proc_threads(proc, vm->pid, &tids))
		tids.n = 0;
	for (size_t i = 0; i < tids.n; i++) {
		/* Kernel workers show the arguments of the thread that made them. */
		if (!proc_stat_read(proc, vm->pid, tids.v[i], &s) && !proc_is_kernel_worker(&s) &&
		    proc_syscall_read(proc, vm->pid, tids.v[i], &call) && call.nr == SYS_ioctl &&
		    call.arg[1] == KVM_RUN)
			learn_thread(p, vm, tids.v[i], (int)call.arg[0]);
	}
	array_for_each(v, &vm->vcpus)
		if (v->tid && !proc_stat_read(proc, vm->pid, v->tid, &s))
			v->host_cpu = s.cpu;
	array_free(&tids);
}

/* Fills vm->vcpus and creator_tid. */
static int read_vcpus(const struct vm_roots *roots, struct process *p, struct vm *vm)
{
	struct debugfs_dir dir;
	int r = find_dir(roots, p, vm->vm_fd, &dir);
	bool known;

	if (r)
		return r;
	vm->creator_tid = dir.tid;
	if (dir.tid && debugfs_vcpu_ids(roots, &dir, &vm->vcpus))
		vm->vcpus.n = 0;
	known = vm->vcpus.n;
	array_for_each(v, &vm->vcpus)
		debugfs_read_vcpu(roots, &dir, vm->pid, v);
	r = attach_fds(p, vm, known);
	if (r)
		return r;
	attach_threads(roots, p, vm);
	if (vm->vcpus.n)
		qsort(vm->vcpus.v, vm->vcpus.n, sizeof(*vm->vcpus.v), compare_vcpus);
	return 0;
}

static char *read_exe(const struct vm_roots *roots, pid_t pid)
{
	char path[PATH_MAX], exe[PATH_MAX], *deleted;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%d/exe", proc_root(roots), pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		return NULL;
	exe[n] = 0;
	deleted = strstr(exe, " (deleted)");
	if (deleted)
		*deleted = 0;
	return strdup(exe);
}

/* Name, kind and what else the command line tells. */
static int read_identity(const struct vm_roots *roots, struct vm *vm)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char **argv = NULL;
	char name[256];
	const struct vmm_kind *k;
	int r = proc_argv(proc_root(roots), vm->pid, &text, &argv);

	if (r)
		return r;
	vm->exe = read_exe(roots, vm->pid);
	vm->vmm = k = vmm_kind_find(vm->exe ? vm->exe : argv[0] ? argv[0] : "");
	vm->vsock_cid = k->vsock_cid ? k->vsock_cid(argv) : -1;
	vm->guest_khz = k->guest_khz ? k->guest_khz(argv) : 0;
	if (!k->vm_name || !k->vm_name(argv, name, sizeof(name)))
		snprintf(name, sizeof(name), "vm-%d", vm->pid);
	vm->name = strdup(name);
	return vm->name ? 0 : -ENOMEM;
}

static int read_vm(const struct vm_roots *roots, struct process *p, int vm_fd, struct vm *vm)
{
	struct proc_stat s;
	int r = proc_stat_read(proc_root(roots), p->pid, 0, &s);

	*vm = (struct vm){.pid = p->pid, .vm_fd = vm_fd, .vmm = vmm_kind_find(""), .vsock_cid = -1};
	if (r)
		return r;
	vm->start_ticks = s.start_ticks;
	r = read_identity(roots, vm);
	return r ? r : read_vcpus(roots, p, vm);
}

int vm_find_process(const struct vm_roots *roots, pid_t pid, struct vms *ret)
{
	_cleanup_(process_free) struct process p = {0};
	struct vm vm, *at;
	int r = process_scan(roots, pid, &p);

	if (!r && !p.vm_fds.n)
		r = -ENOENT;
	for (size_t i = 0; i < p.vm_fds.n && !r; i++) {
		r = read_vm(roots, &p, p.vm_fds.v[i], &vm);
		at = r ? NULL : array_add(ret);
		if (at)
			*at = vm;
		else
			vm_free(&vm);
		r = r || at ? r : -ENOMEM;
	}
	return r == -ESRCH ? -ENOENT : r;
}

int vm_find_all(const struct vm_roots *roots, struct vms *ret, unsigned *ret_hidden)
{
	_cleanup_vms_ struct vms found = {0};
	struct pids pids = {0};
	unsigned hidden = 0;
	int r = proc_list(proc_root(roots), &pids);

	for (size_t i = 0; i < pids.n && !r; i++) {
		r = vm_find_process(roots, pids.v[i], &found);
		hidden += r == -EACCES;
		r = r == -ENOMEM ? r : 0; /* any other: no VM, gone, or not for us */
	}
	array_free(&pids);
	if (r)
		return r;
	if (ret_hidden)
		*ret_hidden = hidden;
	*ret = found;
	found = (struct vms){0};
	return 0;
}

int vm_find_pid(const struct vm_roots *roots, pid_t pid, struct vm *ret)
{
	_cleanup_vms_ struct vms found = {0};
	int r = vm_find_process(roots, pid, &found);

	if (r)
		return r;
	*ret = found.v[0];
	found.v[0] = (struct vm){0};
	return 0;
}

int vm_refresh(const struct vm_roots *roots, struct vm *vm)
{
	_cleanup_(process_free) struct process p = {0};
	struct vm fresh = {.pid = vm->pid, .vm_fd = vm->vm_fd};
	bool there = false;
	int r;

	if (!vm_alive(roots, vm))
		return -ENOENT;
	r = process_scan(roots, vm->pid, &p);
	for (size_t i = 0; i < p.vm_fds.n; i++)
		there |= p.vm_fds.v[i] == vm->vm_fd;
	if (!r && !there)
		r = -ENOENT;
	if (!r)
		r = read_vcpus(roots, &p, &fresh);
	if (r) {
		array_free(&fresh.vcpus);
		return r == -ESRCH ? -ENOENT : r;
	}
	array_free(&vm->vcpus);
	vm->vcpus = fresh.vcpus;
	vm->creator_tid = fresh.creator_tid;
	return 0;
}
