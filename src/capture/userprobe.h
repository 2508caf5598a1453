/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes that a user names, --uprobe and --usdt: of this kernel, which the agent's is as well. Each
 * function says what fails in one message, and then leaves what was made before to uprobes_close(). */
#pragma once

#include "capture/elfimage.h"
#include "capture/uprobes.h"

/* Path of a program as execvp(3) finds it, or name itself when it has a slash. -ENOENT; silent. */
must_check int userprobe_find_program(const char *name, char **ret);
/* name: a path, the name of a program, or the pid of a process that runs it. */
must_check int userprobe_open(const char *name, struct binary *ret);
must_check int userprobe_function(const struct binary *b, const char *symbol,
				  struct elf_symbol *ret);

/* "BINARY:SYMBOL[%return][ ARGS]". */
must_check int userprobe_add(struct uprobes *u, const char *text, struct events *events);

/* What the agent is told: PROBE_CALL and the text of userprobe_add(), or PROBE_STATIC and
 * "BINARY:PROVIDER:NAME". */
#define PROBE_CALL   "uprobe "
#define PROBE_STATIC "usdt "
must_check int userprobe_request(struct uprobes *u, const char *text, struct events *events);

/* "[BINARY:]PROVIDER:NAME" in parts, which lie in copy; binary is NULL when there is none. */
struct usdt_spec {
	char *copy;
	const char *binary, *provider, *name;
};
must_check int usdt_spec_parse(const char *text, struct usdt_spec *ret);
void usdt_spec_free(struct usdt_spec *s);
/* Each static probe of b that matches the two globs. -ENOENT: none does. */
must_check int userprobe_usdt(struct uprobes *u, const struct binary *b, const struct usdt_spec *s,
			      struct events *events);
/* The same of the binary that s names. */
must_check int userprobe_usdt_named(struct uprobes *u, const struct usdt_spec *s,
				    struct events *events);
