// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/readiness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "capture/events.h"

static const char *const event_names[READY_EVENTS] = {
	[READY_ENTRY] = "kvm:kvm_entry",
	[READY_EXIT] = "kvm:kvm_exit",
	[READY_WRITE] = "kvm:kvm_write_tsc_offset",
};

const char *readiness_event_name(enum readiness_event e)
{
	return event_names[e];
}

static void take(void *ctx, const char *text)
{
	struct readiness *r = ctx;

	if (!*r->why)
		snprintf(r->why, sizeof(r->why), "%s", text);
}

static void read_events(const char *root, struct readiness *r)
{
	_cleanup_events_ struct events e = {0};

	if (events_list(root, &e))
		return;
	for (int k = 0; k < READY_EVENTS; k++)
		if (events_want(&e, event_names[k]) > 0)
			r->events |= 1u << k;
}

void readiness_read(struct readiness *ret)
{
	_cleanup_free_ char *root = NULL;
	char path[256], clocks[512];

	*ret = (struct readiness){0};
	log_divert_errors(take, ret);
	if (!tracefs_find(&root))
		snprintf(ret->tracefs, sizeof(ret->tracefs), "%s", root);
	log_divert_errors(NULL, NULL);
	if (!root)
		return;
	snprintf(path, sizeof(path), "%s/trace_clock", root);
	ret->has_clock = !file_read_line(AT_FDCWD, path, clocks, sizeof(clocks)) &&
			 strstr(clocks, "x86-tsc");
	read_events(root, ret);
}

void verdict_record_host(const struct hostfacts *h, const struct readiness *r, struct verdict *ret)
{
	unsigned window = 1u << READY_ENTRY | 1u << READY_EXIT | 1u << READY_WRITE;

	if (!*r->tracefs)
		verdict_set(ret, ANSWER_NO, "%s", r->why);
	else if (!strcmp(h->lockdown, "confidentiality"))
		verdict_set(
			ret, ANSWER_NO,
			"the kernel is locked down (confidentiality), which forbids tracing; boot "
			"with lockdown=integrity or without");
	else if (!r->has_clock)
		verdict_set(
			ret, ANSWER_NO,
			"this kernel's ftrace has no clock \"x86-tsc\" (see \"%s/trace_clock\"): "
			"its events cannot be ordered with another machine's",
			r->tracefs);
	else if ((r->events & window) != window)
		verdict_set(
			ret, ANSWER_NO,
			"KVM's tracepoints are missing (is the kvm module loaded?): only the rest "
			"of the host could be recorded");
	else if (h->debugfs == -ENOENT)
		verdict_set(
			ret, ANSWER_NO,
			"\"/sys/kernel/debug/kvm\" cannot be read: the TSC offsets at the start "
			"are not known, only changes (mount -t debugfs nodev /sys/kernel/debug)");
	else
		verdict_set(ret, ANSWER_YES, "with \"onetsc record\": host events in TSC ticks");
}

void verdict_record_vm(const struct hostfacts *h, const struct verdict *record,
		       const struct vmfacts *f, struct verdict *ret)
{
	if (record->answer != ANSWER_YES)
		*ret = *record;
	else if (f->vm->vsock_cid < 0)
		verdict_set(ret, ANSWER_YES,
			    "its exits; it has no vsock device, so its own events need an agent on "
			    "another way (onetsc record --guest NAME=ADDRESS)");
	else if (h->vhost_vsock)
		verdict_set(
			ret, ANSWER_YES,
			"its exits; /dev/vhost-vsock cannot be opened, so its own events need an "
			"agent on another way (onetsc record --guest NAME=ADDRESS)");
	else
		verdict_set(ret, ANSWER_YES,
			    "its exits, and its own events when \"onetsc agent\" runs in it (vsock "
			    "CID %d)",
			    f->vm->vsock_cid);
}
