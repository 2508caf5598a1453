// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/export_place.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

static int fail(const char *name, int err)
{
	return log_err_r(err, "cannot write \"%s\": %m", name);
}

/* A pipe, a terminal or a device is written to as it is. */
static int open_special(const char *name, struct export_place *p)
{
	p->fd = open(name, O_WRONLY | O_CLOEXEC);
	return p->fd < 0 ? fail(name, -errno) : 0;
}

static int make_tmp(const char *name, struct export_place *p)
{
	const char *slash = strrchr(name, '/');
	int dir = slash ? (int)(slash - name) + 1 : 0;

	if (asprintf(&p->tmp, "%.*s.%s.XXXXXX", dir, name, name + dir) < 0) {
		p->tmp = NULL;
		return fail(name, -ENOMEM);
	}
	p->final = strdup(name);
	if (!p->final)
		return fail(name, -ENOMEM);
	if (p->shape == EXPORT_DIR)
		return mkdtemp(p->tmp) ? 0 : fail(name, -errno);
	p->fd = mkostemp(p->tmp, O_CLOEXEC);
	return p->fd < 0 ? fail(name, -errno) : 0;
}

static int open_new(const char *name, struct export_place *p)
{
	int r = make_tmp(name, p);

	if (r) { /* the file is not there */
		free(p->tmp);
		p->tmp = NULL;
	}
	return r;
}

static int open_named(const char *name, struct export_place *p)
{
	struct stat st;

	if (stat(name, &st))
		return errno == ENOENT ? open_new(name, p) : fail(name, -errno);
	if (p->shape == EXPORT_DIR)
		return fail(name, -EEXIST);
	if (S_ISDIR(st.st_mode))
		return fail(name, -EISDIR);
	if (S_ISREG(st.st_mode))
		return open_new(name, p);
	if (p->shape == EXPORT_STREAM)
		return open_special(name, p);
	return log_err_r(-EINVAL, "cannot write \"%s\": this format needs a file of its own", name);
}

int export_place_open(const char *name, enum export_shape shape, struct export_place *ret)
{
	struct export_place p = {.fd = -1, .shape = shape};
	int r;

	if (!strcmp(name, "-")) {
		if (shape != EXPORT_STREAM)
			return log_err_r(-EINVAL,
					 "this format cannot be written to a pipe; name a file "
					 "with -o");
		p.fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		r = p.fd < 0 ? fail("standard output", -errno) : 0;
	} else {
		r = open_named(name, &p);
	}
	if (r)
		export_place_close(&p);
	else
		*ret = p;
	return r;
}

/* close(2) tells of errors that a network file system kept. */
static int finish_fd(struct export_place *p)
{
	int fd = TAKE_FD(p->fd);

	if (fd < 0)
		return 0;
	if (p->final && fsync(fd)) {
		int r = -errno;

		close(fd);
		return r;
	}
	return close(fd) && p->final ? -errno : 0;
}

int export_place_commit(struct export_place *p)
{
	int r = finish_fd(p);

	if (!r && p->final && rename(p->tmp, p->final))
		r = -errno;
	if (r)
		return fail(p->final ?: "standard output", r);
	free(p->tmp);
	p->tmp = NULL;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	if (remove(path))
		log_warn("cannot remove \"%s\": %m", path);
	return 0;
}

void export_place_close(struct export_place *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->tmp)
		nftw(p->tmp, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	free(p->tmp);
	free(p->final);
	*p = (struct export_place){.fd = -1};
}
