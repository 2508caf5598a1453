// SPDX-License-Identifier: GPL-2.0-or-later
/* From the file's name to bytes that can be read twice. */
#include "source/textlog_parts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "source/qemusimple.h"

static int open_temporary(void)
{
	return open(getenv("TMPDIR") ?: "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

/* What a pipe brings goes into a file without a name, to be read twice. */
static int spool(int from, int *ret)
{
	_cleanup_fd_ int to = open_temporary();
	char buf[65536];
	ssize_t n;

	if (to < 0)
		return -errno;
	while ((n = read(from, buf, sizeof(buf)))) {
		int r = n < 0 ? -errno : fd_write_all(to, buf, (size_t)n);

		if (r && r != -EINTR)
			return r;
	}
	*ret = TAKE_FD(to);
	return 0;
}

static int map_bytes(struct textlog *t, int fd, size_t n)
{
	int r = 0;

	t->p = NULL;
	t->n = 0;
	if (n)
		r = mapped_new(fd, n, &t->mapped);
	if (r)
		return log_err_r(r, "cannot map \"%s\": %m", t->spec.path);
	if (n)
		t->p = (const char *)mapped_bytes(t->mapped);
	t->n = n;
	return 0;
}

/* A simple trace is read as the text that it is turned into. */
static int map_simple(struct textlog *t)
{
	_cleanup_fd_ int to = open_temporary();
	struct source_facts *f = &t->s.facts;
	struct stat st;
	int r;

	if (to < 0)
		return log_err_r(-errno, "cannot convert \"%s\" in a temporary file: %m",
				 t->spec.path);
	r = qemusimple_to_text(t->spec.path, (const uint8_t *)t->p, t->n, t->spec.events, to,
			       &f->bytes_missing);
	if (!r)
		r = textlog_check(t);
	if (!r && fstat(to, &st))
		r = log_err_r(-errno, "cannot read the temporary file of \"%s\": %m", t->spec.path);
	if (r)
		return r;
	f->truncated = f->bytes_missing != 0;
	mapped_free(t->mapped);
	t->mapped = NULL;
	t->is_simple = t->is_copy = true;
	return map_bytes(t, to, (size_t)st.st_size);
}

int textlog_map(struct textlog *t)
{
	_cleanup_fd_ int fd = open(t->spec.path, O_RDONLY | O_CLOEXEC), spooled = -1;
	struct stat st;
	int r = 0;

	if (fd < 0 || fstat(fd, &st))
		return log_err_r(-errno, "cannot open \"%s\": %m", t->spec.path);
	if (S_ISDIR(st.st_mode))
		return log_err_r(-EISDIR, "cannot read \"%s\": %m", t->spec.path);
	if (!S_ISREG(st.st_mode)) {
		r = spool(fd, &spooled);
		if (r || fstat(spooled, &st))
			return log_err_r(r ?: -errno, "cannot copy \"%s\" to a temporary file: %m",
					 t->spec.path);
	}
	t->is_copy = spooled >= 0;
	r = map_bytes(t, t->is_copy ? spooled : fd, (size_t)st.st_size);
	if (!r && t->spec.is_qemu && qemusimple_probe((const uint8_t *)t->p, t->n))
		r = map_simple(t);
	return r;
}
