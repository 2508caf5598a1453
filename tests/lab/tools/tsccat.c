// SPDX-License-Identifier: GPL-2.0-or-later
/* tsccat FILE…: the first line of each file, between the TSC before and after it was read:
 * "NAME BEFORE TEXT AFTER". */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

static uint64_t now(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = strrchr(argv[i], '/');
		uint64_t before = now(), after;
		char text[64] = "";
		FILE *f = fopen(argv[i], "r");

		if (!f || !fgets(text, sizeof(text), f)) {
			perror(argv[i]);
			return 1;
		}
		fclose(f);
		after = now();
		text[strcspn(text, "\n")] = 0;
		printf("%s %" PRIu64 " %s %" PRIu64 "\n", name ? name + 1 : argv[i], before, text,
		       after);
	}
	return 0;
}
