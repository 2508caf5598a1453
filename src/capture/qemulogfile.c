// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/qemulogfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "vm/proc.h"

#define STDERR_NAME "/proc/self/fd/2"
#define NULL_NAME   "/dev/null"

uid_t qemulogfile_uid(pid_t pid)
{
	char text[64];
	unsigned ids[4];

	if (proc_status(NULL, pid, "Uid", text, sizeof(text)) ||
	    sscanf(text, "%u %u %u %u", ids, ids + 1, ids + 2, ids + 3) != 4)
		return (uid_t)-1;
	return ids[3];
}

static bool may_write(const struct stat *st, uid_t uid)
{
	if (!uid)
		return true;
	return (st->st_uid == uid && (st->st_mode & S_IWUSR)) || (st->st_mode & S_IWOTH);
}

/* A name as QEMU sees it, as we do. */
static void seen_from_here(pid_t pid, const char *name, char buf[static PATH_MAX])
{
	if (!strncmp(name, "/proc/self/", 11))
		snprintf(buf, PATH_MAX, "/proc/%d/%s", pid, name + 11);
	else
		snprintf(buf, PATH_MAX, "/proc/%d/%s/%s", pid, *name == '/' ? "root" : "cwd", name);
}

/* Opening a pipe that nobody reads would block QEMU. */
static bool has_reader(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	return fd >= 0;
}

static bool is_open(pid_t pid, const struct stat *file)
{
	struct pids fds = {0};
	char dir[64], path[96];
	struct stat st;
	bool found = false;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	if (!proc_list(dir, &fds))
		array_for_each(fd, &fds) {
			snprintf(path, sizeof(path), "%s/%d", dir, *fd);
			found |= !stat(path, &st) && st.st_dev == file->st_dev &&
				 st.st_ino == file->st_ino;
		}
	array_free(&fds);
	return found;
}

/* NULL: it can be opened again, with the same effect. */
static const char *why_not(pid_t pid, const char *name)
{
	bool is_stderr = !strcmp(name, STDERR_NAME);
	char path[PATH_MAX];
	struct stat st;

	seen_from_here(pid, name, path);
	if (stat(path, &st))
		return "its log is not there any more";
	if (!may_write(&st, qemulogfile_uid(pid)))
		return "it may not open its log again";
	if (S_ISCHR(st.st_mode))
		return NULL;
	if (S_ISFIFO(st.st_mode) && is_stderr)
		return has_reader(path) ? NULL : "nobody reads the pipe that its log goes to";
	if (!S_ISREG(st.st_mode) || is_stderr)
		return is_stderr ? "its log goes to stderr, and it could not be told so again"
				 : "its log is no file that can be opened again";
	if (st.st_size)
		return "opening its log again would empty it";
	return is_open(pid, &st) ? NULL : "its log is another one than its command line names";
}

/* A descriptor whose file has that path, or ends with it. */
static int find_fd(pid_t pid, const char *path, bool at_end)
{
	struct pids fds = {0};
	char dir[64], name[96], link[PATH_MAX];
	size_t len = strlen(path);
	int found = -ENOENT;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	if (proc_list(dir, &fds))
		return -ENOENT;
	array_for_each(fd, &fds) {
		ssize_t n;

		snprintf(name, sizeof(name), "%s/%d", dir, *fd);
		n = readlink(name, link, sizeof(link) - 1);
		if (n < (ssize_t)len)
			continue;
		link[n] = 0;
		if (!strcmp(at_end ? link + n - len : link, path))
			found = *fd;
	}
	array_free(&fds);
	return found;
}

/* Another recording has it, or its user did the same by hand. */
static bool is_marked(pid_t pid)
{
	return find_fd(pid, "/trace_marker", true) >= 0;
}

int qemulogfile_find(pid_t pid, const struct qemuargs *args, char **ret_name, const char **ret_why)
{
	const char *name = args->log ?: args->daemonize ? NULL_NAME : STDERR_NAME, *why;

	why = strchr(name, '%') ? "the name of its log is a template"
	      : is_marked(pid)	? "its log is in a trace buffer already"
				: why_not(pid, name);
	if (why) {
		*ret_why = why;
		return -EOPNOTSUPP;
	}
	*ret_name = strdup(name);
	return *ret_name ? 0 : -ENOMEM;
}

bool qemulogfile_is_open(pid_t pid, const char *name)
{
	struct stat st;
	char path[PATH_MAX];

	seen_from_here(pid, name, path);
	return !stat(path, &st) && S_ISREG(st.st_mode) && is_open(pid, &st);
}

bool qemulogfile_is_safe(pid_t pid, const char *name)
{
	struct stat st;
	char path[PATH_MAX];

	if (!why_not(pid, name))
		return true;
	/* A file that is empty, and no longer open: what is asked for is to open it. */
	seen_from_here(pid, name, path);
	return !stat(path, &st) && S_ISREG(st.st_mode) && !st.st_size &&
	       strcmp(name, STDERR_NAME) != 0;
}

int qemulogfile_fd(pid_t pid, const char *path)
{
	return find_fd(pid, path, false);
}

char *qemulogfile_command(const char *name)
{
	char *text = malloc(2 * strlen(name) + 16), *p = text;

	if (!text)
		return NULL;
	p = stpcpy(p, "logfile \"");
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			*p++ = '\\';
		*p++ = *name;
	}
	*p++ = '"';
	*p = 0;
	return text;
}
