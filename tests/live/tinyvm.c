// SPDX-License-Identifier: GPL-2.0-or-later
/* A VMM of one page: each vCPU counts in guest memory, which the test maps as well.
 * usage: tinyvm FD MODE...   one letter per vCPU: s spins, h halts after each step, n never runs,
 * a "/" begins another VM in the same process. Guest memory is FD, 64 KiB per VM.
 * Before these: & goes into the background first. After these: xCODE exits when vCPU 0 of the last
 * VM has counted to 1000, k kills itself with SIGTERM. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tinyvm.h"

static int kvm, memory_fd;
static size_t run_bytes;

struct guest {
	int vm, vcpus;
	uint8_t *mem;
};

struct runner {
	struct guest *guest;
	int vcpu, index;
};

static const uint8_t spin_code[] = {0x66, 0xff, 0x05, 0xeb, 0xfb}; /* inc dword [di]; jmp */
static const uint8_t halt_code[] = {0x66, 0xff, 0x05, 0xf4, 0xeb, 0xfa};

static void die(const char *what)
{
	perror(what);
	_exit(1);
}

static struct tinyvm_vcpu *counters(const struct guest *g, int index)
{
	return (struct tinyvm_vcpu *)(g->mem + TINYVM_COUNTERS) + index;
}

static void *run_vcpu(void *arg)
{
	struct runner *r = arg;
	struct tinyvm_vcpu *c = counters(r->guest, r->index);
	struct kvm_run *run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->vcpu, 0);

	if (run == MAP_FAILED)
		die("mmap");
	c->tid = gettid();
	for (;;) {
		if (ioctl(r->vcpu, KVM_RUN, 0)) {
			if (errno != EINTR)
				die("KVM_RUN");
			c->interrupted++;
		} else if (run->exit_reason != KVM_EXIT_HLT) {
			c->bad_exit = run->exit_reason + 1;
			return NULL;
		} else {
			c->halts++;
		}
	}
}

static void set_registers(const struct guest *g, int vcpu, int index, uint64_t rip)
{
	struct kvm_regs regs = {.rip = rip,
				.rflags = 2,
				.rdi = TINYVM_COUNTERS +
				       (uint64_t)index * sizeof(struct tinyvm_vcpu)};
	struct kvm_sregs sregs;

	if (ioctl(vcpu, KVM_GET_SREGS, &sregs))
		die("KVM_GET_SREGS");
	sregs.cs.base = sregs.cs.selector = 0;
	sregs.ds.base = sregs.ds.selector = 0;
	if (ioctl(vcpu, KVM_SET_SREGS, &sregs) || ioctl(vcpu, KVM_SET_REGS, &regs))
		die("KVM_SET_REGS");
}

static void add_vcpu(struct guest *g, char mode)
{
	struct runner *r = malloc(sizeof(*r));
	pthread_t thread;

	*r = (struct runner){g, 0, g->vcpus};
	r->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, g->vcpus);
	if (r->vcpu < 0)
		die("KVM_CREATE_VCPU");
	set_registers(g, r->vcpu, g->vcpus, mode == 'h' ? TINYVM_HALT : TINYVM_SPIN);
	g->vcpus++;
	if (mode != 'n' && pthread_create(&thread, NULL, run_vcpu, r))
		die("pthread_create");
}

static struct guest *new_guest(int index)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct kvm_userspace_memory_region m = {.memory_size = TINYVM_BYTES};

	g->mem = mmap(NULL, TINYVM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd,
		      (off_t)index * TINYVM_BYTES);
	g->vm = ioctl(kvm, KVM_CREATE_VM, 0);
	m.userspace_addr = (uintptr_t)g->mem;
	if (g->mem == MAP_FAILED || g->vm < 0 || ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &m))
		die("KVM_CREATE_VM");
	memcpy(g->mem + TINYVM_SPIN, spin_code, sizeof(spin_code));
	memcpy(g->mem + TINYVM_HALT, halt_code, sizeof(halt_code));
	return g;
}

int main(int argc, char **argv)
{
	const char *mode;
	struct guest *g;
	int guests = 1;

	if (argc < 3)
		return 2;
	memory_fd = atoi(argv[1]);
	mode = argv[2];
	if (*mode == '&') {
		mode++;
		if (fork())
			return 5; /* its death must not take the one in the background along */
	} else {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	}
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return 77;
	run_bytes = (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	g = new_guest(0);
	for (; *mode && *mode != 'x' && *mode != 'k'; mode++) {
		if (*mode == '/')
			g = new_guest(guests++);
		else
			add_vcpu(g, *mode);
	}
	counters(g, 0)->pid = getpid();
	counters(g, 0)->preloaded = getenv("LD_PRELOAD") != NULL;
	counters(g, 0)->ready = 1;
	while (*mode != 'k' && (*mode != 'x' || (g->vcpus && counters(g, 0)->steps < 1000)))
		usleep(1000);
	if (*mode == 'k')
		raise(SIGTERM);
	return atoi(mode + 1);
}
