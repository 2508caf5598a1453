// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "session/session_json.h"

/* Bounds the memory that parsing a hostile file takes; 65536 pairs need 9 MiB. */
#define JSON_BYTES_MAX (16u << 20)

int session_create_dir(const char *path)
{
	if (!mkdir(path, 0700))
		return 0;
	if (errno == EEXIST)
		return log_err_r(-EEXIST,
				 "cannot create the session \"%s\": it exists; choose another name "
				 "or remove it",
				 path);
	return log_err_r(-errno, "cannot create the session \"%s\": %m", path);
}

static int open_dir(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int write_json(int dirfd, const struct strbuf *b)
{
	static const char tmp[] = "session.json.tmp";
	_cleanup_fd_ int fd = -1;
	int r;

	unlinkat(dirfd, tmp, 0);
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = fd_write_all(fd, b->s, b->n);
	if (!r && fsync(fd))
		r = -errno;
	if (!r && renameat(dirfd, tmp, dirfd, "session.json"))
		r = -errno;
	if (r)
		unlinkat(dirfd, tmp, 0);
	else if (fsync(dirfd))
		r = -errno;
	return r;
}

int session_save(const struct session *s, const char *path)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	_cleanup_session_ struct session again = {0};
	_cleanup_fd_ int dirfd = -1;
	struct session_why why = {0};
	int r;

	session_to_json(s, &b);
	if (b.failed)
		return log_err_r(-ENOMEM, "cannot save the session \"%s\": %m", path);
	/* What is written must be readable: the reader itself is asked. */
	if (b.n > JSON_BYTES_MAX || session_from_json(b.s, b.n, &again, &why)) {
		log_err("cannot save the session \"%s\": %s", path,
			why.text[0] ? why.text : "it is too large");
		return -EINVAL;
	}
	dirfd = open_dir(path);
	r = dirfd < 0 ? dirfd : write_json(dirfd, &b);
	return r ? log_err_r(r, "cannot save \"%s/session.json\": %m", path) : 0;
}

/* Never follows a link nor waits in a FIFO: the directory may come from anyone. */
static int read_json(int dirfd, char **ret, size_t *ret_n)
{
	_cleanup_fd_ int fd =
		openat(dirfd, "session.json", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size > JSON_BYTES_MAX)
		return -EFBIG;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return -ENOMEM;
	r = fd_read_all(fd, text, (size_t)st.st_size);
	if (r)
		return r;
	*ret = TAKE_PTR(text);
	*ret_n = (size_t)st.st_size;
	return 0;
}

int session_load(const char *path, struct session *ret)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int dirfd = open_dir(path);
	struct session_why why = {0};
	size_t n = 0;
	int r;

	if (dirfd < 0)
		return log_err_r(dirfd, "cannot open the session \"%s\": %m", path);
	r = read_json(dirfd, &text, &n);
	if (r == -ENOENT)
		return log_err_r(
			r,
			"\"%s\" is not a session: it has no session.json; a session is the "
			"directory that onetsc record made",
			path);
	if (r)
		return log_err_r(r, "cannot read \"%s/session.json\": %m", path);
	r = session_from_json(text, n, ret, &why);
	if (r)
		log_err("cannot use \"%s/session.json\": %s", path, why.text);
	return r;
}

static void machine_free(struct session_machine *m)
{
	array_for_each(p, &m->parts) {
		free(p->file);
		array_free(&p->cpus);
		array_free(&p->vcpus);
	}
	array_free(&m->parts);
	free(m->name);
	free(m->file);
	free(m->vmm);
	free(m->why_missing);
	array_free(&m->cpus);
	array_free(&m->vcpus);
	array_free(&m->tids);
}

void session_free(struct session *s)
{
	if (!s)
		return;
	free(s->tool);
	free(s->command);
	free(s->clocksource);
	free(s->offsets_file);
	array_for_each(m, &s->machines)
		machine_free(m);
	array_free(&s->machines);
	array_free(&s->pairs);
	*s = (struct session){0};
}
