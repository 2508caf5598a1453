// SPDX-License-Identifier: GPL-2.0-or-later
/* What can be done, told from made-up hosts and VMs; and who set an offset. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "capture/readiness.h"

static struct hostfacts host;
static struct gate_trial trial;
static struct readiness ready;
static struct skewprobe skew;
static int cpu_numbers[] = {0, 3};
static struct vcpu vcpus[2];
static struct vm vm = {
	.pid = 77, .vsock_cid = 5, .name = (char *)"web1", .vcpus = {.v = vcpus, .n = 2}};
static struct look_vcpu looks[2];
static struct vmfacts facts;

/* All is well: a host on which everything works, and a running VM of two vCPUs. */
static int well(void **state)
{
	const struct skew s = {-40, 50, 1000};

	host = (struct hostfacts){
		.kernel = "6.1",
		.judge = {.clocksource = "tsc",
			  .kvm = {.support = KVM_OFFSET_KEPT, .tsc_khz = 2000000}},
		.gate = {.built = true, .root = true, .btf = true, .kvm = true},
		.has_flags = true,
		.flags = 1u << TSC_FLAG_CONSTANT | 1u << TSC_FLAG_NONSTOP,
		.tsc_khz = 2000000,
		.kvm_module = "kvm_amd",
		.lockdown = "none",
	};
	trial = (struct gate_trial){.tried = true};
	ready = (struct readiness){.tracefs = "/t", .has_clock = true, .events = 7};
	skew = (struct skewprobe){.cpus = cpu_numbers, .n = 2, .consistent = true};
	assert_int_equal(skew_matrix_new(2, &skew.matrix), 0);
	skew_matrix_add(&skew.matrix, 0, 1, &s);
	for (unsigned i = 0; i < 2; i++) {
		vcpus[i] = (struct vcpu){.id = i,
					 .has_run = 1,
					 .has_offset = true,
					 .offset = -5000,
					 .ratio = 1ull << 32,
					 .frac = 32};
		looks[i] = (struct look_vcpu){.id = i,
					      .flags = LOOK_MASTERCLOCK | LOOK_RAN,
					      .offset = (uint64_t)-5000,
					      .vm_offset = (uint64_t)-5000,
					      .khz = 2000000};
	}
	vm.vcpus.n = 2;
	vm.vsock_cid = 5;
	facts = (struct vmfacts){.vm = &vm, .fds = 1, .has_kvm = true, .masterclock = true};
	facts.khz = 2000000;
	facts.look.v = looks;
	facts.look.n = 2;
	return 0;
}

static int end(void **state)
{
	skew_matrix_free(&skew.matrix);
	return 0;
}

static void expect(const struct verdict *v, enum answer a, const char *says)
{
	if (v->answer != a || !strstr(v->why, says))
		fail_msg("%s: \"%s\"; wanted %s: \"%s\"", answer_name(v->answer), v->why,
			 answer_name(a), says);
}

static void expect_zero(enum answer a, const char *says)
{
	struct verdict v;

	verdict_zero_new(&host, &trial, &v);
	expect(&v, a, says);
}

static void zero_new(void **state)
{
	expect_zero(ANSWER_YES, "onetsc zero");
	trial.error = -EPROTO;
	snprintf(trial.why, sizeof(trial.why), "the gate does not see");
	expect_zero(ANSWER_NO, "the gate does not see");
	trial.tried = false;
	expect_zero(ANSWER_UNKNOWN, "not tried");
	trial.watching = true;
	expect_zero(ANSWER_YES, "watching");
	host.gate.root = false;
	expect_zero(ANSWER_NO, "needs root");
	/* what the host cannot do comes before what the user may not */
	host.judge.kvm.support = KVM_OFFSET_NO_ATTR;
	expect_zero(ANSWER_NO, "Linux 5.16");
	strcpy(host.judge.clocksource, "hpet");
	expect_zero(ANSWER_NO, "clocksource=tsc");
}

