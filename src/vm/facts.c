// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fd.h"

static void sys_path(const struct vm_roots *roots, const char *rest, char *path, size_t n)
{
	snprintf(path, n, "%s/%s", roots && roots->sys ? roots->sys : "/sys", rest);
}

static bool is_readable(const struct vm_roots *roots, const char *rest)
{
	char path[PATH_MAX];

	sys_path(roots, rest, path, sizeof(path));
	return !access(path, R_OK);
}

int facts_clocksource(const struct vm_roots *roots, char *buf, size_t n)
{
	char path[PATH_MAX];

	sys_path(roots, "devices/system/clocksource/clocksource0/current_clocksource", path,
		 sizeof(path));
	return file_read_line(AT_FDCWD, path, buf, n);
}

static struct kvm_probe probe;
static int probe_error;

static void run_probe(void)
{
	probe_error = kvm_probe_run(&probe);
}

int facts_kvm(struct kvm_probe *ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, run_probe);
	if (!probe_error)
		*ret = probe;
	return probe_error;
}

void facts_judge_host(const struct vm_roots *roots, struct judge_host *ret)
{
	*ret = (struct judge_host){0};
	if (facts_clocksource(roots, ret->clocksource, sizeof(ret->clocksource)))
		ret->clocksource[0] = 0;
	ret->kvm_error = facts_kvm(&ret->kvm);
}

bool facts_realtime(const struct vm_roots *roots)
{
	char path[PATH_MAX], text[16];
	struct utsname u;

	sys_path(roots, "kernel/realtime", path, sizeof(path));
	if (!file_read_line(AT_FDCWD, path, text, sizeof(text)))
		return text[0] == '1';
	return !uname(&u) && (strstr(u.version, "PREEMPT_RT") || strstr(u.version, "PREEMPT RT"));
}

bool facts_preemptible(const struct vm_roots *roots)
{
	const char *debugfs = roots && roots->debugfs ? roots->debugfs : "/sys/kernel/debug";
	char path[PATH_MAX], text[64];
	struct utsname u;

	if (uname(&u) || !strstr(u.version, "PREEMPT"))
		return false;
	/* "none (voluntary) full", with PREEMPT_DYNAMIC */
	snprintf(path, sizeof(path), "%s/sched/preempt", debugfs);
	return file_read_line(AT_FDCWD, path, text, sizeof(text)) ||
	       (!strstr(text, "(none)") && !strstr(text, "(voluntary)"));
}

bool facts_btf(const struct vm_roots *roots)
{
	return is_readable(roots, "kernel/btf/vmlinux");
}

bool facts_tracefs(const struct vm_roots *roots)
{
	return is_readable(roots, "kernel/tracing/trace_clock") ||
	       is_readable(roots, "kernel/debug/tracing/trace_clock");
}
