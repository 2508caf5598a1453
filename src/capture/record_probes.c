// SPDX-License-Identifier: GPL-2.0-or-later
/* The uprobes of a recording: those that were asked for, and those of the VMMs. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mapped.h"
#include "base/text.h"
#include "capture/elfimage.h"
#include "capture/record_impl.h"
#include "capture/userprobe.h"
#include "vm/kinds.h"

#define FILTER_MAX 4000 /* the kernel takes a page */

/* --- VMMs --- */
static struct rec_binary *find_known(struct record *r, const struct binary *b)
{
	array_for_each(k, &r->probed)
		if (k->dev == b->dev && k->ino == b->ino)
			return k;
	return NULL;
}

static int add_sets(struct record *r, const struct binary *b, pid_t pid, unsigned sets,
		    struct events *events)
{
	struct vmmprobe_target t = {b, pid};
	int e = vmmprobe_add(r->uprobes, &t, sets, events);

	if (e >= 0 || e == -ENOMEM)
		return e < 0 ? e : 0;
	log_warn("the rest is recorded without the part of \"%s\"", b->path);
	return 0;
}

/* pid 0: a program that is still to be started. */
static int probe_binary(struct record *r, const struct binary *b, pid_t pid, struct events *events)
{
	unsigned sets = r->cfg->vmm == VMMPROBE_REGIONS ? VMMPROBE_SET_CALLS | VMMPROBE_SET_REGIONS
							: VMMPROBE_SET_CALLS;
	struct rec_binary *k = find_known(r, b);

	if (k) {
		sets = pid ? k->missing : 0;
	} else {
		k = array_add(&r->probed);
		if (!k)
			return -ENOMEM;
		*k = (struct rec_binary){b->dev, b->ino, pid ? 0 : sets & VMMPROBE_SET_REGIONS};
		sets &= ~k->missing;
	}
	if (pid)
		k->missing = 0;
	return sets ? add_sets(r, b, pid, sets, events) : 0;
}

/* events: where to append new ones. A VMM that cannot be looked at is recorded without. */
static int probe_vm(struct record *r, const struct vm *vm, struct events *events)
{
	struct binary b;
	char path[32];
	int e;

	snprintf(path, sizeof(path), "/proc/%d/exe", vm->pid);
	if (binary_open(path, vm->exe ?: path, &b))
		return 0;
	e = probe_binary(r, &b, vm->pid, events);
	binary_close(&b);
	return e;
}

static int probe_running(struct record *r)
{
	_cleanup_vms_ struct vms vms = {0};
	int e = vm_find_all(NULL, &vms, NULL);

	if (e)
		return log_err_r(e, "cannot look for VMs: %m");
	for (size_t i = 0; !e && i < vms.n; i++)
		if (record_is_wanted(r, &vms.v[i]))
			e = probe_vm(r, &vms.v[i], &r->events);
	return e;
}

/* So that its first exits are there too. A command that is no VMM may start one, which joins later. */
static int probe_command(struct record *r)
{
	_cleanup_free_ char *path = NULL;
	struct binary b;
	int e = userprobe_find_program(r->cfg->argv[0], &path);

	if (e || vmm_kind_find(r->cfg->argv[0]) == vmm_kind_find(""))
		return e == -ENOMEM ? e : 0;
	e = binary_open(path, r->cfg->argv[0], &b);
	if (e)
		return e;
	e = probe_binary(r, &b, 0, &r->events);
	binary_close(&b);
	return e;
}

static bool has_uprobes(const char *tracefs)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/uprobe_events", tracefs) < 0)
		path = NULL;
	return path && !access(path, W_OK);
}

int record_probes_begin(struct record *r)
{
	const struct record_config *cfg = r->cfg;
	int e;

	if (cfg->vmm == VMMPROBE_NONE && !cfg->n_uprobes && !cfg->n_usdt)
		return 0;
	if (!cfg->n_uprobes && !cfg->n_usdt && !has_uprobes(r->tracefs)) {
		log_warn("\"%s/uprobe_events\" cannot be written: the VMM's part is recorded as "
			 "kvm_userspace_exit to kvm_entry alone",
			 r->tracefs);
		return 0;
	}
	e = uprobes_open(r->tracefs, cfg->journal, &r->uprobes);
	for (size_t i = 0; !e && i < cfg->n_uprobes; i++)
		e = userprobe_add(r->uprobes, cfg->uprobes[i], &r->events);
	for (size_t i = 0; !e && i < cfg->n_usdt; i++)
		e = record_usdt(r, cfg->usdt[i]);
	if (!e && cfg->vmm != VMMPROBE_NONE)
		e = probe_running(r);
	if (!e && cfg->vmm != VMMPROBE_NONE && cfg->argv)
		e = probe_command(r);
	return e;
}

