// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/instance.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

#define PREFIX		  "onetsc-"
#define WATERMARK_PERCENT "25"

/* The usual place wins over debugfs/tracing, where the same file system may appear too. */
static char *find_mount(void)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	char *found = NULL;
	struct mntent *m;

	while (f && (m = getmntent(f))) {
		if (strcmp(m->mnt_type, "tracefs") ||
		    (found && strcmp(m->mnt_dir, "/sys/kernel/tracing")))
			continue;
		free(found);
		found = strdup(m->mnt_dir);
	}
	if (f)
		endmntent(f);
	return found;
}

int tracefs_find(char **ret)
{
	_cleanup_free_ char *root = find_mount(), *instances = NULL;

	if (!root) {
		log_err("tracefs is not mounted; as root: mount -t tracefs nodev "
			"/sys/kernel/tracing");
		return -ENODEV;
	}
	if (asprintf(&instances, "%s/instances", root) < 0) {
		instances = NULL;
		return -ENOMEM;
	}
	if (access(instances, W_OK))
		return log_err_r(-errno, "cannot create a trace instance in \"%s\": %m%s",
				 instances, errno == EACCES ? " (run as root)" : "");
	*ret = TAKE_PTR(root);
	return 0;
}

static bool is_ours(const char *path)
{
	const char *base = strrchr(path, '/');
	static const char parent[] = "/instances";

	if (!base || strncmp(base + 1, PREFIX, strlen(PREFIX)))
		return false;
	if (!isdigit((unsigned char)base[1 + strlen(PREFIX)]))
		return false;
	return base - path >= (ptrdiff_t)strlen(parent) &&
	       !strncmp(base - strlen(parent), parent, strlen(parent));
}

int instance_undo(const char *text)
{
	if (!is_ours(text))
		return -EINVAL;
	return rmdir(text) && errno != ENOENT ? -errno : 0;
}

static int set_knob(const struct instance *i, const char *file, const char *value)
{
	int r = file_write_str(i->dirfd, file, value);

	if (r)
		log_errno(r, "cannot write \"%s\" to \"%s/%s\": %m", value, i->path, file);
	return r;
}

static int set_clock(const struct instance *i)
{
	int r = file_write_str(i->dirfd, "trace_clock", "x86-tsc");

	if (r == -EINVAL)
		log_err("this kernel's ftrace has no clock \"x86-tsc\" (see \"%s/trace_clock\"): "
			"its events cannot be ordered with another machine's",
			i->path);
	else if (r)
		log_errno(r, "cannot set the clock of \"%s\": %m", i->path);
	return r;
}

static int set_buffer(struct instance *i, uint64_t bytes)
{
	char text[32];
	int r;

	i->buffer_bytes = bytes;
	snprintf(text, sizeof(text), "%llu", (unsigned long long)((bytes + 1023) / 1024));
	r = file_write_str(i->dirfd, "buffer_size_kb", text);
	if (r)
		log_errno(r, "cannot give each CPU a trace buffer of %s KiB: %m; choose less",
			  text);
	return r;
}

/* When poll(2) on a CPU's pages wakes; the kernel's own 50 does too. */
static void set_watermark(const struct instance *i)
{
	int r = file_write_str(i->dirfd, "buffer_percent", WATERMARK_PERCENT);

	if (r)
		log_debug("%s: buffer_percent: %s", i->path, strerror(-r));
}

/* Number of per_cpu/cpuN directories, which the kernel makes for all possible CPUs. */
static int count_cpus(struct instance *i)
{
	_cleanup_dir_ DIR *d = NULL;
	int fd = openat(i->dirfd, "per_cpu", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	unsigned cpu;

	if (fd < 0)
		return log_err_r(-errno, "cannot read \"%s/per_cpu\": %m", i->path);
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return -ENOMEM;
	}
	while ((e = readdir(d)))
		if (sscanf(e->d_name, "cpu%u", &cpu) == 1 && cpu < 65536 && cpu >= i->cpus)
			i->cpus = cpu + 1;
	return i->cpus ? 0 : log_err_r(-ENODEV, "\"%s/per_cpu\" names no CPU", i->path);
}

