// SPDX-License-Identifier: GPL-2.0-or-later
/* Preloaded into a VMM by `onetsc zero -- CMD`: wraps ioctl(2) so that the TSC offset of every vCPU
 * is 0 from its creation, and again after a reset. Needs nothing but libc, takes no lock, allocates
 * nothing, keeps errno.
 *
 * Why this is enough: an offset of 0 sustains itself over a cold boot, because VMMs write TSC = 0
 * then, which KVM takes as "like the others" (kvm_synchronize_tsc(), arch/x86/kvm/x86.c). A reset
 * writes 1 (QEMU) and loses it: so a vCPU is looked at before the first KVM_RUN that follows such a
 * write to it. A saved state writes the saved TSC: those vCPUs are left as they are. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

#ifndef SHIM_RAW_IOCTL
#define SHIM_RAW_IOCTL(fd, cmd, arg) syscall(SYS_ioctl, fd, cmd, arg)
#endif

#define MSR_TSC	      0x10
#define MAX_FDS	      16384
#define TOLERANCE_PPM 250 /* kvm.tsc_tolerance_ppm: KVM does not scale within it */

enum { SAID_ABSENT = 1, SAID_IGNORED = 2, SAID_SCALED = 4, SAID_RESTORED = 8, SAID_DONE = 16 };

/* What a descriptor is, as far as it went through here. Descriptors that are reused for another
 * vCPU are written again; one reused for something else never sees KVM_RUN. */
struct slot {
	/* of a vCPU */
	_Atomic int vm_fd;	/* + 1; 0: not known */
	_Atomic bool dirty;	/* its TSC was written since it ran */
	_Atomic unsigned epoch; /* of its VM, when it was matched to it last */
	/* of a VM */
	_Atomic unsigned zeroed; /* how often a vCPU's offset had to be made 0 again */
	_Atomic unsigned said;
	_Atomic bool restored; /* from saved state, with its TSC */
};

static struct slot slots[MAX_FDS];
static struct {
	bool quiet;
	uint64_t host_khz;
	bool has_stderr;
	dev_t dev;
	ino_t ino;
} conf;

static long raw(int fd, unsigned long cmd, void *arg)
{
	return SHIM_RAW_IOCTL(fd, cmd, arg);
}

