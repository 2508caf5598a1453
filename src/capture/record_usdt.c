// SPDX-License-Identifier: GPL-2.0-or-later
/* --usdt [BINARY:]PROVIDER:NAME: static probes as uprobes. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mapped.h"
#include "base/text.h"
#include "capture/record_impl.h"
#include "capture/stapsdt.h"

#define PROBES_MAX 500 /* of one --usdt; each is a system call or two, and a breakpoint */

struct wanted {
	struct record *r;
	const struct binary *b;
	const char *provider, *name;
	unsigned found, seen, left_out;
};

static int take(void *ctx, const struct stapsdt_note *note)
{
	struct wanted *w = ctx;
	_cleanup_strbuf_ struct strbuf args = {0};
	struct probe p = {.offset = note->offset, .semaphore = note->semaphore};
	unsigned left_out;
	int e;

	w->seen++;
	if (fnmatch(w->provider, note->provider, 0) || fnmatch(w->name, note->name, 0))
		return 0;
	if (++w->found > PROBES_MAX)
		return log_err_r(-E2BIG,
				 "more than %d probes of \"%s\" match \"%s:%s\"; choose less",
				 PROBES_MAX, w->b->path, w->provider, w->name);
	stapsdt_args(note->args, &args, &left_out);
	w->left_out += left_out;
	p.args = args.s ? strdup(args.s) : NULL;
	e = args.failed || (args.s && !p.args) ||
			    asprintf(&p.name, "%s_%s", note->provider, note->name) < 0
		    ? -ENOMEM
		    : uprobes_add(w->r->uprobes, w->b, &p, &w->r->events);
	probe_free(&p);
	return e;
}

static int say_none(const struct wanted *w, int e)
{
	if (e == -ENOENT || e == -ENOEXEC)
		log_err("\"%s\" %s", w->b->path,
			e == -ENOENT ? "has no static probes (no section .note.stapsdt)"
				     : "is no 64-bit x86 program or library");
	else
		log_err("none of the %u static probes of \"%s\" is \"%s:%s\" (readelf -n lists them)",
			w->seen, w->b->path, w->provider, w->name);
	return -ENOENT;
}

static int add_from(struct wanted *w)
{
	struct elf_image image;
	unsigned first = (unsigned)w->r->events.n;
	int e = elf_open(mapped_bytes(w->b->map), w->b->n, &image);

	if (!e)
		e = stapsdt_each(&image, take, w);
	if (e == -EBADMSG)
		return log_err_r(e, "section .note.stapsdt of \"%s\" is damaged behind probe %u",
				 w->b->path, w->seen);
	if (w->r->events.n == first && (!e || e == -ENOENT || e == -ENOEXEC))
		return say_none(w, e);
	if (w->left_out)
		log_warn(
			"\"%s\": %u arguments of its static probes cannot be fetched by the kernel "
			"and are left out",
			w->b->path, w->left_out);
	return e;
}

/* Without BINARY: the programs of all VMMs that are recorded. */
static int add_from_vmms(struct wanted *w)
{
	struct rec_binaries done = {0};
	_cleanup_vms_ struct vms vms = {0};
	int e = vm_find_all(NULL, &vms, NULL);
	size_t i;

	for (i = 0; !e && i < vms.n; i++) {
		struct rec_binary *k = NULL;
		struct binary b;
		char path[32];

		snprintf(path, sizeof(path), "/proc/%d/exe", vms.v[i].pid);
		if (!record_is_wanted(w->r, &vms.v[i]))
			continue;
		e = binary_open(path, vms.v[i].exe ?: path, &b);
		if (e)
			break;
		array_for_each(d, &done)
			if (d->dev == b.dev && d->ino == b.ino)
				k = d;
		if (!k && (k = array_add(&done))) {
			*k = (struct rec_binary){b.dev, b.ino, 0};
			w->b = &b;
			e = add_from(w);
		}
		binary_close(&b);
	}
	if (!e && !done.n)
		e = log_err_r(-ENOENT,
			      "no VM runs here whose program could have \"%s:%s\"; name the "
			      "program: BINARY:PROVIDER:NAME",
			      w->provider, w->name);
	array_free(&done);
	return e;
}

int record_usdt(struct record *r, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	struct wanted w = {.r = r};
	char *colon = copy ? strrchr(copy, ':') : NULL, *name = colon;
	struct binary b;
	int e;

	if (!copy)
		return -ENOMEM;
	if (colon) {
		*colon = 0;
		colon = strrchr(copy, ':');
	}
	w.provider = colon ? colon + 1 : copy;
	w.name = name ? name + 1 : "";
	if (colon)
		*colon = 0;
	if (!*w.provider || !*w.name || (colon && !*copy))
		return log_err_r(-EINVAL, "\"%s\" is not [BINARY:]PROVIDER:NAME", text);
	if (!colon)
		return add_from_vmms(&w);
	e = record_open_binary(copy, &b);
	if (e)
		return e;
	w.b = &b;
	e = add_from(&w);
	binary_close(&b);
	return e;
}