/* buffer_subbuf_size_kb came with 6.8; before, a ring-buffer page is a page. */
static void read_page_size(struct instance *i)
{
	unsigned long long kb;

	i->page_bytes = (uint32_t)sysconf(_SC_PAGESIZE);
	if (!file_read_u64(i->dirfd, "buffer_subbuf_size_kb", &kb) && kb && kb <= 1024)
		i->page_bytes = (uint32_t)kb * 1024;
}

static int set_up(struct instance *i, const struct instance_spec *spec)
{
	int r = set_knob(i, "tracing_on", "0"); /* a new instance is on */

	if (!r)
		r = set_clock(i);
	if (!r)
		r = set_knob(i, "options/overwrite", spec->overwrite ? "1" : "0");
	if (!r)
		r = set_buffer(i, spec->buffer_bytes);
	if (!r)
		r = count_cpus(i);
	if (r)
		return r;
	set_watermark(i);
	read_page_size(i);
	return 0;
}

static int make_dir(struct instance *i)
{
	int r = journal_push(i->journal, INSTANCE_UNDO, &i->undo_id, "%s", i->path);

	if (r)
		return log_err_r(r, "cannot write the undo journal: %m");
	if (mkdir(i->path, 0700)) {
		r = log_err_r(-errno, "cannot create the trace instance \"%s\": %m", i->path);
		journal_done(i->journal, i->undo_id);
		return r;
	}
	i->dirfd = open(i->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (i->dirfd >= 0)
		return 0;
	r = log_err_r(-errno, "cannot open \"%s\": %m", i->path);
	if (!rmdir(i->path))
		journal_done(i->journal, i->undo_id);
	return r;
}

static void instance_free(struct instance *i)
{
	if (i->dirfd >= 0)
		close(i->dirfd);
	free(i->name);
	free(i->path);
	free(i);
}

int instance_create(const struct instance_spec *spec, struct journal *journal,
		    struct instance **ret)
{
	struct instance *i = calloc(1, sizeof(*i));
	int r;

	if (!i)
		return -ENOMEM;
	i->dirfd = -1;
	i->journal = journal;
	if (asprintf(&i->name, PREFIX "%d-%s", getpid(), spec->kind) < 0)
		i->name = NULL;
	if (!i->name || asprintf(&i->path, "%s/instances/%s", spec->root, i->name) < 0)
		i->path = NULL;
	r = i->path ? make_dir(i) : -ENOMEM;
	if (r) {
		instance_free(i);
		return r;
	}
	r = set_up(i, spec);
	if (r) {
		instance_remove(i);
		return r;
	}
	*ret = i;
	return 0;
}

int instance_run(const struct instance *i, bool on)
{
	return set_knob(i, "tracing_on", on ? "1" : "0");
}

int instance_stats(const struct instance *i, unsigned cpu, struct instance_stats *ret)
{
	_cleanup_free_ char *text = NULL;
	struct instance_stats st = {0};
	unsigned long long v;
	char path[64], *save = NULL;
	int r;

	snprintf(path, sizeof(path), "per_cpu/cpu%u/stats", cpu);
	r = file_read(i->dirfd, path, 4096, &text, NULL);
	if (r)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "overrun: %llu", &v) == 1)
			st.overrun = v;
		else if (sscanf(line, "commit overrun: %llu", &v) == 1 ||
			 sscanf(line, "dropped events: %llu", &v) == 1)
			st.dropped += v;
		else if (sscanf(line, "read events: %llu", &v) == 1)
			st.events = v;
	}
	*ret = st;
	return 0;
}

int instance_remove(struct instance *i)
{
	int r = 0;

	if (!i)
		return 0;
	if (i->dirfd >= 0) {
		close(i->dirfd);
		i->dirfd = -1;
	}
	if (rmdir(i->path))
		r = log_err_r(-errno,
			      "cannot remove the trace instance \"%s\": %m; the next run or "
			      "onetsc restore tries again",
			      i->path);
	else
		journal_done(i->journal, i->undo_id);
	instance_free(i);
	return r;
}
