// SPDX-License-Identifier: GPL-2.0-or-later
/* --qemu-trace: QEMU's own trace events in a recording. A VM whose events cannot be had is recorded
 * without. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mapped.h"
#include "capture/qemuargs.h"
#include "capture/record_impl.h"
#include "capture/stapsdt.h"
#include "vm/kinds.h"

#define TRIES	3 /* a VMM that is starting does not answer at once */
#define IS_QEMU "qemu"

static bool is_for(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && !strncmp(text, word, n);
}

/* --qmp [VM=]PATH: the VM's own, else one without a name. */
static const char *given_socket(const struct record *r, const struct rec_guest *g)
{
	const char *any = NULL;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", g->vm.pid);
	for (size_t i = 0; i < r->cfg->n_qmp; i++) {
		const char *text = r->cfg->qmp[i], *eq = strchr(text, '=');
		size_t n = eq ? (size_t)(eq - text) : 0;

		if (!eq || memchr(text, '/', n))
			any = text;
		else if (is_for(text, n, g->name) || is_for(text, n, g->vm.name) ||
			 is_for(text, n, pid))
			return eq + 1;
	}
	return any;
}

static int open_trace(struct record *r, struct rec_guest *g)
{
	_cleanup_free_ char *marker = NULL;
	struct qemutrace_spec spec = {
		.name = g->name,
		.pid = g->vm.pid,
		.start_ticks = g->vm.start_ticks,
		.patterns = r->cfg->qemu_trace,
		.n_patterns = r->cfg->n_qemu_trace,
		.qmp = given_socket(r, g),
		.journal = r->cfg->journal,
	};

	if (asprintf(&marker, "%s/trace_marker", hostrec_path(r->host)) < 0) {
		marker = NULL;
		return -ENOMEM;
	}
	spec.marker = marker;
	return qemutrace_open(&spec, &g->trace);
}

static int is_qemus(void *ctx, const struct stapsdt_note *note)
{
	return !strcmp(note->provider, "qemu");
}

/* Fedora's and CentOS' QEMU knows the events, switches them on and off, and writes none. */
static void warn_of_usdt(const struct rec_guest *g)
{
	struct elf_image image;
	struct binary b;
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/exe", g->vm.pid);
	if (binary_open(path, g->vm.exe ?: path, &b))
		return;
	if (!elf_open(mapped_bytes(b.map), b.n, &image) &&
	    stapsdt_each(&image, is_qemus, NULL) == 1)
		log_warn("%s: this QEMU has its trace events as static probes: should none be "
			 "recorded, use --usdt 'qemu:PATTERN' instead",
			 g->name);
	binary_close(&b);
}

/* The probe first, so that no line is missed. */
static int switch_on(struct record *r, struct rec_guest *g)
{
	int e = 1;

	while (e == 1) {
		e = qemutrace_wants_probe(g->trace) ? record_probes_log(r, &g->vm) : 0;
		if (!e)
			e = qemutrace_on(g->trace);
	}
	return e;
}

static void say_on(const struct rec_guest *g)
{
	const char *why = qemutrace_wants_probe(g->trace);
	size_t n = qemutrace_count(g->trace);

	if (!n)
		log_info("%s: these trace events of QEMU are on already, and stay so", g->name);
	else if (why)
		log_info("%s: %zu of QEMU's trace events are on, seen by a probe of qemu_log; they "
			 "go to its log too, which is left alone: %s",
			 g->name, n, why);
	else
		log_info("%s: %zu of QEMU's trace events are on", g->name, n);
}

int record_qemutrace_vm(struct record *r, struct rec_guest *g)
{
	int e;

	if (!r->cfg->n_qemu_trace || g->trace || g->gone || g->trace_tries >= TRIES ||
	    strcmp(g->vm.vmm->name, IS_QEMU) != 0)
		return 0;
	e = open_trace(r, g);
	/* Only the silence of a VM that is starting may be cured by waiting. */
	g->trace_tries =
		r->running && (e == -ETIMEDOUT || e == -ECONNREFUSED) ? g->trace_tries + 1 : TRIES;
	if (!e) {
		warn_of_usdt(g);
		e = switch_on(r, g);
	}
	if (!e) {
		say_on(g);
		r->session.machines.v[g - r->guests.v + 1].qemu_marks = r->dirty = true;
		return 0;
	}
	if (qemutrace_off(TAKE_PTR(g->trace)))
		log_debug("%s: what was switched on stays on for now", g->name);
	if (e == -ENOMEM)
		return e;
	log_warn("%s is recorded without QEMU's own trace events", g->name);
	return 0;
}

int record_qemutrace_end(struct record *r)
{
	int first = 0;

	array_for_each(g, &r->guests) {
		int e = qemutrace_off(TAKE_PTR(g->trace));

		first = first ? first : e;
	}
	return first;
}

void record_qemutrace_hint(const struct record *r)
{
	_cleanup_qemuargs_ struct qemuargs a = {0};
	char *const *argv = r->cfg->argv;

	if (!r->cfg->n_qemu_trace || r->cfg->n_qmp || !argv ||
	    strcmp(vmm_kind_find(argv[0])->name, IS_QEMU) != 0 || qemuargs_parse(argv, &a))
		return;
	if (!a.n_monitors && !a.domain)
		log_warn("its trace events cannot be switched on: add -qmp "
			 "unix:/run/vm.qmp,server=on,wait=off to the command (any path), or, "
			 "for all from the first on, -trace 'enable=PATTERN' and -D FILE, which "
			 "onetsc report reads beside the session");
}
