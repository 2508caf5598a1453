// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A VMM that starts in a moment, for tests of the TSC. Its guest only reads its TSC; every value
 * is compared with the host's RDTSC just before and after. Commands on stdin, answers on stdout:
 *   run N       each vCPU takes N samples: "vcpu=0 samples=N inside=N first=TICKS denied=N"
 *   reset       writes TSC=1 to every vCPU, as QEMU does
 *   tsc V       writes TSC=V to every vCPU, as a VMM does that restores saved state
 *   wrmsr D     the guest of vCPU 0 itself moves its TSC by D and takes a sample
 *   plug [V]    one more vCPU, with TSC=V written when given
 *   khz K       asks for another TSC frequency
 *   vm          a second VM in this process, never used
 *   offsets     "0 OFFSET" for each vCPU
 *   forbidden   the first vCPU's thread calls KVM_SET_DEVICE_ATTR, to see whether -s works
 *   quit
 * Usage: tinyvmm [-i ID,ID...] [-t stays|ends] [-o] [-s trap|kill] [-w FILE] [VCPUS]
 *   -i  ids of the first vCPUs; those after them count on from the last
 *   -t  a thread of its own makes the VM, and stays, or ends: no thread has its id any more
 *   -o  each vCPU is made by the thread that runs it
 *   -s  seccomp, as Firecracker has it: no thread may call KVM_SET_DEVICE_ATTR, and one that runs a
 *       vCPU nothing but what it needs for that; what is forbidden traps (SIGSYS), or kills at once
 *   -w  the guest's samples go to FILE, as a text that onetsc report --text reads
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tinyseccomp.h"

#define MAX_VCPUS  8
#define MAX_STAMPS 1000
#define CODE	   0x1000 /* samples for ever */
#define WRMSR	   0x2000 /* TSC = a value, then CODE */
#define PORT_LOW   0x10
#define PORT_HIGH  0x11
#define MSR_TSC	   0x10

static const uint8_t sample_code[] = {
	0x0f, 0x31,	       /* rdtsc */
	0x66, 0xe7, PORT_LOW,  /* out eax */
	0x66, 0x92,	       /* xchg eax, edx */
	0x66, 0xe7, PORT_HIGH, /* out eax */
	0xeb, 0xf4,	       /* again */
};

struct vcpu {
	pthread_t thread;
	unsigned id;
	int fd;
	struct kvm_run *run;
	bool ready; /* its thread may be given samples to take */
	/* set by the main thread, then a round begins */
	uint64_t samples;
	bool forbidden; /* do that first */
	uint64_t stamps[MAX_STAMPS];
	/* what came out */
	uint64_t inside, denied, first;
};

static int kvm, vm;
static size_t run_bytes;
static uint8_t *memory;
static struct vcpu vcpus[MAX_VCPUS];
static unsigned n_vcpus;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned busy;
static uint64_t written_ms; /* when a TSC was written last */

static struct {
	unsigned ids[MAX_VCPUS], n_ids;
	bool vm_thread, vm_thread_ends; /* -t */
	bool own_threads;		/* -o */
	uint32_t forbidden;		/* -s: SECCOMP_RET_*, 0 no filter */
	FILE *text;			/* -w */
} options;

