/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What main.c needs to know of a command. A new one: a file here, a line in main.c's table, a line
 * in meson.build, a man page, a test. */
#pragma once

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_UNRESTORED = 3, /* failed, and something could not be put back */
};

struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name; returns an exit code */
};

extern const struct command cmd_agent, cmd_check, cmd_demo, cmd_doctor, cmd_export, cmd_list,
	cmd_query, cmd_record, cmd_report, cmd_restore, cmd_stat, cmd_view, cmd_zero;
