// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/zero_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/text.h"

#define MAX_NAMES 1024

struct zero_names {
	const struct zero_options *options;
	struct ARRAY(struct zero_name) list;
};

int zero_names_new(const struct zero_options *o, struct zero_names **ret)
{
	struct zero_names *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->options = o;
	*ret = n;
	return 0;
}

void zero_names_free(struct zero_names *n)
{
	if (!n)
		return;
	array_free(&n->list);
	free(n);
}

bool zero_same_ticks(uint64_t start_ticks, uint64_t start_ns)
{
	return start_ticks == start_ns / (1000000000 / (uint64_t)sysconf(_SC_CLK_TCK));
}

bool zero_same_start(const struct vm *vm, uint64_t start_ns)
{
	return zero_same_ticks(vm->start_ticks, start_ns);
}

static void look_up(const struct zero_options *o, struct zero_name *e)
{
	struct vm vm;

	snprintf(e->name, sizeof(e->name), "vm-%d", e->pid);
	e->wanted = !o->vms.n;
	if (vm_find_pid(NULL, e->pid, &vm))
		return;
	if (zero_same_start(&vm, e->start_ns)) {
		e->found = true;
		e->wanted = zero_wanted(o, &vm);
		text_escape(e->name, sizeof(e->name), vm.name);
	}
	vm_free(&vm);
}

struct zero_name *zero_names_get(struct zero_names *n, pid_t pid, uint64_t start_ns)
{
	struct zero_name *e = NULL;

	array_for_each(i, &n->list)
		if (i->pid == pid && i->start_ns == start_ns)
			e = i;
	if (e && e->found)
		return e;
	if (!e && n->list.n >= MAX_NAMES) {
		n->list.n = MAX_NAMES / 2;
		memmove(n->list.v, n->list.v + MAX_NAMES / 2, MAX_NAMES / 2 * sizeof(*n->list.v));
	}
	e = e ?: array_add(&n->list);
	if (!e)
		return NULL;
	e->pid = pid;
	e->start_ns = start_ns;
	look_up(n->options, e);
	return e;
}
