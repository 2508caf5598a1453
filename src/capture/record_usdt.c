// SPDX-License-Identifier: GPL-2.0-or-later
/* --usdt of a recording: those of a program that is named, or of the VMMs'. */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "capture/record_impl.h"
#include "capture/userprobe.h"

/* Without BINARY: the programs of all VMMs that are recorded. */
static int add_from_vmms(struct record *r, const struct usdt_spec *s)
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
		if (!record_is_wanted(r, &vms.v[i]))
			continue;
		e = binary_open(path, vms.v[i].exe ?: path, &b);
		if (e)
			break;
		array_for_each(d, &done)
			if (d->dev == b.dev && d->ino == b.ino)
				k = d;
		if (!k && (k = array_add(&done))) {
			*k = (struct rec_binary){b.dev, b.ino, 0};
			e = userprobe_usdt(r->uprobes, &b, s, &r->events);
		}
		binary_close(&b);
	}
	if (!e && !done.n)
		e = log_err_r(-ENOENT,
			      "no VM runs here whose program could have \"%s:%s\"; name the "
			      "program: BINARY:PROVIDER:NAME",
			      s->provider, s->name);
	array_free(&done);
	return e;
}

int record_usdt(struct record *r, const char *text)
{
	struct usdt_spec s;
	int e = usdt_spec_parse(text, &s);

	if (e)
		return e;
	e = s.binary ? userprobe_usdt_named(r->uprobes, &s, &r->events) : add_from_vmms(r, &s);
	usdt_spec_free(&s);
	return e;
}
