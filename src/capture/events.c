// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/events.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"

static int compare(const void *va, const void *vb)
{
	const struct event *a = va, *b = vb;
	int c = strcmp(a->system, b->system);

	return c ? c : strcmp(a->name, b->name);
}

static bool is_event_dir(int dirfd, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/format", name);
	return !faccessat(dirfd, path, F_OK, 0);
}

/* System "ftrace" holds the kernel's own records (function, print …), which have no enable file. */
static int list_system(int events_fd, const char *system, struct events *ret)
{
	int fd = openat(events_fd, system, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *e;
	struct event *ev;

	if (fd < 0)
		return errno == ENOTDIR || errno == ENOENT ? 0 : -errno;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || !is_event_dir(dirfd(d), e->d_name))
			continue;
		ev = array_add(ret);
		if (!ev)
			return -ENOMEM;
		ev->system = strdup(system);
		ev->name = strdup(e->d_name);
		if (!ev->system || !ev->name)
			return -ENOMEM;
	}
	return 0;
}

int events_list(const char *dir, struct events *ret)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_dir_ DIR *d = NULL;
	_cleanup_events_ struct events list = {0};
	struct dirent *e;
	int r;

	if (asprintf(&path, "%s/events", dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	d = opendir(path);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "ftrace"))
			continue;
		r = list_system(dirfd(d), e->d_name, &list);
		if (r)
			return r;
	}
	qsort(list.v, list.n, sizeof(*list.v), compare);
	*ret = list;
	list = (struct events){0};
	return 0;
}

static bool is_system(const struct events *e, const char *word)
{
	array_for_each(ev, e)
		if (!fnmatch(word, ev->system, 0))
			return true;
	return false;
}

/* Splits "SYSTEM:EVENT if FILTER" in place. */
static void split(const struct events *e, char *pattern, const char **system, const char **name,
		  const char **filter)
{
	char *p = strstr(pattern, " if "), *colon;

	*filter = NULL;
	if (p) {
		*p = 0;
		*filter = p + strlen(" if ");
	}
	colon = strchr(pattern, ':');
	*system = *name = "*";
	if (colon) {
		*colon = 0;
		*system = pattern;
		if (colon[1])
			*name = colon + 1;
	} else if (is_system(e, pattern)) {
		*system = pattern;
	} else {
		*name = pattern;
	}
}

static int want(struct event *ev, const char *filter)
{
	ev->wanted = true;
	if (!filter)
		return 0;
	free(ev->filter);
	ev->filter = strdup(filter);
	return ev->filter ? 0 : -ENOMEM;
}

int events_want(struct events *e, const char *pattern)
{
	_cleanup_free_ char *copy = strdup(pattern);
	const char *system, *name, *filter;
	int n = 0;

	if (!copy)
		return -ENOMEM;
	split(e, copy, &system, &name, &filter);
	if (!*system || !*name)
		return -EINVAL;
	array_for_each(ev, e) {
		if (fnmatch(system, ev->system, 0) || fnmatch(name, ev->name, 0))
			continue;
		if (want(ev, filter))
			return -ENOMEM;
		n++;
	}
	return n;
}

size_t events_wanted(const struct events *e)
{
	size_t n = 0;

	array_for_each(ev, e)
		n += ev->wanted;
	return n;
}

static int enable(const struct event *ev, const struct instance *i)
{
	char path[600];
	int r = 0;

	if (ev->filter) {
		snprintf(path, sizeof(path), "events/%s/%s/filter", ev->system, ev->name);
		r = file_write_str(i->dirfd, path, ev->filter);
		if (r)
			return log_err_r(r, "the kernel refuses the filter \"%s\" of %s:%s: %m",
					 ev->filter, ev->system, ev->name);
	}
	snprintf(path, sizeof(path), "events/%s/%s/enable", ev->system, ev->name);
	r = file_write_str(i->dirfd, path, "1");
	return r ? log_err_r(r, "cannot enable %s:%s in \"%s\": %m", ev->system, ev->name, i->path)
		 : 0;
}

int events_enable(const struct events *e, const struct instance *i)
{
	array_for_each(ev, e) {
		int r = ev->wanted ? enable(ev, i) : 0;

		if (r)
			return r;
	}
	return 0;
}

void events_free(struct events *e)
{
	array_for_each(ev, e) {
		free(ev->system);
		free(ev->name);
		free(ev->filter);
	}
	array_free(e);
}
