// SPDX-License-Identifier: GPL-2.0-or-later
/* What libtracecmd takes to merge traces without printing: a peer for check. Usage: merge FILE… */
#include <stdio.h>
#include <stdlib.h>
#include <trace-cmd/trace-cmd.h>

static int take(struct tracecmd_input *handle, struct tep_record *record, int cpu, void *arg)
{
	unsigned long long *n = arg;

	++*n;
	return 0;
}

int main(int argc, char **argv)
{
	struct tracecmd_input **handles = calloc((size_t)argc, sizeof(*handles));
	unsigned long long n = 0;
	int r = -1;

	for (int i = 1; i < argc && handles; i++) {
		handles[i - 1] = tracecmd_open(argv[i], 0);
		if (!handles[i - 1]) {
			fprintf(stderr, "merge: cannot open \"%s\"\n", argv[i]);
			return 1;
		}
	}
	if (handles)
		r = tracecmd_iterate_events_multi(handles, argc - 1, take, &n);
	printf("%llu\n", n);
	for (int i = 0; i < argc - 1 && handles; i++)
		tracecmd_close(handles[i]);
	free(handles);
	return r ? 1 : 0;
}
