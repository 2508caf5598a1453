// SPDX-License-Identifier: GPL-2.0-or-later
/* Event selection, presets, page padding and the instance against a made-up tracefs. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "capture/clockpair.h"
#include "capture/events.h"
#include "capture/instance.h"
#include "capture/pages.h"
#include "capture/preset.h"

static char root[64];

static int setup(void **state)
{
	static const char names[] = "sched:sched_switch\nkvm:kvm_exit\nkvm:kvm_entry\n"
				    "kvm:kvm_inj_virq\nnonsense\n:x\nx:\n\n"
				    "irq:irq_handler_entry\nsched:sched_waking";
	char path[128];
	FILE *f;

	snprintf(root, sizeof(root), "/tmp/onetsc-test-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(path, sizeof(path), "%s/available_events", root);
	f = fopen(path, "w");
	if (!f || fputs(names, f) < 0 || fclose(f))
		return -1;
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", root);
	return system(cmd);
}

static void list_is_sorted(void **state)
{
	_cleanup_events_ struct events e = {0};

	assert_int_equal(events_list(root, &e), 0);
	assert_int_equal(e.n, 6);
	assert_string_equal(e.v[0].system, "irq");
	assert_string_equal(e.v[1].name, "kvm_entry");
	assert_string_equal(e.v[5].name, "sched_waking");
	assert_int_equal(events_wanted(&e), 0);
	assert_int_equal(events_list("/nonexistent", &e), -ENOENT);
}

static void patterns(void **state)
{
	static const struct {
		const char *pattern;
		int n;
	} cases[] = {
		{"kvm", 3},
		{"kvm:*", 3},
		{"kvm:", 3},
		{"kvm:kvm_exit", 1},
		{"kvm_e*", 2},
		{"sched_switch", 1},
		{"*:*_entry", 2},
		{"nothing", 0},
		{"sched:kvm_exit", 0},
		{"*", 6},
		{"", -EINVAL},
		{":x", -EINVAL},
		{"ftrace", 0},
		{"kvm:kvm_exit if exit_reason==10", 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		_cleanup_events_ struct events e = {0};
		int n;

		assert_int_equal(events_list(root, &e), 0);
		n = events_want(&e, cases[i].pattern);
		if (n != cases[i].n)
			fail_msg("\"%s\" matched %d, not %d", cases[i].pattern, n, cases[i].n);
		assert_int_equal(events_wanted(&e), n < 0 ? 0 : n);
	}
}

static void filters(void **state)
{
	_cleanup_events_ struct events e = {0};

	assert_int_equal(events_list(root, &e), 0);
	assert_int_equal(events_want(&e, "kvm:kvm_exit if exit_reason == 10 && isa == 1"), 1);
	assert_string_equal(e.v[2].filter, "exit_reason == 10 && isa == 1");
	assert_int_equal(events_want(&e, "kvm"), 3); /* asked again without: the filter stays */
	assert_string_equal(e.v[2].filter, "exit_reason == 10 && isa == 1");
	assert_null(e.v[1].filter);
	assert_int_equal(events_want(&e, "kvm_exit if isa == 2"), 1);
	assert_string_equal(e.v[2].filter, "isa == 2");
	assert_int_equal(events_require(&e, "kv?", "common_pid != 7"), 0);
	assert_string_equal(e.v[1].filter, "common_pid != 7");
	assert_string_equal(e.v[2].filter, "common_pid != 7 && (isa == 2)");
	array_for_each(ev, &e)
		if (!ev->wanted || strcmp(ev->system, "kvm") != 0)
			assert_null(ev->filter);
}

/* Each preset must keep what the proof needs on the host, and choose something for the guest. */
static void every_preset_can_be_proved(void **state)
{
	for (const struct preset *p = presets; p->name; p++) {
		_cleanup_events_ struct events host = {0}, guest = {0};

		assert_int_equal(events_list(root, &host), 0);
		assert_int_equal(events_list(root, &guest), 0);
		assert_true(preset_want(&host, p->host) >= 2);
		assert_true(host.v[1].wanted && host.v[2].wanted);
		assert_true(preset_want(&guest, p->guest) >= 1);
		assert_false(guest.v[1].wanted);
		assert_ptr_equal(preset_find(p->name), p);
	}
	assert_ptr_equal(preset_find(NULL), &presets[0]);
	assert_null(preset_find("nope"));
}