/* Once per VM. Descriptor 2 may have become a disk image since the start: then silence. */
static void say(struct slot *vm, unsigned what, const char *text)
{
	struct stat st;
	char line[320];
	int n;

	if ((vm && atomic_fetch_or(&vm->said, what) & what) || !conf.has_stderr)
		return;
	if (fstat(STDERR_FILENO, &st) || st.st_dev != conf.dev || st.st_ino != conf.ino)
		return;
	n = snprintf(line, sizeof(line), "onetsc: %s\n", text);
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static struct slot *slot_of(int fd)
{
	return fd >= 0 && fd < MAX_FDS ? &slots[fd] : NULL;
}

static struct slot *vm_of(const struct slot *vcpu)
{
	return slot_of(atomic_load(&vcpu->vm_fd) - 1);
}

static long attr(int vcpu_fd, unsigned long cmd, int64_t *offset)
{
	struct kvm_device_attr a = {
		.group = KVM_VCPU_TSC_CTRL, .attr = KVM_VCPU_TSC_OFFSET, .addr = (uintptr_t)offset};

	return raw(vcpu_fd, cmd, &a);
}

static bool is_scaled(int vcpu_fd)
{
	long khz = raw(vcpu_fd, KVM_GET_TSC_KHZ, NULL);
	uint64_t far;

	if (khz <= 0 || !conf.host_khz)
		return false;
	far = (uint64_t)khz > conf.host_khz ? (uint64_t)khz - conf.host_khz
					    : conf.host_khz - (uint64_t)khz;
	return far * 1000000 > conf.host_khz * TOLERANCE_PPM;
}

/* Sets offset 0 and reads it back. */
static bool set_zero(int vcpu_fd, struct slot *vm)
{
	int64_t offset = 0;

	if (attr(vcpu_fd, KVM_SET_DEVICE_ATTR, &offset)) {
		say(vm, SAID_ABSENT,
		    "this kernel cannot set a TSC offset (KVM_VCPU_TSC_OFFSET, Linux 5.16); the VM "
		    "runs with its own; \"onetsc record\" translates it");
		return false;
	}
	offset = -1;
	if (attr(vcpu_fd, KVM_GET_DEVICE_ATTR, &offset) || offset) {
		say(vm, SAID_IGNORED,
		    "this VM's TSC is protected: its offset was not changed; \"onetsc record\" "
		    "translates it");
		return false;
	}
	return true;
}

/* The masterclock is switched by an update that waits for some vCPU's next run; an AP that waits
 * for its start-up IPI has none. Setting the clock to what it is does it at once. */
static void renew_clock(int vm_fd)
{
	struct kvm_clock_data data = {0};

	if (raw(vm_fd, KVM_GET_CLOCK, &data))
		return;
	data.flags &= KVM_CLOCK_REALTIME; /* KVM then adds the time since the reading */
	if (data.flags)
		raw(vm_fd, KVM_SET_CLOCK, &data);
}

static void vcpu_created(int vm_fd, int vcpu_fd)
{
	struct slot *vm = slot_of(vm_fd), *vcpu = slot_of(vcpu_fd);

	if (!vm || !vcpu) {
		set_zero(vcpu_fd, NULL);
		say(NULL, 0, "too many open files to watch this vCPU for resets");
		return;
	}
	atomic_store(&vcpu->vm_fd, vm_fd + 1);
	atomic_store(&vcpu->epoch, atomic_load(&vm->zeroed));
	/* A vCPU that joins a restored VM must be like the others; KVM sees to that. */
	if (atomic_load(&vm->restored))
		return;
	/* Looked at again before it runs: its frequency may be set until then. */
	atomic_store(&vcpu->dirty, true);
	if (!is_scaled(vcpu_fd))
		set_zero(vcpu_fd, vm);
}

/* The TSC was written as for a start: the offset is 0 still, or again. */
static void check_written(int vcpu_fd, struct slot *vcpu, struct slot *vm)
{
	int64_t offset = 0;

	if (is_scaled(vcpu_fd)) {
		say(vm, SAID_SCALED,
		    "the guest's TSC runs at another frequency than the host's, so no offset makes "
		    "them equal; \"onetsc record\" translates it");
		return;
	}
	if (attr(vcpu_fd, KVM_GET_DEVICE_ATTR, &offset))
		return; /* said at its creation */
	if (offset) {
		if (!set_zero(vcpu_fd, vm))
			return;
		atomic_store(&vcpu->epoch, atomic_fetch_add(&vm->zeroed, 1) + 1);
		renew_clock(atomic_load(&vcpu->vm_fd) - 1);
	}
	if (!conf.quiet)
		say(vm, SAID_DONE, "the VM starts with TSC offset 0");
}

/* Another vCPU was made 0 in a generation of its own: KVM keeps the masterclock only when all are
 * written the same one after the other. */
static void check_matched(int vcpu_fd, struct slot *vcpu, struct slot *vm)
{
	int64_t offset = -1;

	atomic_store(&vcpu->epoch, atomic_load(&vm->zeroed));
	if (attr(vcpu_fd, KVM_GET_DEVICE_ATTR, &offset) || offset)
		return;
	attr(vcpu_fd, KVM_SET_DEVICE_ATTR, &offset);
	renew_clock(atomic_load(&vcpu->vm_fd) - 1);
}

/* TSC writes in a list of which KVM has accepted n. */
static void msrs_written(int vcpu_fd, const struct kvm_msrs *msrs, long n)
{
	struct slot *vcpu = slot_of(vcpu_fd), *vm = vcpu ? vm_of(vcpu) : NULL;

	for (long i = 0; vm && i < n && i < (long)msrs->nmsrs; i++) {
		if (msrs->entries[i].index != MSR_TSC)
			continue;
		if (msrs->entries[i].data == 1)
			atomic_store(&vm->restored, false);
		if (msrs->entries[i].data > 1) {
			atomic_store(&vm->restored, true);
			atomic_store(&vcpu->dirty, false);
			say(vm, SAID_RESTORED,
			    "the VM's saved state is restored with its TSC, which is left as saved; "
			    "\"onetsc record\" translates it");
		} else if (!atomic_load(&vm->restored)) {
			atomic_store(&vcpu->dirty, true);
		}
	}
}

static void after(int fd, unsigned long cmd, void *arg, long result)
{
	switch (cmd) {
	case KVM_CREATE_VM:
		if (slot_of((int)result)) {
			atomic_store(&slots[result].said, 0);
			atomic_store(&slots[result].restored, false);
		}
		shim_forget_environment();
		break;
	case KVM_CREATE_VCPU:
		vcpu_created(fd, (int)result);
		break;
	case KVM_SET_MSRS:
		msrs_written(fd, arg, result);
		break;
	}
}

static void before_run(int fd)
{
	struct slot *vcpu = slot_of(fd), *vm = vcpu ? vm_of(vcpu) : NULL;

	if (!vm)
		return;
	if (atomic_load(&vcpu->dirty) && atomic_exchange(&vcpu->dirty, false))
		check_written(fd, vcpu, vm);
	else if (atomic_load(&vcpu->epoch) != atomic_load(&vm->zeroed))
		check_matched(fd, vcpu, vm);
}

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long cmd, ...)
{
	int saved = errno;
	va_list ap;
	void *arg;
	long r;

	va_start(ap, cmd);
	arg = va_arg(ap, void *);
	va_end(ap);
	/* Some callers pass the request as an int: its upper half may be anything. */
	if ((uint32_t)cmd == KVM_RUN) {
		before_run(fd);
		errno = saved;
	}
	r = raw(fd, cmd, arg);
	if (r < 0)
		return (int)r;
	saved = errno;
	after(fd, (uint32_t)cmd, arg, r);
	errno = saved;
	return (int)r;
}