/* Only threads of vCPUs handle exits. Without --vm all VMs are recorded, and those that come. */
static int set_filter(struct record *r)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	int e = 0;

	array_for_each(g, &r->guests)
		for (size_t i = 0; g->has_vm && !g->gone && i < g->vm.vcpus.n; i++)
			if (g->vm.vcpus.v[i].tid > 0)
				strbuf_printf(&b, "%scommon_pid==%d", b.n ? "||" : "",
					      g->vm.vcpus.v[i].tid);
	if (b.failed)
		return -ENOMEM;
	if (!b.n || b.n > FILTER_MAX || (r->probe_filter && !strcmp(r->probe_filter, b.s)))
		return 0;
	array_for_each(ev, &r->events)
		if (!e && !strncmp(ev->system, UPROBES_GROUP, strlen(UPROBES_GROUP)) &&
		    !strncmp(ev->name, VMMPROBE_PREFIX, strlen(VMMPROBE_PREFIX)))
			e = hostrec_filter(r->host, ev, b.s);
	free(r->probe_filter);
	r->probe_filter = TAKE_PTR(b.s);
	return e;
}

/* Those from that one on, of a recording under way. */
static int enable_from(struct record *r, size_t before)
{
	struct datfile_links links = record_links(r);
	struct events late = {r->events.v + before, r->events.n - before, r->events.n - before};

	return late.n ? hostrec_add(r->host, r->tracefs, &late, &links) : 0;
}

static int add_late(struct record *r, const struct vm *vm)
{
	size_t before = r->events.n;
	int e = probe_vm(r, vm, &r->events);

	return e ? e : enable_from(r, before);
}

int record_probes_vm(struct record *r, const struct vm *vm)
{
	int e = 0;

	if (r->cfg->vmm == VMMPROBE_NONE || !r->uprobes)
		return 0;
	if (vm)
		e = add_late(r, vm);
	if (!e && r->cfg->n_vms)
		e = set_filter(r);
	if (!e || e == -ENOMEM)
		return e;
	log_warn("the recording goes on without that");
	return 0;
}

/* --- the log of QEMU --- */
/* qemu_log(format, ...): the format, and what a call passes in registers and on the stack. */
#define LOG_ARGS                                                                      \
	"fmt=+0(%di):ustring a1=%si:x64 a2=%dx:x64 a3=%cx:x64 a4=%r8:x64 a5=%r9:x64 " \
	"a6=+8(%sp):x64 a7=+16(%sp):x64 a8=+24(%sp):x64 a9=+32(%sp):x64 a10=+40(%sp):x64"

static int add_log(struct record *r, const struct binary *b)
{
	struct probe p = {.name = strdup("qemu_log"), .args = strdup(LOG_ARGS)};
	struct elf_symbol sym;
	int e = p.name && p.args ? userprobe_function(b, p.name, &sym) : -ENOMEM;

	if (!e) {
		p.offset = sym.offset;
		e = uprobes_add(r->uprobes, b, &p, &r->events);
	}
	probe_free(&p);
	return e;
}

static int probe_log(struct record *r, const struct binary *b)
{
	struct rec_binary *k = find_known(r, b);
	int e;

	if (k && k->has_log)
		return 0;
	e = r->uprobes ? 0 : uprobes_open(r->tracefs, r->cfg->journal, &r->uprobes);
	if (!e)
		e = add_log(r, b);
	if (e)
		return e;
	if (!k) {
		k = array_add(&r->probed);
		if (!k)
			return -ENOMEM;
		*k = (struct rec_binary){.dev = b->dev, .ino = b->ino};
	}
	k->has_log = true;
	return 0;
}

int record_probes_log(struct record *r, const struct vm *vm)
{
	size_t before = r->events.n;
	struct binary b;
	char path[32];
	int e;

	snprintf(path, sizeof(path), "/proc/%d/exe", vm->pid);
	e = binary_open(path, vm->exe ?: path, &b);
	if (e)
		return e;
	e = probe_log(r, &b);
	binary_close(&b);
	return e ? e : enable_from(r, before);
}

int record_probes_end(struct record *r)
{
	int e = uprobes_close(r->uprobes);

	r->uprobes = NULL;
	return e;
}
