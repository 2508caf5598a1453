// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ping-pong of raw TSC values between host and guest over vsock.
 * A guest sample g is good when the host's own RDTSC before the request (h1)
 * and after the answer (h2) enclose it: h1 <= g <= h2.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "wire.h"

static uint64_t now(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

static int pin(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

static void answer(int conn)
{
	uint32_t cpu;
	int32_t status;
	char ping;

	if (!lab_read(conn, &cpu, sizeof(cpu)))
		return;
	status = pin(cpu);
	if (!lab_write(conn, &status, sizeof(status)) || status)
		return;
	while (lab_read(conn, &ping, 1)) {
		uint64_t t = now();

		if (!lab_write(conn, &t, sizeof(t)))
			return;
	}
}

static int serve(void)
{
	int fd = lab_listen(LAB_PORT_TSC);

	if (fd < 0) {
		perror("tscsample: vsock");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	if (daemon(0, 0))
		return 1;
	for (;;) {
		int conn = accept(fd, NULL, NULL);

		if (conn < 0)
			continue;
		if (fork() == 0) {
			close(fd);
			answer(conn);
			return 0;
		}
		close(conn);
	}
}

struct tally {
	unsigned int inside, below, above;
	uint64_t narrowest, widest;
};

static void count(struct tally *t, uint64_t h1, uint64_t g, uint64_t h2)
{
	uint64_t width = h2 - h1;

	/* Signed distance: an offset that makes g wrap must still count as outside. */
	if ((int64_t)(g - h1) < 0)
		t->below++;
	else if ((int64_t)(h2 - g) < 0)
		t->above++;
	else
		t->inside++;
	if (width < t->narrowest)
		t->narrowest = width;
	if (width > t->widest)
		t->widest = width;
}

static int check_cpu(unsigned int cid, uint32_t cpu, unsigned int samples, uint64_t offset,
		     int show)
{
	struct tally t = {.narrowest = UINT64_MAX};
	int fd = lab_connect(cid, LAB_PORT_TSC);
	int32_t status;

	alarm(60); /* a guest that died must not hang the case */
	if (fd < 0 || !lab_write(fd, &cpu, sizeof(cpu)) || !lab_read(fd, &status, sizeof(status)) ||
	    status) {
		fprintf(stderr, "tscsample: no answer from CPU %u of guest %u\n", cpu, cid);
		return 2;
	}
	for (unsigned int i = 0; i < samples; i++) {
		uint64_t g, h1 = now(), h2;

		if (!lab_write(fd, "?", 1) || !lab_read(fd, &g, sizeof(g)))
			return 2;
		h2 = now();
		count(&t, h1, g - offset, h2);
		if (show)
			printf("%u %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", cpu, h1, g - offset, h2);
	}
	close(fd);
	printf("cpu=%u samples=%u inside=%u below=%u above=%u narrowest=%" PRIu64 " widest=%" PRIu64
	       "\n",
	       cpu, samples, t.inside, t.below, t.above, t.narrowest, t.widest);
	return t.inside == samples ? 0 : 1;
}

static int usage(void)
{
	fputs("usage: tscsample serve\n"
	      "       tscsample check|show CID CPU SAMPLES [OFFSET]   (OFFSET is taken from the guest's values)\n"
	      "show prints each sample too: CPU, host before, guest, host after\n"
	      "exit: 0 all inside, 1 some outside, 2 no answer\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int show = argc > 1 && strcmp(argv[1], "show") == 0;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "serve") == 0)
		return serve();
	if ((argc != 5 && argc != 6) || (!show && strcmp(argv[1], "check") != 0))
		return usage();
	return check_cpu((unsigned int)atoi(argv[2]), (uint32_t)atoi(argv[3]),
			 (unsigned int)atoi(argv[4]),
			 argc == 6 ? (uint64_t)strtoll(argv[5], NULL, 0) : 0, show);
}
