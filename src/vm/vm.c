// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/vm.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "vm/proc.h"

void vm_free(struct vm *vm)
{
	free(vm->name);
	free(vm->exe);
	array_free(&vm->vcpus);
	*vm = (struct vm){0};
}

void vms_free(struct vms *vms)
{
	array_for_each(vm, vms)
		vm_free(vm);
	array_free(vms);
}

bool vm_alive(const struct vm_roots *roots, const struct vm *vm)
{
	struct proc_stat s;

	return !proc_stat_read(roots ? roots->proc : NULL, vm->pid, 0, &s) &&
	       s.start_ticks == vm->start_ticks && s.state != 'Z' && s.state != 'X';
}

int vm_select(const struct vms *vms, const char *name_or_pid, const struct vm **ret)
{
	const struct vm *found = NULL;
	uint64_t pid = 0;

	if (text_to_u64(name_or_pid, &pid))
		pid = 0;
	array_for_each(vm, vms) {
		if (strcmp(vm->name, name_or_pid) && (uint64_t)vm->pid != pid)
			continue;
		if (found)
			return log_err_r(-EEXIST,
					 "\"%s\" means several VMs, of processes %d and %d; "
					 "see onetsc list",
					 name_or_pid, found->pid, vm->pid);
		found = vm;
	}
	if (!found)
		return -ENOENT;
	*ret = found;
	return 0;
}

bool vcpu_is_scaled(const struct vcpu *v)
{
	return v->has_offset && v->ratio != 1ull << v->frac;
}

uint64_t vm_guest_khz(const struct vm *vm, uint64_t host_khz)
{
	const struct vcpu *v = vm->vcpus.v;

	if (vm->vcpus.n && v->has_offset && host_khz)
		return (uint64_t)(((unsigned __int128)host_khz * v->ratio) >> v->frac);
	return vm->guest_khz;
}

unsigned vm_count_fds(const struct vm_roots *roots, pid_t pid)
{
	char path[PATH_MAX], link[64];
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *d;
	unsigned n = 0;

	snprintf(path, sizeof(path), "%s/%d/fd", roots && roots->proc ? roots->proc : "/proc", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		ssize_t len = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);

		link[len < 0 ? 0 : len] = 0;
		n += !strcmp(link, "anon_inode:kvm-vm");
	}
	return n;
}
