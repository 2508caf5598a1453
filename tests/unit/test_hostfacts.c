// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts of a made-up host, from trees like /proc and /sys. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/text.h"
#include "vm/hostfacts.h"

static char top[] = "/tmp/test_hostfacts.XXXXXX";

/* Makes the directories on the way. */
static void put(const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", top, path);
	for (char *p = strchr(full + strlen(top) + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		assert_int_equal(dir_make(full, 0700), 0);
		*p = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void read_tree(struct hostfacts *h)
{
	char proc[64], sys[64];
	struct vm_roots roots = {.proc = proc, .sys = sys, .debugfs = top};

	snprintf(proc, sizeof(proc), "%s/proc", top);
	snprintf(sys, sizeof(sys), "%s/sys", top);
	hostfacts_read(&roots, h);
}

static void empty(void **state)
{
	struct hostfacts h;

	read_tree(&h);
	assert_string_equal(h.judge.clocksource, "");
	assert_string_equal(h.clocksources, "");
	assert_string_equal(h.lockdown, "");
	assert_string_equal(h.kvm_module, "");
	assert_string_equal(h.tsc_option, "");
	assert_false(h.has_flags);
	assert_true(h.ptrace_scope == HOSTFACTS_NOT_THERE);
	assert_true(h.kptr_restrict == HOSTFACTS_NOT_THERE);
	assert_int_equal(h.caps, 0);
	assert_true(*h.kernel);
}

#define SOURCE "sys/devices/system/clocksource/clocksource0/"

static void full(void **state)
{
	struct hostfacts h;

	put(SOURCE "current_clocksource", "hpet\n");
	put(SOURCE "available_clocksource", "tsc hpet acpi_pm \n");
	put("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	put("sys/module/kvm_intel/refcnt", "0\n");
	put("sys/kernel/realtime", "1\n");
	put("proc/cmdline", "root=/dev/sda1 xtsc=1 tsc=unstable tsc=reliable quiet\n");
	put("proc/cpuinfo", "flags\t\t: nonstop_tsc\n");
	put("proc/sys/kernel/yama/ptrace_scope", "1\n");
	put("proc/sys/kernel/perf_event_paranoid", "-1\n");
	put("proc/sys/kernel/kptr_restrict", "nonsense\n");
	read_tree(&h);
	assert_string_equal(h.judge.clocksource, "hpet");
	assert_string_equal(h.clocksources, "tsc hpet acpi_pm");
	assert_string_equal(h.lockdown, "integrity");
	assert_string_equal(h.kvm_module, "kvm_intel");
	assert_string_equal(h.tsc_option, "reliable");
	assert_true(h.has_flags);
	assert_int_equal(h.flags, 1u << TSC_FLAG_NONSTOP);
	assert_int_equal(h.ptrace_scope, 1);
	assert_int_equal(h.perf_paranoid, -1);
	assert_true(h.kptr_restrict == HOSTFACTS_NOT_THERE);
	assert_true(h.realtime);
	put("sys/kernel/security/lockdown", "garbage\n");
	put("proc/cmdline", "");
	read_tree(&h);
	assert_string_equal(h.lockdown, "");
	assert_string_equal(h.tsc_option, "");
}

static int make(void **state)
{
	return mkdtemp(top) ? 0 : 1;
}

static int clear(void **state)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_printf(&b, "rm -rf '%s'", top);
	return system(b.s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(full),
	};

	return cmocka_run_group_tests(tests, make, clear);
}
