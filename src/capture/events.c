// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/events.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"

#define LIST_MAX (4u << 20)

static int compare(const void *va, const void *vb)
{
	const struct event *a = va, *b = vb;
	int c = strcmp(a->system, b->system);

	return c ? c : strcmp(a->name, b->name);
}

/* "SYSTEM:NAME", without the newline. */
static int add(struct events *list, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	struct event *ev;

	if (!colon || colon == line || colon + 1 == line + n)
		return 0;
	ev = array_add(list);
	if (!ev)
		return -ENOMEM;
	ev->system = strndup(line, (size_t)(colon - line));
	ev->name = strndup(colon + 1, n - (size_t)(colon + 1 - line));
	return ev->system && ev->name ? 0 : -ENOMEM;
}

int events_list(const char *dir, struct events *ret)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	_cleanup_events_ struct events list = {0};
	int r;

	if (asprintf(&path, "%s/available_events", dir) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = file_read(AT_FDCWD, path, LIST_MAX, &text, NULL);
	if (r)
		return r;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n");

		r = add(&list, p, n);
		if (r)
			return r;
		p += n + (p[n] == '\n');
	}
	if (list.n)
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

int events_require(struct events *e, const char *system, const char *condition)
{
	array_for_each(ev, e) {
		char *both;

		if (!ev->wanted || fnmatch(system, ev->system, 0))
			continue;
		if (asprintf(&both, ev->filter ? "%s && (%s)" : "%s", condition, ev->filter) < 0)
			return -ENOMEM;
		free(ev->filter);
		ev->filter = both;
	}
	return 0;
}

int events_leave_out_own_calls(struct events *e)
{
	char text[48];
	ssize_t n = readlink("/proc/self/ns/pid", text, sizeof(text) - 1);
	int r;

	/* Elsewhere our pid is somebody else's in the trace: include/linux/proc_ns.h, PROC_PID_INIT_INO. */
	text[n < 0 ? 0 : n] = 0;
	if (strcmp(text, "pid:[4026531836]") != 0)
		return 0;
	snprintf(text, sizeof(text), "common_pid != %d", getpid());
	r = events_require(e, "raw_syscalls", text);
	return r ? r : events_require(e, "syscalls", text);
}

size_t events_wanted(const struct events *e)
{
	size_t n = 0;

	array_for_each(ev, e)
		n += ev->wanted;
	return n;
}

int event_filter(const struct event *ev, const char *filter, const struct instance *i)
{
	char path[600];
	int r;

	snprintf(path, sizeof(path), "events/%s/%s/filter", ev->system, ev->name);
	r = file_write_str(i->dirfd, path, filter);
	return r ? log_err_r(r, "the kernel refuses the filter \"%s\" of %s:%s: %m", filter,
			     ev->system, ev->name)
		 : 0;
}

static int enable(const struct event *ev, const struct instance *i)
{
	int r = ev->filter ? event_filter(ev, ev->filter, i) : 0;
	char path[600];

	if (r)
		return r;
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
