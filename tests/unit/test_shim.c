// SPDX-License-Identifier: GPL-2.0-or-later
/* The shim against a model of KVM's TSC code (kvm_synchronize_tsc() and kvm_arch_tsc_set_attr(),
 * Linux 6.1): one VM, a few vCPUs, generations and the masterclock. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static long fake_ioctl(int fd, unsigned long cmd, void *arg);

#define SHIM_RAW_IOCTL(fd, cmd, arg) fake_ioctl(fd, cmd, arg)
#define ioctl			     shim_ioctl
int shim_ioctl(int fd, unsigned long cmd, ...);
#include "../../src/vm/shim/shim.c"

#define KVM_FD	 90
#define VM_FD	 100
#define VCPU_FD	 200
#define HOST_KHZ 3000000
#define MAX_CPUS 4

struct model_vcpu {
	int64_t offset;
	unsigned generation;
	long khz;
	unsigned sets, gets;
};

static struct {
	struct model_vcpu vcpu[MAX_CPUS];
	int n;
	int64_t current_offset, last_offset;
	uint64_t last_write;
	unsigned generation, clock_sets;
	bool absent, ignored;
	int64_t now; /* host TSC */
} kvm;

static long fail_with(int err)
{
	errno = err;
	return -1;
}

static void begin_generation(int64_t offset)
{
	kvm.generation++;
	kvm.current_offset = offset;
}

static void write_offset(struct model_vcpu *v, int64_t offset, bool matched)
{
	if (!matched)
		begin_generation(offset);
	v->offset = kvm.ignored ? v->offset : offset;
	v->generation = kvm.generation;
	kvm.last_offset = offset;
}

static void write_tsc(struct model_vcpu *v, uint64_t data)
{
	bool matched = kvm.generation && (!data || data == kvm.last_write);

	kvm.now += 1000;
	write_offset(v, matched ? kvm.current_offset : (int64_t)data - kvm.now, matched);
	kvm.last_write = data;
}

static long model_attr(struct model_vcpu *v, unsigned long cmd, struct kvm_device_attr *a)
{
	int64_t *value = (int64_t *)(uintptr_t)a->addr;

	if (kvm.absent)
		return fail_with(EINVAL);
	if (cmd == KVM_GET_DEVICE_ATTR) {
		v->gets++;
		*value = v->offset;
		return 0;
	}
	v->sets++;
	write_offset(v, *value, kvm.generation && kvm.last_offset == *value);
	kvm.last_write = (uint64_t)(kvm.now + *value);
	return 0;
}

static long model_msrs(struct model_vcpu *v, const struct kvm_msrs *msrs)
{
	for (unsigned i = 0; i < msrs->nmsrs; i++)
		if (msrs->entries[i].index == 0x10)
			write_tsc(v, msrs->entries[i].data);
	return msrs->nmsrs;
}

static long model_vcpu_ioctl(struct model_vcpu *v, unsigned long cmd, void *arg)
{
	switch (cmd) {
	case KVM_GET_DEVICE_ATTR:
	case KVM_SET_DEVICE_ATTR:
		return model_attr(v, cmd, arg);
	case KVM_SET_MSRS:
		return model_msrs(v, arg);
	case KVM_GET_TSC_KHZ:
		return v->khz;
	case KVM_SET_TSC_KHZ:
		v->khz = (long)(intptr_t)arg;
		return 0;
	case KVM_RUN:
		return 0;
	}
	return fail_with(ENOTTY);
}

static long fake_ioctl(int fd, unsigned long cmd, void *arg)
{
	if (fd == KVM_FD && cmd == KVM_CREATE_VM)
		return VM_FD;
	if (fd == VM_FD && cmd == KVM_CREATE_VCPU) {
		struct model_vcpu *v = &kvm.vcpu[kvm.n];

		*v = (struct model_vcpu){.khz = HOST_KHZ};
		write_tsc(v, 0);
		return VCPU_FD + kvm.n++;
	}
	if (fd == VM_FD && cmd == KVM_GET_CLOCK) {
		((struct kvm_clock_data *)arg)->flags = KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME;
		return 0;
	}
	if (fd == VM_FD && cmd == KVM_SET_CLOCK) {
		kvm.clock_sets++;
		return 0;
	}
	if (fd >= VCPU_FD && fd < VCPU_FD + kvm.n)
		return model_vcpu_ioctl(&kvm.vcpu[fd - VCPU_FD], cmd, arg);
	return fail_with(EBADF);
}

/* --- a VMM --- */

static char said_path[64];

