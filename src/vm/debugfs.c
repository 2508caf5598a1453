// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/debugfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "vm/proc.h"

static void kvm_path(const struct vm_roots *roots, char *path, size_t n)
{
	snprintf(path, n, "%s/kvm", roots && roots->debugfs ? roots->debugfs : "/sys/kernel/debug");
}

static void dir_path(const struct vm_roots *roots, const struct debugfs_dir *dir, char *path,
		     size_t n)
{
	size_t k;

	kvm_path(roots, path, n);
	k = strlen(path);
	snprintf(path + k, n - k, "/%d-%d", dir->tid, dir->vm_fd);
}

int debugfs_list(const struct vm_roots *roots, struct debugfs_dirs *ret)
{
	_cleanup_dir_ DIR *d = NULL;
	char path[PATH_MAX];
	struct dirent *e;

	kvm_path(roots, path, sizeof(path));
	d = opendir(path);
	if (!d)
		return errno == EPERM ? -EACCES : -errno;
	while ((e = readdir(d))) {
		struct debugfs_dir dir, *p;
		int end = 0;

		if (sscanf(e->d_name, "%d-%d%n", &dir.tid, &dir.vm_fd, &end) != 2 ||
		    e->d_name[end] || dir.tid <= 0 || dir.vm_fd < 0)
			continue;
		p = array_add(ret);
		if (!p)
			return -ENOMEM;
		*p = dir;
	}
	return 0;
}

int debugfs_vcpu_ids(const struct vm_roots *roots, const struct debugfs_dir *dir, struct vcpus *ret)
{
	_cleanup_dir_ DIR *d = NULL;
	char path[PATH_MAX];
	struct dirent *e;
	unsigned id;
	int end;

	dir_path(roots, dir, path, sizeof(path));
	d = opendir(path);
	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		struct vcpu *v;

		end = 0;
		if (sscanf(e->d_name, "vcpu%u%n", &id, &end) != 1 || e->d_name[end])
			continue;
		v = array_add(ret);
		if (!v)
			return -ENOMEM;
		*v = (struct vcpu){.id = id, .fd = -1, .has_run = -1, .host_cpu = -1};
	}
	return 0;
}

static bool read_text(const char *dir, const char *file, char *buf, size_t n)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%s", dir, file);

	return len < (int)sizeof(path) && !file_read_line(AT_FDCWD, path, buf, n);
}

static void read_tsc(const char *dir, struct vcpu *vcpu)
{
	uint64_t ratio = 1, frac = 0;
	char text[64];
	int64_t offset;

	if (!read_text(dir, "tsc-offset", text, sizeof(text)) || text_to_s64(text, &offset))
		return;
	/* Both files are missing where the CPU cannot scale. */
	if (read_text(dir, "tsc-scaling-ratio", text, sizeof(text)) &&
	    (text_to_u64(text, &ratio) ||
	     !read_text(dir, "tsc-scaling-ratio-frac-bits", text, sizeof(text)) ||
	     text_to_u64(text, &frac) || frac > 63))
		return;
	vcpu->has_offset = true;
	vcpu->offset = offset;
	vcpu->ratio = ratio;
	vcpu->frac = (unsigned)frac;
}

void debugfs_read_vcpu(const struct vm_roots *roots, const struct debugfs_dir *dir, pid_t pid,
		       struct vcpu *vcpu)
{
	const char *proc = roots ? roots->proc : NULL;
	char path[PATH_MAX - 64], vcpu_dir[PATH_MAX], text[64];
	uint64_t tid;

	dir_path(roots, dir, path, sizeof(path));
	snprintf(vcpu_dir, sizeof(vcpu_dir), "%s/vcpu%u", path, vcpu->id);
	read_tsc(vcpu_dir, vcpu);
	if (!read_text(vcpu_dir, "pid", text, sizeof(text)) || text_to_u64(text, &tid) ||
	    tid > INT_MAX)
		return;
	vcpu->has_run = tid != 0;
	if (tid && proc_status_number(proc, (pid_t)tid, "Tgid") == pid)
		vcpu->tid = (pid_t)tid;
}

int vm_debugfs_state(const struct vm_roots *roots)
{
	struct debugfs_dirs dirs = {0};
	int r = debugfs_list(roots, &dirs);

	array_free(&dirs);
	return r;
}
