// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes a trace as QEMU's backend "simple" does (version 4), of events whose moment is known: CLOCK_MONOTONIC
 * is read between two stamped_now(). Usage: simplewriter EVENTS FILE */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "stamped.h"

#define ID 7

static void put(FILE *f, const void *bytes, size_t n)
{
	if (fwrite(bytes, 1, n, f) != n) {
		perror("simplewriter");
		exit(1);
	}
}

static void put_head(FILE *f)
{
	static const char name[] = "onetsc_test_step";
	const uint64_t head[] = {UINT64_MAX, 0xf2b177cb0aa429b4, 4};
	const uint64_t mapping[] = {0, ID};
	const uint32_t len = sizeof(name) - 1;

	put(f, head, sizeof(head));
	put(f, mapping, sizeof(mapping));
	put(f, &len, sizeof(len));
	put(f, name, len);
}

static void put_event(FILE *f, uint64_t n)
{
	struct {
		uint64_t type, id, ns;
		uint32_t bytes, pid;
		uint64_t n;
	} e = {.type = 1,
	       .id = ID,
	       .bytes = sizeof(e) - sizeof(e.type),
	       .pid = (uint32_t)getpid(),
	       .n = n};
	uint64_t before, after;
	struct timespec t;

	before = stamped_now();
	clock_gettime(CLOCK_MONOTONIC, &t);
	after = stamped_now();
	e.ns = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
	put(f, &e, sizeof(e));
	stamped(before, after);
}

int main(int argc, char **argv)
{
	uint64_t n = argc == 3 ? strtoull(argv[1], NULL, 10) : 0;
	FILE *f = n ? fopen(argv[2], "w") : NULL;

	if (!f) {
		perror("simplewriter EVENTS FILE");
		return 2;
	}
	put_head(f);
	for (uint64_t i = 0; i < n; i++) {
		/* Over some readings of the clocks. */
		if (i % 1000 == 0)
			usleep(30000);
		put_event(f, i);
	}
	return fclose(f) ? 1 : 0;
}
