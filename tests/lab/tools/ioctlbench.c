// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an ioctl costs: "other N" (FIONREAD of a pipe) or "run N" (a KVM_RUN that returns at once, in
 * a VM of its own that was let run before). Prints the ns of one: the median of 15 batches of N.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BATCHES 15

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median_ns(int fd, unsigned long cmd, void *arg, long n)
{
	double batch[BATCHES];

	for (int b = 0; b < BATCHES; b++) {
		double begin = now_ns();

		for (long i = 0; i < n; i++)
			ioctl(fd, cmd, arg);
		batch[b] = (now_ns() - begin) / (double)n;
	}
	qsort(batch, BATCHES, sizeof(batch[0]), compare);
	return batch[BATCHES / 2];
}

/* A vCPU whose KVM_RUN returns at once; -1 without KVM. */
static int new_vcpu(void)
{
	int kvm = open("/dev/kvm", O_RDWR);
	int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	int vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	struct kvm_run *run =
		vcpu < 0 ? MAP_FAILED
			 : mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);

	if (run == MAP_FAILED)
		return -1;
	run->immediate_exit = 1;
	return vcpu;
}

int main(int argc, char **argv)
{
	long n = argc > 2 ? atol(argv[2]) : 0;
	int pipes[2], unread;

	if (n <= 0 || pipe(pipes))
		return 2;
	if (!strcmp(argv[1], "run")) {
		int vcpu = new_vcpu();
		double end = now_ns() + 3e9;

		if (vcpu < 0)
			return 1;
		while (now_ns() < end) /* a watcher holds it for a while */
			ioctl(vcpu, KVM_RUN, 0);
		printf("%.0f\n", median_ns(vcpu, KVM_RUN, NULL, n));
	} else {
		printf("%.0f\n", median_ns(pipes[0], FIONREAD, &unread, n));
	}
	return 0;
}
