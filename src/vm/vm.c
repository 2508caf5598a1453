// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/vm.h"

#include <errno.h>
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
