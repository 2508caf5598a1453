// SPDX-License-Identifier: GPL-2.0-or-later
/* tscstep CPU TICKS: the guest writes the TSC of one of its CPUs, which KVM turns into another offset
 * of that vCPU. Needs root and the msr module. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <x86intrin.h>

#define MSR_IA32_TSC 0x10

int main(int argc, char **argv)
{
	cpu_set_t set;
	char path[64];
	uint64_t tsc;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: tscstep CPU TICKS\n");
		return 2;
	}
	CPU_ZERO(&set);
	CPU_SET((unsigned)atoi(argv[1]), &set);
	snprintf(path, sizeof(path), "/dev/cpu/%d/msr", atoi(argv[1]));
	fd = open(path, O_WRONLY);
	if (fd < 0 || sched_setaffinity(0, sizeof(set), &set)) {
		perror(path);
		return 1;
	}
	tsc = __rdtsc() + (uint64_t)strtoll(argv[2], NULL, 0);
	if (pwrite(fd, &tsc, sizeof(tsc), MSR_IA32_TSC) != sizeof(tsc)) {
		perror("wrmsr");
		return 1;
	}
	return 0;
}