/* Takes our own path out of a list that ld.so separates by colons and blanks. */
static void forget_preload(const char *path)
{
	const char *list = getenv("LD_PRELOAD");
	size_t len = strlen(path), k = 0;
	char *rest = list ? malloc(strlen(list) + 1) : NULL;

	if (!rest)
		return;
	while (*list) {
		size_t n = strcspn(list, ": ");

		if (n && (n != len || memcmp(list, path, n))) {
			if (k)
				rest[k++] = ':';
			memcpy(rest + k, list, n);
			k += n;
		}
		list += n + (list[n] != 0);
	}
	rest[k] = 0;
	if (k)
		setenv("LD_PRELOAD", rest, 1);
	else
		unsetenv("LD_PRELOAD");
	free(rest);
}

void shim_forget_environment(void)
{
	const char *env = getenv(SHIM_ENV), *path = env ? strchr(env, '/') : NULL;

	if (!path)
		return;
	forget_preload(path);
	unsetenv(SHIM_ENV);
}

/* SHIM_ENV is "FLAGS KHZ /path/of/this/library". */
void shim_configure(const char *env)
{
	struct stat st;

	conf.quiet = strchr(env, 'q') && strchr(env, 'q') < strchr(env, ' ');
	conf.host_khz = strtoull(env + strcspn(env, " "), NULL, 10);
	conf.has_stderr = !fstat(STDERR_FILENO, &st);
	conf.dev = st.st_dev;
	conf.ino = st.st_ino;
}

/* A script and what it runs before the VMM keep the environment until one of them makes a VM. */
__attribute__((constructor)) static void begin(void)
{
	const char *env = getenv(SHIM_ENV);
	bool script;

	if (!env || !strchr(env, ' '))
		return;
	script = strchr(env, 's') && strchr(env, 's') < strchr(env, ' ');
	shim_configure(env);
	if (!script)
		shim_forget_environment();
}
