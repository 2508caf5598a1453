// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Marks whose true order is known: the guest reads its TSC, writes a number to an I/O port, and
 * reads its TSC again; the host's kvm_pio of that number happened in between.
 *   marks take N
 *	in the guest, as root: two lines for each of the numbers 1 to N, "TICKS cpu0 before: NUMBER"
 *	and "TICKS cpu0 after: NUMBER"
 *   marks check FILE OFFSET RATIO FRAC_BITS
 *	in the host: FILE is what the guest printed, stdin "TICKS NUMBER" for each kvm_pio, the number
 *	as "0x…" or decimal. Counts how
 *	often the host's stamp in guest ticks, ((host * RATIO) >> FRAC_BITS) + OFFSET as the CPU
 *	computes it (Intel SDM volume 3, 25.3), lies in the guest's bracket.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <x86intrin.h>

#define PORT	  0x2f0 /* nothing is there in QEMU's PCs; the number takes four bytes */
#define MAX_MARKS 10000

struct mark {
	uint64_t before, after;
	unsigned in_guest, in_host, inside;
};

static uint64_t now(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

static int take(unsigned n)
{
	static struct mark marks[MAX_MARKS + 1];
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set) || ioperm(PORT, 4, 1)) {
		perror("marks");
		return 1;
	}
	for (unsigned i = 1; i <= n; i++) {
		marks[i].before = now();
		outl(i, PORT);
		marks[i].after = now();
	}
	for (unsigned i = 1; i <= n; i++)
		printf("%" PRIu64 " cpu0 before: %u\n%" PRIu64 " cpu0 after: %u\n", marks[i].before,
		       i, marks[i].after, i);
	return 0;
}

static void read_guest(const char *file, struct mark *marks)
{
	FILE *f = fopen(file, "r");
	uint64_t ticks;
	char which[8];
	unsigned i;

	if (!f) {
		perror(file);
		exit(1);
	}
	while (fscanf(f, "%" SCNu64 " cpu0 %7[a-z]: %u", &ticks, which, &i) == 3) {
		if (i > MAX_MARKS)
			exit(2);
		marks[i].in_guest++;
		*(which[0] == 'b' ? &marks[i].before : &marks[i].after) = ticks;
	}
	fclose(f);
}

static int check(const char *file, uint64_t offset, uint64_t ratio, unsigned frac)
{
	static struct mark marks[MAX_MARKS + 1];
	unsigned i, n = 0, once = 0, inside = 0;
	uint64_t host, least = UINT64_MAX;

	read_guest(file, marks);
	while (scanf("%" SCNu64 " %i", &host, (int *)&i) == 2) {
		uint64_t guest = (uint64_t)(((unsigned __int128)host * ratio) >> frac) + offset;

		if (i > MAX_MARKS)
			exit(2);
		marks[i].in_host++;
		marks[i].inside += guest - marks[i].before <= marks[i].after - marks[i].before;
	}
	for (i = 1; i <= MAX_MARKS; i++) {
		struct mark *m = &marks[i];

		if (!m->in_guest && !m->in_host)
			continue;
		n++;
		once += m->in_guest == 2 && m->in_host == 1;
		inside += m->inside;
		if (m->after - m->before < least)
			least = m->after - m->before;
	}
	printf("marks=%u once=%u inside=%u narrowest=%" PRIu64 "\n", n, once, inside, least);
	return !n || once != n || inside != n;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "take") && strtoul(argv[2], NULL, 0) <= MAX_MARKS)
		return take((unsigned)strtoul(argv[2], NULL, 0));
	if (argc == 6 && !strcmp(argv[1], "check"))
		return check(argv[2], strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0),
			     (unsigned)strtoul(argv[5], NULL, 0));
	fputs("usage: marks take N | marks check FILE OFFSET RATIO FRAC_BITS\n", stderr);
	return 2;
}