static void launch(void **state)
{
	struct verdict v;

	host.gate.root = false; /* needs neither root nor the gate */
	verdict_launch(&host, &v);
	expect(&v, ANSWER_YES, "zero -- COMMAND");
	host.judge.kvm.support = KVM_OFFSET_NO_ATTR;
	verdict_launch(&host, &v);
	expect(&v, ANSWER_NO, "Linux 5.16");
	host.judge.kvm_error = -EACCES;
	verdict_launch(&host, &v);
	expect(&v, ANSWER_NO, "group kvm");
	host.judge.kvm_error = -ENOENT;
	verdict_launch(&host, &v);
	expect(&v, ANSWER_NO, "/dev/kvm");
}

static void translate_host(void **state)
{
	const struct skew apart = {2000, 2100, 10};
	struct skewprobe one = {.cpus = cpu_numbers, .n = 1, .consistent = true};
	struct verdict v;

	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_YES, "exactly");
	verdict_translate_host(&host, &one, &v);
	expect(&v, ANSWER_YES, "exactly");
	/* an old kernel cannot zero, but everything can be translated */
	host.judge.kvm.support = KVM_OFFSET_NO_ATTR;
	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_YES, "exactly");
	strcpy(host.judge.clocksource, "acpi_pm");
	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_YES, "every write is recorded");
	host.flags = 1u << TSC_FLAG_CONSTANT;
	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_NO, "nonstop_tsc");
	strcpy(host.judge.clocksource, "tsc"); /* then the kernel knows better */
	host.debugfs = -EACCES;
	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_UNKNOWN, "as root");
	host.debugfs = -ENOENT;
	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_NO, "mount -t debugfs");
	host.kvm_module[0] = 0;
	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_NO, "modprobe");
	host.debugfs = 0;
	skew_matrix_free(&skew.matrix);
	assert_int_equal(skew_matrix_new(2, &skew.matrix), 0);
	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_UNKNOWN, "0 of 1 pairs");
	skew_matrix_add(&skew.matrix, 0, 1, &apart);
	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_NO, "CPU 0 and CPU 3 differ by at least 2000 ticks (1000 ns)");
	skew_matrix_free(&skew.matrix);
	assert_int_equal(skew_matrix_new(2, &skew.matrix), 0);
	skew.consistent = false;
	verdict_translate_host(&host, &skew, &v);
	expect(&v, ANSWER_NO, "constant distance");
}

static void expect_reset(enum answer a, const char *says)
{
	struct verdict zero, v;

	verdict_zero_new(&host, &trial, &zero);
	verdict_zero_reset(&host, &zero, &facts, &v);
	expect(&v, a, says);
}

static void zero_reset(void **state)
{
	expect_reset(ANSWER_YES, "--vm 77 --at-reset");
	facts.access = ACCESS_TRACED;
	facts.tracer = 9;
	expect_reset(ANSWER_NO, "process 9");
	facts.access = ACCESS_DENIED;
	expect_reset(ANSWER_NO, "permission");
	facts.access = ACCESS_SHSTK;
	expect_reset(ANSWER_NO, "shadow stack");
	facts.access = ACCESS_SECCOMP;
	expect_reset(ANSWER_NO, "CAP_SYS_ADMIN");
	facts.access = ACCESS_32BIT;
	expect_reset(ANSWER_NO, "32-bit");
	facts.access = ACCESS_GONE;
	expect_reset(ANSWER_NO, "ended");
	host.gate.btf = false;
	expect_reset(ANSWER_NO, "BTF");
	facts.khz = 2100000;
	expect_reset(ANSWER_NO, "another frequency");
	facts.is_protected = true;
	expect_reset(ANSWER_NO, "protects");
	facts.fds = 2;
	expect_reset(ANSWER_NO, "several VMs");
	facts.always_catchup = true;
	expect_reset(ANSWER_NO, "faster than this CPU");
	/* none of that is known when KVM's record could not be read */
	facts = (struct vmfacts){
		.vm = &vm, .fds = 1, .always_catchup = true, .is_protected = true, .khz = 1};
	host.gate.btf = true;
	expect_reset(ANSWER_YES, "--at-reset");
	vcpus[1].ratio += 1 << 20;
	expect_reset(ANSWER_NO, "another frequency");
	host.judge.kvm.support = KVM_OFFSET_NO_ATTR;
	expect_reset(ANSWER_NO, "Linux 5.16");
}

