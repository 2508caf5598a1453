// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/qemuargs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Is argv[*at] the option (with one dash or two)? Its value is then argv[*at]. */
static const char *value_of(char *const argv[], size_t *at, const char *name)
{
	const char *a = argv[*at];

	if (*a++ != '-')
		return NULL;
	a += *a == '-';
	if (strcmp(a, name) || !argv[*at + 1])
		return NULL;
	return argv[++*at];
}

static bool is_flag(const char *a, const char *name)
{
	return *a == '-' && !strcmp(a + 1 + (a[1] == '-'), name);
}

/* The value of key in "first,key=VALUE,…", where commas in a value are doubled. NULL: not there, or no
 * memory. */
static char *key_value(const char *list, const char *key)
{
	size_t len = strlen(key), k = 0;
	const char *p = list;
	char *v;

	while (strncmp(p, key, len) || p[len] != '=') {
		p = strchr(p, ',');
		if (!p++)
			return NULL;
	}
	p += len + 1;
	v = malloc(strlen(p) + 1);
	for (; v && *p; p++) {
		if (*p == ',' && *++p != ',')
			break;
		v[k++] = *p;
	}
	if (v)
		v[k] = 0;
	return v;
}

/* Takes path over; NULL is no memory. */
static int add_monitor(struct qemuargs *a, char *path)
{
	if (!path)
		return -ENOMEM;
	if (*path && a->n_monitors < QEMUARGS_MONITORS_MAX)
		a->monitors[a->n_monitors++] = path;
	else
		free(path);
	return 0;
}

/* "unix:PATH,server=on": a comma in the path is doubled. */
static int take_qmp(struct qemuargs *a, const char *v)
{
	_cleanup_free_ char *list = NULL;
	size_t n = strlen("unix:");

	if (strncmp(v, "unix:", n))
		return 0;
	if (asprintf(&list, "path=%s", v + n) < 0) {
		list = NULL;
		return -ENOMEM;
	}
	return add_monitor(a, key_value(list, "path"));
}

/* libvirt opens its monitor's socket itself, or did so at a path of its own. */
static bool is_libvirts(const char *chardev, const char *path)
{
	_cleanup_free_ char *fd = key_value(chardev, "fd");

	return fd || (path && strstr(path, "/libvirt/"));
}

static bool has_id(const char *chardev, const char *id)
{
	_cleanup_free_ char *v = key_value(chardev, "id");

	return v && !strcmp(v, id);
}

/* -mon chardev=ID,mode=control: the chardev may come before or after. */
static int take_mon(struct qemuargs *a, char *const argv[], const char *mon, bool *libvirt)
{
	_cleanup_free_ char *mode = key_value(mon, "mode"), *id = key_value(mon, "chardev");

	if (!mode || strcmp(mode, "control"))
		return 0;
	for (size_t i = 0; argv[i]; i++) {
		const char *v = value_of(argv, &i, "chardev");
		_cleanup_free_ char *path = NULL;

		if (!v || strncmp(v, "socket,", 7) || !has_id(v, id ? id : mon))
			continue;
		path = key_value(v, "path");
		if (is_libvirts(v, path))
			*libvirt = true;
		else if (path)
			return add_monitor(a, TAKE_PTR(path));
	}
	return 0;
}

/* "guest=NAME,…" or "NAME,…" */
static char *name_of(const char *v)
{
	char *name = key_value(v, "guest");

	return name || strchr(v, '=') ? name : strndup(v, strcspn(v, ","));
}

static int replace(char **to, char *with)
{
	free(*to);
	*to = with;
	return with ? 0 : -ENOMEM;
}

int qemuargs_parse(char *const argv[], struct qemuargs *ret)
{
	_cleanup_qemuargs_ struct qemuargs a = {0};
	_cleanup_free_ char *name = NULL;
	bool libvirt = false;
	int r = 0;

	for (size_t i = argv[0] ? 1 : 0; argv[i] && !r; i++) {
		const char *v;

		if (is_flag(argv[i], "daemonize"))
			a.daemonize = true;
		else if ((v = value_of(argv, &i, "D")))
			r = replace(&a.log, strdup(v));
		else if ((v = value_of(argv, &i, "qmp")) || (v = value_of(argv, &i, "qmp-pretty")))
			r = take_qmp(&a, v);
		else if ((v = value_of(argv, &i, "mon")))
			r = take_mon(&a, argv, v, &libvirt);
		else if ((v = value_of(argv, &i, "name")))
			r = replace(&name, name_of(v) ?: strdup(""));
	}
	if (r)
		return r;
	if (libvirt && name && *name)
		a.domain = TAKE_PTR(name);
	*ret = a;
	a = (struct qemuargs){0};
	return 0;
}

void qemuargs_free(struct qemuargs *a)
{
	for (size_t i = 0; i < a->n_monitors; i++)
		free(a->monitors[i]);
	free(a->domain);
	free(a->log);
	*a = (struct qemuargs){0};
}