static void die(const char *what)
{
	fprintf(stderr, "tinyvmm: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* As Firecracker: a message, and the end. */
static void bad_syscall(int sig, siginfo_t *info, void *context)
{
	static const char text[] = "tinyvmm: a forbidden system call\n";

	(void)sig, (void)info, (void)context;
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(1);
	_exit(148);
}

/* --- the VM --- */

/* Within a second of the last write KVM takes a small value for a repetition of that write, and goes on
 * with the TSC as it is (kvm_synchronize_tsc()): that would be no reset. */
static void await_new_generation(void)
{
	while (clock_ms() - written_ms < 1200)
		usleep(10000);
}

static void write_tsc(struct vcpu *v, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry msr;
	} m = {{.nmsrs = 1}, {.index = MSR_TSC, .data = value}};

	if (ioctl(v->fd, KVM_SET_MSRS, &m) != 1)
		die("KVM_SET_MSRS");
	written_ms = clock_ms();
}

/* Real mode, everything at 0. */
static void set_registers(struct vcpu *v, uint64_t rip)
{
	struct kvm_regs regs = {.rip = rip, .rflags = 2};
	struct kvm_sregs sregs;

	if (ioctl(v->fd, KVM_GET_SREGS, &sregs))
		die("KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(v->fd, KVM_SET_SREGS, &sregs) || ioctl(v->fd, KVM_SET_REGS, &regs))
		die("KVM_SET_REGS");
}

/* Until the guest writes to that port; its value. */
static uint32_t run_to(struct vcpu *v, int port)
{
	uint32_t value;

	while (ioctl(v->fd, KVM_RUN, 0)) {
		if (errno != EINTR && errno != EAGAIN)
			die("KVM_RUN");
		v->denied++;
	}
	if (v->run->exit_reason != KVM_EXIT_IO || v->run->io.port != port) {
		fprintf(stderr, "tinyvmm: exit %u, port %u\n", v->run->exit_reason,
			v->run->io.port);
		exit(1);
	}
	memcpy(&value, (uint8_t *)v->run + v->run->io.data_offset, sizeof(value));
	return value;
}

static void take_samples(struct vcpu *v)
{
	v->inside = v->denied = 0;
	if (v->forbidden)
		ioctl(v->fd, KVM_SET_DEVICE_ATTR, NULL);
	for (uint64_t i = 0; i < v->samples; i++) {
		uint64_t before = now(), after, guest;

		guest = run_to(v, PORT_LOW);
		after = now();
		guest |= (uint64_t)run_to(v, PORT_HIGH) << 32;
		if (!i)
			v->first = guest;
		if (i < MAX_STAMPS)
			v->stamps[i] = guest;
		v->inside += before <= guest && guest <= after;
	}
}

static void make_vcpu(struct vcpu *v)
{
	v->fd = ioctl(vm, KVM_CREATE_VCPU, v->id);
	if (v->fd < 0)
		die("KVM_CREATE_VCPU");
	v->run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);
	if (v->run == MAP_FAILED)
		die("mmap");
	set_registers(v, CODE);
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *v = arg;

	if (options.own_threads)
		make_vcpu(v);
	if (options.forbidden && !seccomp_forbid_most(options.forbidden))
		die("seccomp");
	pthread_mutex_lock(&lock);
	v->ready = true;
	pthread_cond_broadcast(&changed);
	for (;;) {
		while (!v->samples)
			pthread_cond_wait(&changed, &lock);
		pthread_mutex_unlock(&lock);
		take_samples(v);
		pthread_mutex_lock(&lock);
		v->samples = 0;
		busy--;
		pthread_cond_broadcast(&changed);
	}
	return NULL;
}

static unsigned next_id(void)
{
	if (n_vcpus < options.n_ids)
		return options.ids[n_vcpus];
	return n_vcpus ? vcpus[n_vcpus - 1].id + 1 : 0;
}

static struct vcpu *add_vcpu(void)
{
	struct vcpu *v = &vcpus[n_vcpus];

	if (n_vcpus == MAX_VCPUS)
		exit(2);
	v->id = next_id();
	n_vcpus++;
	if (!options.own_threads)
		make_vcpu(v);
	if (pthread_create(&v->thread, NULL, vcpu_thread, v))
		die("pthread_create");
	pthread_mutex_lock(&lock);
	while (!v->ready)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return v;
}

static void make_vm(void)
{
	struct kvm_userspace_memory_region region = {.memory_size = 0x10000};

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM");
	run_bytes = (size_t)ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	memory = mmap(NULL, region.memory_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	region.userspace_addr = (uintptr_t)memory;
	if (memory == MAP_FAILED || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		die("memory");
	memcpy(memory + CODE, sample_code, sizeof(sample_code));
}

static void *vm_thread(void *arg)
{
	make_vm();
	pthread_mutex_lock(&lock);
	busy--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	while (!options.vm_thread_ends)
		pause();
	return arg;
}

static void make_vm_elsewhere(void)
{
	pthread_t thread;

	busy = 1;
	if (pthread_create(&thread, NULL, vm_thread, NULL))
		die("pthread_create");
	pthread_mutex_lock(&lock);
	while (busy)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	if (options.vm_thread_ends)
		pthread_join(thread, NULL);
}

/* mov ecx, MSR_TSC; mov eax, LOW; mov edx, HIGH; wrmsr; jmp CODE */
static void write_wrmsr_code(uint64_t value)
{
	uint32_t low = (uint32_t)value, high = (uint32_t)(value >> 32);
	uint8_t code[] = {0x66, 0xb9, MSR_TSC, 0, 0, 0, 0x66, 0xb8, 0,	  0, 0, 0,
			  0x66, 0xba, 0,       0, 0, 0, 0x0f, 0x30, 0xe9, 0, 0};
	uint16_t rel = (uint16_t)(CODE - (WRMSR + sizeof(code)));

	memcpy(code + 8, &low, 4);
	memcpy(code + 14, &high, 4);
	memcpy(code + 21, &rel, 2);
	memcpy(memory + WRMSR, code, sizeof(code));
}

static void write_text(unsigned cpu, uint64_t samples)
{
	for (uint64_t i = 0; i < samples && i < MAX_STAMPS; i++)
		fprintf(options.text, "%" PRIu64 " cpu%u sample: %" PRIu64 "\n",
			vcpus[cpu].stamps[i], cpu, i);
	fflush(options.text);
}

static void run_round(unsigned first, unsigned n, uint64_t samples)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = first; i < first + n; i++)
		vcpus[i].samples = samples;
	busy = n;
	pthread_cond_broadcast(&changed);
	while (busy)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	for (unsigned i = first; options.text && i < first + n; i++)
		write_text(i, samples);
	for (unsigned i = first; i < first + n; i++)
		printf("vcpu=%u samples=%" PRIu64 " inside=%" PRIu64 " first=%" PRIu64
		       " denied=%" PRIu64 "\n",
		       vcpus[i].id, samples, vcpus[i].inside, vcpus[i].first, vcpus[i].denied);
}

static void print_offsets(void)
{
	for (unsigned i = 0; i < n_vcpus; i++) {
		int64_t offset = 0;
		struct kvm_device_attr attr = {.group = KVM_VCPU_TSC_CTRL,
					       .attr = KVM_VCPU_TSC_OFFSET,
					       .addr = (uintptr_t)&offset};

		if (ioctl(vcpus[i].fd, KVM_GET_DEVICE_ATTR, &attr))
			die("KVM_GET_DEVICE_ATTR");
		printf("%u %" PRId64 "\n", vcpus[i].id, offset);
	}
}

static void write_all(uint64_t value)
{
	for (unsigned i = 0; i < n_vcpus; i++) {
		write_tsc(&vcpus[i], value);
		set_registers(&vcpus[i], CODE);
	}
}

static void command(const char *word, bool has_value, uint64_t value)
{
	if (!strcmp(word, "run")) {
		run_round(0, n_vcpus, value);
	} else if (!strcmp(word, "reset")) {
		await_new_generation();
		write_all(1);
	} else if (!strcmp(word, "tsc")) {
		write_all(value);
	} else if (!strcmp(word, "wrmsr")) {
		write_wrmsr_code(now() + value);
		set_registers(&vcpus[0], WRMSR);
		run_round(0, 1, 1);
	} else if (!strcmp(word, "plug")) {
		struct vcpu *v = add_vcpu();

		if (has_value) {
			written_ms = clock_ms(); /* its creation was a write too */
			await_new_generation();
			write_tsc(v, value);
		}
	} else if (!strcmp(word, "khz")) {
		for (unsigned i = 0; i < n_vcpus; i++)
			if (ioctl(vcpus[i].fd, KVM_SET_TSC_KHZ, value))
				die("KVM_SET_TSC_KHZ");
	} else if (!strcmp(word, "vm")) {
		if (ioctl(kvm, KVM_CREATE_VM, 0) < 0)
			die("KVM_CREATE_VM");
	} else if (!strcmp(word, "forbidden")) {
		vcpus[0].forbidden = true;
		run_round(0, 1, 1);
	} else if (!strcmp(word, "offsets")) {
		print_offsets();
	} else if (!strcmp(word, "quit")) {
		exit(0);
	} else {
		fprintf(stderr, "tinyvmm: \"%s\"?\n", word);
		exit(2);
	}
	puts("ok");
}

static void read_ids(char *list)
{
	for (char *p = strtok(list, ","); p && options.n_ids < MAX_VCPUS; p = strtok(NULL, ","))
		options.ids[options.n_ids++] = (unsigned)atoi(p);
}

static unsigned read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "i:t:os:w:")) != -1) {
		switch (c) {
		case 'i':
			read_ids(optarg);
			break;
		case 't':
			options.vm_thread = true;
			options.vm_thread_ends = !strcmp(optarg, "ends");
			break;
		case 'o':
			options.own_threads = true;
			break;
		case 's':
			options.forbidden = strcmp(optarg, "trap") ? SECCOMP_RET_KILL_PROCESS
								   : SECCOMP_RET_TRAP;
			break;
		case 'w':
			options.text = fopen(optarg, "a");
			if (!options.text)
				die(optarg);
			break;
		default:
			exit(2);
		}
	}
	if (optind < argc)
		return (unsigned)atoi(argv[optind]);
	return options.n_ids ? options.n_ids : 1;
}

int main(int argc, char **argv)
{
	struct sigaction trap = {.sa_sigaction = bad_syscall, .sa_flags = SA_SIGINFO};
	unsigned n = read_options(argc, argv);
	char line[128], word[32], number[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGSYS, &trap, NULL);
	if (options.vm_thread)
		make_vm_elsewhere();
	else
		make_vm();
	for (unsigned i = 0; i < n; i++)
		add_vcpu();
	/* As QEMU and others: TSC=0 to all, which KVM takes as "the same as the first". */
	for (unsigned i = 0; i < n; i++)
		write_tsc(&vcpus[i], 0);
	if (options.forbidden && !seccomp_forbid_attr(options.forbidden))
		die("seccomp");
	puts("ok");
	while (fgets(line, sizeof(line), stdin)) {
		int got = sscanf(line, "%31s %63s", word, number);

		if (got > 0)
			command(word, got > 1, got > 1 ? strtoull(number, NULL, 0) : 0);
	}
	return 0;
}