static void boot(int vcpus)
{
	int fd;

	memset(&kvm, 0, sizeof(kvm));
	memset(slots, 0, sizeof(slots));
	kvm.now = 1000000000000;
	fd = open(said_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
	close(fd);
	shim_configure("- 3000000 /x");
	assert_int_equal(shim_ioctl(KVM_FD, KVM_CREATE_VM, 0), VM_FD);
	for (int i = 0; i < vcpus; i++)
		assert_int_equal(shim_ioctl(VM_FD, KVM_CREATE_VCPU, i), VCPU_FD + i);
}

static void set_tsc(int vcpu, uint64_t value)
{
	_Alignas(8) char raw_list[sizeof(struct kvm_msrs) + 3 * sizeof(struct kvm_msr_entry)] = {0};
	struct kvm_msrs *m = (struct kvm_msrs *)raw_list;

	m->nmsrs = 3;
	m->entries[0] = (struct kvm_msr_entry){.index = 0x174, .data = 99};
	m->entries[1] = (struct kvm_msr_entry){.index = 0x10, .data = value};
	assert_int_equal(shim_ioctl(VCPU_FD + vcpu, KVM_SET_MSRS, m), 3);
}

static void round_of(uint64_t tsc)
{
	for (int i = 0; i < kvm.n; i++)
		set_tsc(i, tsc);
}

static void run_all(void)
{
	for (int i = 0; i < kvm.n; i++)
		assert_int_equal(shim_ioctl(VCPU_FD + i, KVM_RUN, 0), 0);
}

static bool all_zero(void)
{
	for (int i = 0; i < kvm.n; i++)
		if (kvm.vcpu[i].offset)
			return false;
	return true;
}

static bool masterclock(void)
{
	for (int i = 0; i < kvm.n; i++)
		if (kvm.vcpu[i].generation != kvm.generation)
			return false;
	return true;
}

static const char *said(void)
{
	static char text[4096];
	int fd = open(said_path, O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	text[n < 0 ? 0 : n] = 0;
	return text;
}

static int count_said(const char *what)
{
	int n = 0;

	for (const char *p = said(); (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void cold_boot(void **state)
{
	unsigned gets;

	boot(3);
	assert_true(all_zero());
	round_of(0);
	round_of(0);
	run_all();
	assert_true(all_zero());
	assert_true(masterclock());
	assert_int_equal(count_said("starts with TSC offset 0"), 1);
	/* From here on KVM_RUN costs nothing more. */
	gets = kvm.vcpu[0].gets;
	for (int i = 0; i < 100; i++)
		run_all();
	assert_int_equal(kvm.vcpu[0].gets, gets);
}

/* QEMU: two rounds of TSC = 1, the second not matched because the first was undone in between. */
static void reset(void **state)
{
	for (int between = 0; between < 2; between++) {
		boot(3);
		round_of(0);
		run_all();
		round_of(1);
		if (between)
			run_all();
		round_of(1);
		assert_false(all_zero());
		run_all();
		run_all();
		assert_true(all_zero());
		assert_true(masterclock());
		assert_true(kvm.clock_sets > 0);
	}
}

/* Only one vCPU is reset: the others join its generation when they run next. */
static void one_is_reset(void **state)
{
	boot(3);
	run_all();
	set_tsc(2, 1);
	shim_ioctl(VCPU_FD + 2, KVM_RUN, 0);
	assert_true(all_zero());
	assert_false(masterclock());
	run_all();
	assert_true(all_zero());
	assert_true(masterclock());
}

static void hot_plug(void **state)
{
	boot(1);
	round_of(0);
	run_all();
	assert_int_equal(shim_ioctl(VM_FD, KVM_CREATE_VCPU, 1), VCPU_FD + 1);
	set_tsc(1, 0);
	run_all();
	assert_true(all_zero());
	assert_true(masterclock());
}

/* The guest wrote its TSC: a hot-plugged vCPU does not make the running ones jump. */
static void own_offset_stays(void **state)
{
	boot(1);
	run_all();
	kvm.vcpu[0].offset = 12345;
	assert_int_equal(shim_ioctl(VM_FD, KVM_CREATE_VCPU, 1), VCPU_FD + 1);
	set_tsc(1, 1);
	run_all();
	run_all();
	assert_int_equal(kvm.vcpu[0].offset, 12345);
	assert_int_equal(kvm.vcpu[1].offset, 0);
}

static void restored(void **state)
{
	int64_t offset;

	boot(2);
	round_of(0);
	round_of(0);
	round_of(777000);
	offset = kvm.vcpu[0].offset;
	assert_int_not_equal(offset, 0);
	run_all();
	assert_int_equal(kvm.vcpu[0].offset, offset);
	assert_int_equal(kvm.vcpu[1].offset, offset);
	assert_int_equal(count_said("saved state"), 1);
	assert_int_equal(count_said("starts with"), 0);
	/* A vCPU that joins is like the others. */
	assert_int_equal(shim_ioctl(VM_FD, KVM_CREATE_VCPU, 2), VCPU_FD + 2);
	set_tsc(2, 0);
	run_all();
	assert_int_equal(kvm.vcpu[2].offset, offset);
	/* And a reset is a new start. */
	round_of(1);
	round_of(1);
	run_all();
	run_all();
	assert_true(all_zero());
	assert_true(masterclock());
}

static void other_frequency(void **state)
{
	boot(2);
	for (int i = 0; i < 2; i++)
		shim_ioctl(VCPU_FD + i, KVM_SET_TSC_KHZ, 2000000);
	kvm.vcpu[0].offset = kvm.vcpu[1].offset = -5;
	round_of(0);
	kvm.vcpu[0].offset = kvm.vcpu[1].offset = -5;
	run_all();
	assert_int_equal(kvm.vcpu[0].offset, -5);
	assert_int_equal(count_said("another frequency"), 1);
	/* 250 ppm are not scaled by KVM. */
	boot(1);
	shim_ioctl(VCPU_FD, KVM_SET_TSC_KHZ, HOST_KHZ + HOST_KHZ / 4000);
	set_tsc(0, 1);
	run_all();
	assert_true(all_zero());
}

static void cannot(void **state)
{
	boot(0);
	kvm.absent = true;
	errno = 7777;
	assert_int_equal(shim_ioctl(VM_FD, KVM_CREATE_VCPU, 0), VCPU_FD);
	assert_int_equal(shim_ioctl(VM_FD, KVM_CREATE_VCPU, 1), VCPU_FD + 1);
	run_all();
	assert_int_equal(errno, 7777);
	assert_int_equal(count_said("cannot set a TSC offset"), 1);
	assert_int_equal(count_said("\n"), 1);
	boot(0);
	kvm.ignored = true;
	errno = 7777;
	assert_int_equal(shim_ioctl(VM_FD, KVM_CREATE_VCPU, 0), VCPU_FD);
	kvm.vcpu[0].offset = -3;
	run_all();
	assert_int_equal(errno, 7777);
	assert_int_equal(count_said("protected"), 1);
	assert_int_equal(shim_ioctl(5, KVM_RUN, 0), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(shim_ioctl(VCPU_FD, 1, 0), -1);
	assert_int_equal(errno, ENOTTY);
	assert_int_equal(shim_ioctl(-1, KVM_RUN, 0), -1);
	assert_int_equal(shim_ioctl(MAX_FDS, KVM_RUN, 0), -1);
}

/* Descriptor 2 is something else now, maybe a disk. */
static void silent_on_a_new_descriptor(void **state)
{
	int null;

	boot(0);
	null = open("/dev/null", O_WRONLY);
	assert_int_equal(dup2(null, STDERR_FILENO), STDERR_FILENO);
	close(null);
	unlink(said_path);
	assert_int_equal(open(said_path, O_RDWR | O_CREAT, 0600) < 0, 0);
	assert_int_equal(shim_ioctl(VM_FD, KVM_CREATE_VCPU, 0), VCPU_FD);
	run_all();
	assert_string_equal(said(), "");
}

static void environment(void **state)
{
	setenv("LD_PRELOAD", "/lib/a.so:/opt/x/shim.so /lib/b.so", 1);
	setenv(SHIM_ENV, "s 3000000 /opt/x/shim.so", 1);
	shim_forget_environment();
	assert_string_equal(getenv("LD_PRELOAD"), "/lib/a.so:/lib/b.so");
	assert_null(getenv(SHIM_ENV));
	setenv("LD_PRELOAD", "/opt/x/shim.so", 1);
	setenv(SHIM_ENV, "- 0 /opt/x/shim.so", 1);
	begin();
	assert_null(getenv("LD_PRELOAD"));
	assert_null(getenv(SHIM_ENV));
	/* A script's children need it still; the one that makes a VM forgets it. */
	setenv("LD_PRELOAD", "/opt/x/shim.so", 1);
	setenv(SHIM_ENV, "sq 1000 /opt/x/shim.so", 1);
	begin();
	assert_non_null(getenv("LD_PRELOAD"));
	assert_true(conf.quiet);
	assert_int_equal(conf.host_khz, 1000);
	assert_int_equal(shim_ioctl(KVM_FD, KVM_CREATE_VM, 0), VM_FD);
	assert_null(getenv("LD_PRELOAD"));
	assert_null(getenv(SHIM_ENV));
	shim_forget_environment();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cold_boot),
		cmocka_unit_test(reset),
		cmocka_unit_test(one_is_reset),
		cmocka_unit_test(hot_plug),
		cmocka_unit_test(own_offset_stays),
		cmocka_unit_test(restored),
		cmocka_unit_test(other_frequency),
		cmocka_unit_test(cannot),
		cmocka_unit_test(silent_on_a_new_descriptor),
		cmocka_unit_test(environment),
	};
	int r;

	snprintf(said_path, sizeof(said_path), "/tmp/onetsc-shim-%d", getpid());
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(said_path);
	return r;
}