static void zero_now(void **state)
{
	struct verdict v;

	verdict_zero_now(&host, &facts, &v);
	expect(&v, ANSWER_NO, "runs already");
	host.gate.root = false; /* the own VM: needs ptrace only */
	vcpus[0].has_run = vcpus[1].has_run = 0;
	verdict_zero_now(&host, &facts, &v);
	expect(&v, ANSWER_YES, "--vm 77 --now");
	facts.access = ACCESS_DENIED;
	verdict_zero_now(&host, &facts, &v);
	expect(&v, ANSWER_NO, "permission");
	host.judge.kvm.support = KVM_OFFSET_NO_ATTR;
	verdict_zero_now(&host, &facts, &v);
	expect(&v, ANSWER_NO, "Linux 5.16");
	vcpus[0].offset = vcpus[1].offset = 0;
	verdict_zero_now(&host, &facts, &v);
	expect(&v, ANSWER_YES, "already");
	host.judge.kvm.support = KVM_OFFSET_KEPT;
	vcpus[0].ratio *= 2; /* at 0, but not equal */
	verdict_zero_now(&host, &facts, &v);
	expect(&v, ANSWER_NO, "another frequency");
}

static void expect_translate(enum answer a, const char *says)
{
	struct verdict all, v;

	verdict_translate_host(&host, &skew, &all);
	verdict_translate_vm(&host, &all, &facts, &v);
	expect(&v, a, says);
}

static void translate_vm(void **state)
{
	expect_translate(ANSWER_YES, "one host tick");
	facts.catchup = true;
	expect_translate(ANSWER_YES, "corrects its offset");
	vcpus[1].ratio = (1ull << 32) / 3; /* a guest tick is a bit more than three of ours */
	expect_translate(ANSWER_YES, "interval of 4 host ticks");
	vcpus[1].ratio = 3ull << 32;
	expect_translate(ANSWER_YES, "interval of 1 host tick");
	vcpus[1].has_offset = false;
	expect_translate(ANSWER_UNKNOWN, "not all of its offsets");
	vcpus[1].has_offset = true;
	vm.vcpus.n = 0;
	expect_translate(ANSWER_UNKNOWN, "no vCPU yet");
	vm.vcpus.n = 2;
	facts.is_protected = true;
	facts.vm_type = VM_TYPE_TDX; /* debugfs tells what the TDX module chose */
	expect_translate(ANSWER_YES, "interval");
	facts.vm_type = VM_TYPE_SNP;
	expect_translate(ANSWER_NO, "SNP Secure TSC");
	facts.vm_type = 0;
	expect_translate(ANSWER_UNKNOWN, "ptp_kvm");
	facts.is_protected = false;
	host.debugfs = -EACCES;
	expect_translate(ANSWER_UNKNOWN, "as root");
}

static void record(void **state)
{
	struct verdict all, v;

	verdict_record_host(&host, &ready, &all);
	expect(&all, ANSWER_YES, "onetsc record");
	verdict_record_vm(&host, &all, &facts, &v);
	expect(&v, ANSWER_YES, "CID 5");
	host.vhost_vsock = -ENOENT;
	verdict_record_vm(&host, &all, &facts, &v);
	expect(&v, ANSWER_YES, "/dev/vhost-vsock");
	vm.vsock_cid = -1;
	verdict_record_vm(&host, &all, &facts, &v);
	expect(&v, ANSWER_YES, "no vsock device");
	host.debugfs = -ENOENT;
	verdict_record_host(&host, &ready, &all);
	expect(&all, ANSWER_NO, "mount -t debugfs");
	ready.events &= ~(1u << READY_WRITE);
	verdict_record_host(&host, &ready, &all);
	expect(&all, ANSWER_NO, "tracepoints");
	ready.has_clock = false;
	verdict_record_host(&host, &ready, &all);
	expect(&all, ANSWER_NO, "x86-tsc");
	strcpy(host.lockdown, "confidentiality");
	verdict_record_host(&host, &ready, &all);
	expect(&all, ANSWER_NO, "lockdown=integrity");
	ready.tracefs[0] = 0;
	strcpy(ready.why, "tracefs is not mounted");
	verdict_record_host(&host, &ready, &all);
	expect(&all, ANSWER_NO, "not mounted");
	verdict_record_vm(&host, &all, &facts, &v);
	expect(&v, ANSWER_NO, "not mounted");
}

