// SPDX-License-Identifier: GPL-2.0-or-later
/* Command table and dispatch, nothing else. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cmd/command.h"

/* clang-format off */
static const struct command *const commands[] = {
	&cmd_agent,
	&cmd_check,
	&cmd_demo,
	&cmd_doctor,
	&cmd_export,
	&cmd_list,
	&cmd_query,
	&cmd_record,
	&cmd_report,
	&cmd_restore,
	&cmd_stat,
	&cmd_view,
	&cmd_zero,
	NULL,
};
/* clang-format on */

static void print_usage(FILE *out)
{
	fputs("usage: onetsc COMMAND [options]\n"
	      "One clock and one timeline for KVM guests, their VMM and the host.\n\n",
	      out);
	for (size_t i = 0; commands[i]; i++)
		fprintf(out, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\nonetsc COMMAND --help explains a command; man onetsc is the overview.\n", out);
}

/* The command with that name, or the only one that begins with it. */
static const struct command *find_command(const char *name, bool *ret_ambiguous)
{
	const struct command *found = NULL;

	*ret_ambiguous = false;
	for (size_t i = 0; commands[i]; i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
		if (strncmp(commands[i]->name, name, strlen(name)))
			continue;
		*ret_ambiguous = found != NULL;
		found = commands[i];
	}
	return *ret_ambiguous ? NULL : found;
}

int main(int argc, char **argv)
{
	const struct command *c;
	bool ambiguous;

	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_usage(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("onetsc " ONETSC_VERSION);
		return EXIT_OK;
	}
	c = find_command(argv[1], &ambiguous);
	if (!c) {
		log_err("\"%s\" is %s command; see onetsc --help", argv[1],
			ambiguous ? "an ambiguous" : "not a");
		return EXIT_USAGE;
	}
	return c->run(argc - 1, argv + 1);
}
