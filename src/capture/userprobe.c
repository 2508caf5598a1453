// SPDX-License-Identifier: GPL-2.0-or-later
/* BINARY:SYMBOL[%return][ ARGS]: from names to a uprobe. */
#include "capture/userprobe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mapped.h"

static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

int userprobe_find_program(const char *name, char **ret)
{
	const char *path = getenv("PATH") ?: "/bin:/usr/bin";

	if (strchr(name, '/')) {
		if (!is_program(name))
			return -ENOENT;
		*ret = strdup(name);
		return *ret ? 0 : -ENOMEM;
	}
	for (const char *p = path; *p; p += strcspn(p, ":")) {
		_cleanup_free_ char *file = NULL;

		p += *p == ':';
		if (asprintf(&file, "%.*s/%s", (int)strcspn(p, ":"), p, name) < 0) {
			file = NULL;
			return -ENOMEM;
		}
		if (is_program(file)) {
			*ret = TAKE_PTR(file);
			return 0;
		}
	}
	return -ENOENT;
}

static bool is_pid(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* A path, a pid, or a program's name. */
int userprobe_open(const char *name, struct binary *ret)
{
	_cleanup_free_ char *path = NULL;
	int e;

	if (is_pid(name)) {
		if (asprintf(&path, "/proc/%s/exe", name) < 0)
			path = NULL;
	} else {
		e = userprobe_find_program(name, &path);
		if (e == -ENOENT)
			path = strdup(name);
	}
	return path ? binary_open(path, name, ret) : -ENOMEM;
}

int userprobe_function(const struct binary *b, const char *symbol, struct elf_symbol *ret)
{
	struct elf_image e;
	int r = elf_open(mapped_bytes(b->map), b->n, &e);

	if (!r)
		r = elf_function(&e, symbol, ret);
	if (r)
		log_err("cannot probe \"%s\" of \"%s\": %s", symbol, b->path,
			r == -ENOEXEC	 ? "it is no 64-bit x86 program or library"
			: r == -ENOENT	 ? "its symbol tables have no such function (nm -D, nm)"
			: r == -ENOTUNIQ ? "there are several functions of that name"
					 : "its symbol table is damaged");
	return r;
}

int userprobe_add(struct uprobes *u, const char *text, struct events *events)
{
	struct probe_spec s = {0};
	struct binary b = {.fd = -1};
	struct elf_symbol sym;
	struct probe p = {0};
	int e = probe_spec_parse(text, &s);

	if (e == -EINVAL)
		log_err("\"%s\" is not BINARY:SYMBOL[%%return][ ARGS]; see onetsc record --help",
			text);
	if (!e && s.is_return && !uprobes_may_return())
		e = log_err_r(
			-EOPNOTSUPP,
			"no %%return on this kernel: a seccomp filter could kill a process that "
			"runs into the probe (repaired in 6.14)");
	if (!e)
		e = userprobe_open(s.binary, &b);
	if (!e)
		e = userprobe_function(&b, s.symbol, &sym);
	if (!e) {
		p = (struct probe){.offset = sym.offset, .is_return = s.is_return};
		e = asprintf(&p.name, "%s%s", s.symbol, s.is_return ? "_return" : "") < 0 ? -ENOMEM
											  : 0;
		p.args = s.args ? strdup(s.args) : NULL;
	}
	if (!e)
		e = uprobes_add(u, &b, &p, events);
	if (b.fd >= 0)
		binary_close(&b);
	probe_free(&p);
	probe_spec_free(&s);
	return e;
}