static void padding(void **state)
{
	unsigned char page[4096];
	uint64_t commit;

	memset(page, 0xee, sizeof(page));
	commit = 100;
	memcpy(page + 8, &commit, 8);
	page_pad(page, sizeof(page));
	assert_int_equal(page[115], 0xee);
	assert_int_equal(page[116], 0);
	assert_int_equal(page[4095], 0);

	/* Missed events, their number stored behind the data. */
	memset(page, 0xee, sizeof(page));
	commit = 100 | 1u << 31 | 1u << 30;
	memcpy(page + 8, &commit, 8);
	page_pad(page, sizeof(page));
	assert_int_equal(page[123], 0xee);
	assert_int_equal(page[124], 0);

	/* A length beyond the page changes nothing. */
	memset(page, 0xee, sizeof(page));
	commit = 0xfffff;
	memcpy(page + 8, &commit, 8);
	page_pad(page, sizeof(page));
	assert_int_equal(page[4095], 0xee);
}

static void undo_removes_only_ours(void **state)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/instances", root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/instances/onetsc-12-host", root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(instance_undo(path), 0);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(instance_undo(path), 0); /* gone is fine */

	snprintf(path, sizeof(path), "%s/instances/user", root);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(instance_undo(path), -EINVAL);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(instance_undo("/tmp/onetsc-1-host"), -EINVAL);
	assert_int_equal(instance_undo("onetsc-1-host"), -EINVAL);
	assert_int_equal(instance_undo(""), -EINVAL);
}

/* A kernel without what is needed: one message, nothing left behind, journal empty. */
static void failed_instance_leaves_nothing(void **state)
{
	struct instance_spec spec = {root, "host", 1 << 20, true};
	struct instance *i = NULL;
	struct journal *j;
	char dir[256];

	snprintf(dir, sizeof(dir), "%s/instances", root);
	mkdir(dir, 0700);
	snprintf(dir, sizeof(dir), "%s/journal", root);
	assert_int_equal(journal_open(dir, &j), 0);
	log_set_level(LOG_NONE);
	assert_int_equal(instance_create(&spec, j, &i), -ENOENT); /* no tracing_on in there */
	assert_null(i);
	assert_int_equal(journal_count(j), 0);
	snprintf(dir, sizeof(dir), "%s/instances/onetsc-%d-host", root, getpid());
	assert_int_equal(access(dir, F_OK), -1);
	journal_close(j);
}

static void clocks(void **state)
{
	struct session_pair a, b;
	struct session_pair x = {1000, 0, 0, 0, 0}, y = {1000 + 2596136191, 0, 0, 0, 1000000000};
	struct cpu_apics ids = {0};

	clockpair_read(&a);
	clockpair_read(&b);
	assert_true(b.tsc > a.tsc && b.boottime_ns >= a.boottime_ns);
	assert_true(a.width_ticks > 0 && a.width_ticks < 1000000);
	assert_int_equal(clockpair_khz(&x, &y), 2596136);
	assert_int_equal(clockpair_khz(&y, &x), 0);
	assert_int_equal(clockpair_khz(&x, &x), 0);
	assert_int_equal(apic_ids_read(&ids), 0);
	assert_true(ids.n >= 1);
	for (size_t i = 1; i < ids.n; i++)
		assert_true(ids.v[i].apic_id != ids.v[i - 1].apic_id);
	array_free(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_is_sorted),
		cmocka_unit_test(patterns),
		cmocka_unit_test(filters),
		cmocka_unit_test(every_preset_can_be_proved),
		cmocka_unit_test(padding),
		cmocka_unit_test(undo_removes_only_ours),
		cmocka_unit_test(failed_instance_leaves_nothing),
		cmocka_unit_test(clocks),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
