// SPDX-License-Identifier: GPL-2.0-or-later
/* [BINARY:]PROVIDER:NAME: static probes as uprobes. */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mapped.h"
#include "base/text.h"
#include "capture/stapsdt.h"
#include "capture/userprobe.h"

#define PROBES_MAX 500 /* of one --usdt; each is a system call or two, and a breakpoint */

struct wanted {
	struct uprobes *u;
	const struct binary *b;
	struct events *events;
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
		    : uprobes_add(w->u, w->b, &p, w->events);
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

static int add_wanted(struct wanted *w)
{
	struct elf_image image;
	unsigned first = (unsigned)w->events->n;
	int e = elf_open(mapped_bytes(w->b->map), w->b->n, &image);

	if (!e)
		e = stapsdt_each(&image, take, w);
	if (e == -EBADMSG)
		return log_err_r(e, "section .note.stapsdt of \"%s\" is damaged behind probe %u",
				 w->b->path, w->seen);
	if (w->events->n == first && (!e || e == -ENOENT || e == -ENOEXEC))
		return say_none(w, e);
	if (w->left_out)
		log_warn(
			"\"%s\": %u arguments of its static probes cannot be fetched by the kernel "
			"and are left out",
			w->b->path, w->left_out);
	return e;
}

int userprobe_usdt(struct uprobes *u, const struct binary *b, const struct usdt_spec *s,
		   struct events *events)
{
	struct wanted w = {
		.u = u, .b = b, .events = events, .provider = s->provider, .name = s->name};

	return add_wanted(&w);
}

int userprobe_usdt_named(struct uprobes *u, const struct usdt_spec *s, struct events *events)
{
	struct binary b;
	int e = userprobe_open(s->binary, &b);

	if (e)
		return e;
	e = userprobe_usdt(u, &b, s, events);
	binary_close(&b);
	return e;
}

int usdt_spec_parse(const char *text, struct usdt_spec *ret)
{
	struct usdt_spec s = {.copy = strdup(text)};
	char *colon = s.copy ? strrchr(s.copy, ':') : NULL;

	if (!s.copy)
		return -ENOMEM;
	s.name = colon ? colon + 1 : "";
	if (colon) {
		*colon = 0;
		colon = strrchr(s.copy, ':');
	}
	s.provider = colon ? colon + 1 : s.copy;
	if (colon) {
		*colon = 0;
		s.binary = s.copy;
	}
	if (*s.provider && *s.name && (!s.binary || *s.binary)) {
		*ret = s;
		return 0;
	}
	free(s.copy);
	return log_err_r(-EINVAL, "\"%s\" is not [BINARY:]PROVIDER:NAME", text);
}

void usdt_spec_free(struct usdt_spec *s)
{
	free(s->copy);
	s->copy = NULL;
}

static int request_static(struct uprobes *u, const char *text, struct events *events)
{
	struct usdt_spec s;
	int e = usdt_spec_parse(text, &s);

	if (e)
		return e;
	e = s.binary ? userprobe_usdt_named(u, &s, events) : -EINVAL;
	usdt_spec_free(&s);
	return e;
}

int userprobe_request(struct uprobes *u, const char *text, struct events *events)
{
	size_t n = strlen(PROBE_CALL);

	if (!strncmp(text, PROBE_CALL, n))
		return userprobe_add(u, text + n, events);
	n = strlen(PROBE_STATIC);
	return strncmp(text, PROBE_STATIC, n) ? -EINVAL : request_static(u, text + n, events);
}