static void writers(void **state)
{
	struct look_vcpu v = {.offset = 100, .vm_offset = 100, .generation = 2, .vm_generation = 2};

	assert_int_equal(writer_of(&v), WRITER_CREATION);
	v.vm_write = 1;
	assert_int_equal(writer_of(&v), WRITER_RESET);
	v.vm_write = 123456;
	assert_int_equal(writer_of(&v), WRITER_RESTORED);
	v.adjust = 7; /* written by the VMM: did not move the TSC */
	assert_int_equal(writer_of(&v), WRITER_RESTORED);
	v.offset = 107;
	assert_int_equal(writer_of(&v), WRITER_GUEST);
	v.offset = 108;
	assert_int_equal(writer_of(&v), WRITER_UNKNOWN);
	v.adjust = 0;
	assert_int_equal(writer_of(&v), WRITER_KVM);
	v.offset = v.vm_offset = 0;
	assert_int_equal(writer_of(&v), WRITER_ZEROED);
	v.offset = (uint64_t)-3;
	v.adjust = (uint64_t)-3;
	assert_int_equal(writer_of(&v), WRITER_GUEST);
	v.generation = 1;
	assert_int_equal(writer_of(&v), WRITER_OLDER);
	v.flags = LOOK_PROTECTED;
	assert_int_equal(writer_of(&v), WRITER_FIXED);
	for (int w = 0; w <= WRITERS; w++)
		assert_true(*writer_name((enum writer)w) && *writer_text((enum writer)w));
}

static void same_offset(void **state)
{
	assert_true(vmfacts_same_offset(&facts));
	vcpus[1].offset++;
	assert_false(vmfacts_same_offset(&facts));
	vcpus[0].has_offset = false;
	assert_true(vmfacts_same_offset(&facts));
}

static void cpu_flags(void **state)
{
	assert_int_equal(hostfacts_flags(""), 0);
	assert_int_equal(hostfacts_flags("flags\t\t: constant_tscx xnonstop_tsc"), 0);
	assert_int_equal(hostfacts_flags("model name\t: flags : constant_tsc\n"
					 "flags\t\t: fpu tsc constant_tsc nonstop_tsc\n"
					 "bugs\t\t: tsc_adjust\n"
					 "flags\t\t: tsc_reliable\n"),
			 1u << TSC_FLAG_CONSTANT | 1u << TSC_FLAG_NONSTOP);
	assert_int_equal(hostfacts_flags("flags : rdtscp\nvmx flags\t: vnmi tsc_scaling\n"),
			 1u << TSC_FLAG_RDTSCP | 1u << TSC_FLAG_SCALE);
	assert_int_equal(hostfacts_flags("flags : tsc_scale"), 1u << TSC_FLAG_SCALE);
	assert_int_equal(hostfacts_flags("flags"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(zero_new, well, end),
		cmocka_unit_test_setup_teardown(launch, well, end),
		cmocka_unit_test_setup_teardown(translate_host, well, end),
		cmocka_unit_test_setup_teardown(zero_reset, well, end),
		cmocka_unit_test_setup_teardown(zero_now, well, end),
		cmocka_unit_test_setup_teardown(translate_vm, well, end),
		cmocka_unit_test_setup_teardown(record, well, end),
		cmocka_unit_test_setup_teardown(same_offset, well, end),
		cmocka_unit_test(writers),
		cmocka_unit_test(cpu_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
