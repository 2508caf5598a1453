// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/proc.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"

#define PF_IO_WORKER	  0x00000010u /* include/linux/sched.h, 5.12+ */
#define PF_USER_WORKER	  0x00004000u /* 6.4+ */
#define PROC_MAX_BYTES	  (1u << 20)
#define CMDLINE_MAX_BYTES (4u << 20)

static const char *root(const char *proc)
{
	return proc ? proc : "/proc";
}

int proc_stat_read(const char *proc, pid_t pid, pid_t tid, struct proc_stat *ret)
{
	char path[PATH_MAX], buf[1024], *p;
	int r;

	if (tid)
		snprintf(path, sizeof(path), "%s/%d/task/%d/stat", root(proc), pid, tid);
	else
		snprintf(path, sizeof(path), "%s/%d/stat", root(proc), pid);
	r = file_read_line(AT_FDCWD, path, buf, sizeof(buf));
	if (r)
		return r == -ENOENT ? -ESRCH : r;
	/* The name in parentheses may hold anything, also ")". */
	p = strrchr(buf, ')');
	if (!p || sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			 "%*d %" SCNu64 " %*u %*d %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u "
			 "%*u %*d %d",
			 &ret->state, &ret->flags, &ret->start_ticks, &ret->cpu) != 4)
		return -EBADMSG;
	return 0;
}

bool proc_is_kernel_worker(const struct proc_stat *s)
{
	return s->flags & (PF_IO_WORKER | PF_USER_WORKER);
}

int proc_status(const char *proc, pid_t pid, const char *key, char *buf, size_t n)
{
	_cleanup_free_ char *text = NULL;
	char path[PATH_MAX], *line, *save = NULL;
	size_t len = strlen(key);
	int r;

	snprintf(path, sizeof(path), "%s/%d/status", root(proc), pid);
	r = file_read(AT_FDCWD, path, PROC_MAX_BYTES, &text, NULL);
	if (r)
		return r == -ENOENT ? -ESRCH : r;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, key, len) || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		snprintf(buf, n, "%s", line);
		return 0;
	}
	return -ENOENT;
}

long proc_status_number(const char *proc, pid_t pid, const char *key)
{
	char buf[32];
	int64_t v;

	if (proc_status(proc, pid, key, buf, sizeof(buf)) || text_to_s64(buf, &v))
		return -ENOENT;
	return (long)v;
}

bool proc_has_shadow_stack(const char *proc, pid_t tid)
{
	char features[128];

	return !proc_status(proc, tid, "x86_Thread_features", features, sizeof(features)) &&
	       strstr(features, "shstk");
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

int proc_list(const char *path, struct pids *ret)
{
	_cleanup_dir_ DIR *d = opendir(path);
	struct dirent *e;
	uint64_t v;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		pid_t *p;

		if (e->d_name[0] < '0' || e->d_name[0] > '9' || text_to_u64(e->d_name, &v) ||
		    v > INT_MAX)
			continue;
		p = array_add(ret);
		if (!p)
			return -ENOMEM;
		*p = (pid_t)v;
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), compare_pids);
	return 0;
}

int proc_threads(const char *proc, pid_t pid, struct pids *ret)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/%d/task", root(proc), pid);
	r = proc_list(path, ret);
	return r == -ENOENT ? -ESRCH : r;
}

int proc_entry_point(const char *proc, pid_t pid, uint64_t *ret)
{
	_cleanup_free_ char *raw = NULL;
	char path[PATH_MAX];
	Elf64_auxv_t a;
	size_t n = 0;
	int r;

	snprintf(path, sizeof(path), "%s/%d/auxv", root(proc), pid);
	r = file_read(AT_FDCWD, path, 65536, &raw, &n);
	if (r)
		return r == -ENOENT ? -ESRCH : r;
	/* A 32-bit process has pairs of 32 bits here: read as 64-bit ones they give no such type. */
	for (size_t at = 0; at + sizeof(a) <= n; at += sizeof(a)) {
		memcpy(&a, raw + at, sizeof(a));
		if (a.a_type == AT_ENTRY && a.a_un.a_val) {
			*ret = a.a_un.a_val;
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

bool proc_syscall_read(const char *proc, pid_t pid, pid_t tid, struct proc_syscall *ret)
{
	char path[PATH_MAX], buf[256];
	struct proc_syscall s = {0};

	snprintf(path, sizeof(path), "%s/%d/task/%d/syscall", root(proc), pid, tid);
	if (file_read_line(AT_FDCWD, path, buf, sizeof(buf)))
		return false;
	if (sscanf(buf, "-1 %" SCNx64 " %" SCNx64, &s.sp, &s.pc) == 2) {
		s.nr = -1;
		*ret = s;
		return true;
	}
	if (sscanf(buf,
		   "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		   " %" SCNx64 " %" SCNx64,
		   &s.nr, &s.arg[0], &s.arg[1], &s.arg[2], &s.arg[3], &s.arg[4], &s.arg[5], &s.sp,
		   &s.pc) != 9)
		return false;
	*ret = s;
	return true;
}

int proc_argv(const char *proc, pid_t pid, char **ret_text, char ***ret_argv)
{
	_cleanup_free_ char *text = NULL;
	size_t len, n = 0, k = 0;
	char path[PATH_MAX], **argv;
	int r;

	snprintf(path, sizeof(path), "%s/%d/cmdline", root(proc), pid);
	r = file_read(AT_FDCWD, path, CMDLINE_MAX_BYTES, &text, &len);
	if (r)
		return r;
	for (size_t i = 0; i < len; i++)
		n += !text[i];
	argv = calloc(n + 2, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	for (size_t i = 0; i < len; i += strlen(text + i) + 1)
		argv[k++] = text + i;
	*ret_argv = argv;
	*ret_text = TAKE_PTR(text);
	return 0;
}
