// SPDX-License-Identifier: GPL-2.0-or-later
/* Refusals from made-up hosts and VMs. */
#include "test.h"

#include <errno.h>
#include <string.h>

#include "vm/judge.h"

static const struct judge_host good = {
	.clocksource = "tsc",
	.kvm = {.support = KVM_OFFSET_KEPT, .tsc_khz = 2500000},
};

static struct vcpu cpus[2];
static struct vm two = {.vcpus = {.v = cpus, .n = 2}};

static int make_vm(void **state)
{
	for (unsigned i = 0; i < 2; i++)
		cpus[i] = (struct vcpu){.id = i,
					.has_run = 1,
					.has_offset = true,
					.offset = -1000,
					.ratio = 1ull << 32,
					.frac = 32};
	two.vcpus.n = 2;
	return 0;
}

/* The sentence says what is wrong and what to do. */
static void assert_says(enum offset_refusal r, const char *why, const char *next)
{
	const char *text = offset_refusal_text(r);

	if (!strstr(text, why) || !strstr(text, next))
		fail_msg("\"%s\" should name \"%s\" and \"%s\"", text, why, next);
}

static void hosts(void **state)
{
	struct judge_host h = good;

	assert_int_equal(judge_host(&h), OFFSET_OK);
	/* a kernel before 5.16 */
	h.kvm.support = KVM_OFFSET_NO_ATTR;
	assert_int_equal(judge_host(&h), OFFSET_NO_ATTR);
	assert_says(OFFSET_NO_ATTR, "5.16", "onetsc record");
	/* PVM, TDX */
	h.kvm.support = KVM_OFFSET_IGNORED;
	assert_int_equal(judge_host(&h), OFFSET_PROTECTED);
	assert_says(OFFSET_PROTECTED, "protects", "onetsc record");
	/* the clocksource decides first: it is what the user can change */
	strcpy(h.clocksource, "acpi_pm");
	assert_int_equal(judge_host(&h), OFFSET_CLOCKSOURCE);
	assert_says(OFFSET_CLOCKSOURCE, "clocksource", "clocksource=tsc");
	h = good;
	strcpy(h.clocksource, "tsc-early");
	assert_int_equal(judge_host(&h), OFFSET_CLOCKSOURCE);
	/* what is not known refuses nothing */
	h.clocksource[0] = 0;
	h.kvm_error = -EACCES;
	h.kvm.support = KVM_OFFSET_NO_ATTR;
	assert_int_equal(judge_host(&h), OFFSET_OK);
}

static void vms(void **state)
{
	struct judge_vm v = {.vm = &two, .fds = 1, .khz = 2500000};
	struct judge_host old = good;

	assert_int_equal(judge_vm(&good, &v), OFFSET_OK);
	old.kvm.support = KVM_OFFSET_NO_ATTR;
	assert_int_equal(judge_vm(&old, &v), OFFSET_NO_ATTR);
	v.fds = 2;
	assert_int_equal(judge_vm(&good, &v), OFFSET_MANY_VMS);
	v.fds = 1;
	v.is_protected = true;
	assert_int_equal(judge_vm(&good, &v), OFFSET_PROTECTED);
	v.is_protected = false;
	v.catchup = true;
	assert_int_equal(judge_vm(&good, &v), OFFSET_CATCHUP);
	assert_says(OFFSET_CATCHUP, "faster than this CPU", "record");
}

static void frequencies(void **state)
{
	struct judge_vm v = {.vm = &two, .fds = 1};

	v.khz = 2500000 + 625; /* 250 ppm: KVM does not scale */
	assert_int_equal(judge_vm(&good, &v), OFFSET_OK);
	v.khz++;
	assert_int_equal(judge_vm(&good, &v), OFFSET_SCALED);
	v.khz = 2500000 - 626;
	assert_int_equal(judge_vm(&good, &v), OFFSET_SCALED);
	v.khz = 0;
	assert_int_equal(judge_vm(&good, &v), OFFSET_OK);
	cpus[1].ratio = 3ull << 31;
	assert_int_equal(judge_vm(&good, &v), OFFSET_SCALED);
	assert_says(OFFSET_SCALED, "frequency", "tsc-frequency=");
	cpus[1].has_offset = false; /* then the ratio is not known */
	assert_int_equal(judge_vm(&good, &v), OFFSET_OK);
	assert_true(judge_same_khz(UINT64_MAX, 0));
	assert_false(judge_same_khz(UINT64_MAX, 1));
	assert_false(judge_same_khz(1, UINT64_MAX));
}

static void running(void **state)
{
	assert_int_equal(judge_now(&two, false), OFFSET_RUNNING);
	assert_says(OFFSET_RUNNING, "runs already", "--at-reset");
	assert_int_equal(judge_now(&two, true), OFFSET_OK);
	cpus[1].offset = 1;
	assert_int_equal(judge_now(&two, true), OFFSET_BACKWARD);
	cpus[1].offset = -1;
	cpus[0].has_offset = false;
	assert_int_equal(judge_now(&two, true), OFFSET_BACKWARD);
	cpus[0].has_run = 0;
	assert_int_equal(judge_now(&two, false), OFFSET_RUNNING);
	cpus[1].has_run = -1; /* not known: as if it had */
	assert_int_equal(judge_now(&two, false), OFFSET_RUNNING);
	cpus[1].has_run = 0;
	assert_int_equal(judge_now(&two, false), OFFSET_OK);
	two.vcpus.n = 0;
	assert_int_equal(judge_now(&two, false), OFFSET_RUNNING);
}

static void at_zero(void **state)
{
	assert_false(judge_at_zero(&two));
	cpus[0].offset = cpus[1].offset = 0;
	assert_true(judge_at_zero(&two));
	cpus[1].has_offset = false;
	assert_false(judge_at_zero(&two));
	two.vcpus.n = 0;
	assert_false(judge_at_zero(&two));
}

static void gates(void **state)
{
	struct judge_gate g = {.built = true, .root = true, .btf = true, .kvm = true};
	const char *why = "";

	assert_int_equal(judge_gate(&g, &why), 0);
	g.kvm = false;
	assert_int_equal(judge_gate(&g, &why), -ENODEV);
	assert_non_null(strstr(why, "modprobe"));
	g.ringbuf_sleeps = true;
	assert_int_equal(judge_gate(&g, &why), -EOPNOTSUPP);
	assert_non_null(strstr(why, "PREEMPT_RT"));
	g.btf = false;
	assert_int_equal(judge_gate(&g, &why), -EOPNOTSUPP);
	assert_non_null(strstr(why, "BTF"));
	g.root = false;
	assert_int_equal(judge_gate(&g, &why), -EPERM);
	assert_non_null(strstr(why, "root"));
	g.built = false;
	assert_int_equal(judge_gate(&g, &why), -EOPNOTSUPP);
	assert_non_null(strstr(why, "built without BPF"));
	/* each of them leaves a way */
	assert_non_null(strstr(why, "zero -- COMMAND"));
}

static void texts(void **state)
{
	for (int r = 0; r < OFFSET_REFUSALS; r++) {
		assert_non_null(offset_refusal_text((enum offset_refusal)r));
		assert_true(*offset_refusal_text((enum offset_refusal)r));
	}
	assert_non_null(offset_refusal_text(OFFSET_REFUSALS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts),
		cmocka_unit_test_setup(vms, make_vm),
		cmocka_unit_test_setup(frequencies, make_vm),
		cmocka_unit_test_setup(running, make_vm),
		cmocka_unit_test_setup(at_zero, make_vm),
		cmocka_unit_test(gates),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
