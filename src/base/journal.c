// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/array.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"

#define JOURNAL_MAX_BYTES (16u << 20)
#define OPEN_TRIES	  16

struct entry {
	uint64_t id;
	char *kind, *text;
};

struct entries ARRAY(struct entry);

struct journal {
	char *path;
	int fd;
	uint64_t next_id;
	struct entries open;
	pthread_mutex_t lock;
};

const char *journal_default_dir(void)
{
	static char dir[PATH_MAX];
	const char *run = getenv("XDG_RUNTIME_DIR");

	if (!geteuid())
		return "/run/onetsc";
	if (run && *run == '/')
		snprintf(dir, sizeof(dir), "%s/onetsc", run);
	else
		snprintf(dir, sizeof(dir), "/tmp/onetsc-%u", geteuid());
	return dir;
}

static void entry_free(struct entry *e)
{
	free(e->kind);
	free(e->text);
}

static void entries_free(struct entries *list)
{
	array_for_each(e, list)
		entry_free(e);
	array_free(list);
}

/* The directory may lie in a world-writable one: it must be a real directory of ours. */
static int dir_prepare(const char *dir)
{
	struct stat st;
	int r = dir_make(dir, 0700);

	if (r)
		return r;
	if (lstat(dir, &st))
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() ? 0 : -EPERM;
}

/* A locked file that has a name. Before it is locked, journal_restore() of another process may take it
 * for one that a dead owner left empty, and remove it: -EAGAIN. */
static int file_make(const char *dir, char **ret_path)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (asprintf(&path, "%s/%d-XXXXXX", dir, getpid()) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(path, O_CLOEXEC | O_APPEND);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &st))
		return -errno; /* -EAGAIN: it is being looked at, and will be removed */
	if (!st.st_nlink)
		return -EAGAIN;
	*ret_path = TAKE_PTR(path);
	return TAKE_FD(fd);
}

int journal_open(const char *dir, struct journal **ret)
{
	struct journal *j;
	char *path = NULL;
	int r = dir_prepare(dir), fd = -EAGAIN;

	if (r)
		return r;
	for (int i = 0; i < OPEN_TRIES && fd == -EAGAIN; i++)
		fd = file_make(dir, &path);
	if (fd < 0)
		return fd;
	j = calloc(1, sizeof(*j));
	if (!j) {
		unlink(path);
		free(path);
		close(fd);
		return -ENOMEM;
	}
	*j = (struct journal){.path = path, .fd = fd, .next_id = 1};
	pthread_mutex_init(&j->lock, NULL);
	*ret = j;
	return 0;
}

static int entry_add(struct entries *list, uint64_t id, const char *kind, const char *text)
{
	struct entry *e = array_add(list);

	if (!e)
		return -ENOMEM;
	e->id = id;
	e->kind = strdup(kind);
	e->text = strdup(text);
	if (e->kind && e->text)
		return 0;
	entry_free(e);
	list->n--;
	return -ENOMEM;
}

static void entry_remove(struct entries *list, uint64_t id)
{
	for (size_t i = 0; i < list->n; i++) {
		if (list->v[i].id != id)
			continue;
		entry_free(&list->v[i]);
		memmove(&list->v[i], &list->v[i + 1], (list->n - i - 1) * sizeof(*list->v));
		list->n--;
		return;
	}
}

/* Whole, or not at all: half a line would swallow the next one. */
static int line_write(int fd, const char *line, size_t n)
{
	struct stat st;
	int r = fstat(fd, &st) ? -errno : fd_write_all(fd, line, n);

	if (r && !ftruncate(fd, st.st_size))
		log_debug("undo journal: a line was taken back");
	return r;
}

int journal_push(struct journal *j, const char *kind, uint64_t *ret_id, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_strbuf_ struct strbuf line = {0};
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r < 0) {
		text = NULL;
		return -ENOMEM;
	}
	if (strchr(text, '\n') || strchr(kind, ' '))
		return -EINVAL;
	pthread_mutex_lock(&j->lock);
	strbuf_printf(&line, "+ %llu %s %s\n", (unsigned long long)j->next_id, kind, text);
	r = line.failed ? -ENOMEM : entry_add(&j->open, j->next_id, kind, text);
	if (!r) {
		r = line_write(j->fd, line.s, line.n);
		if (r)
			entry_remove(&j->open, j->next_id);
		else
			*ret_id = j->next_id++;
	}
	pthread_mutex_unlock(&j->lock);
	return r;
}

/* A lost "done" line only means one needless, harmless undo. */
static void done_write(int fd, uint64_t id)
{
	char line[32];
	int n = snprintf(line, sizeof(line), "- %llu\n", (unsigned long long)id);

	if (line_write(fd, line, (size_t)n))
		log_debug("undo journal: cannot write");
}

void journal_done(struct journal *j, uint64_t id)
{
	pthread_mutex_lock(&j->lock);
	entry_remove(&j->open, id);
	/* Those of long runs would grow without end. */
	if (j->open.n || ftruncate(j->fd, 0))
		done_write(j->fd, id);
	pthread_mutex_unlock(&j->lock);
}

unsigned journal_count(const struct journal *j)
{
	return (unsigned)j->open.n;
}

static int undo_entry(const struct entry *e, const struct journal_handler *h)
{
	for (; h->kind; h++)
		if (!strcmp(h->kind, e->kind))
			return h->undo(e->text);
	return -ENOTSUP;
}

/* fd: the file, to which what was undone is written: should it stay for others, that must not be
 * undone once more after somebody has changed the same thing again. */
static unsigned undo_all(struct entries *list, const struct journal_handler *handlers, int fd,
			 unsigned *undone)
{
	unsigned failed = 0;

	for (size_t i = list->n; i-- > 0;) {
		int r = undo_entry(&list->v[i], handlers);

		if (r) {
			log_errno(r, "cannot undo \"%s %s\": %m", list->v[i].kind, list->v[i].text);
			failed++;
		} else {
			++*undone;
			done_write(fd, list->v[i].id);
			entry_remove(list, list->v[i].id);
		}
	}
	return failed;
}

unsigned journal_unwind(struct journal *j, const struct journal_handler *handlers)
{
	unsigned undone = 0;

	return undo_all(&j->open, handlers, j->fd, &undone);
}

void journal_close(struct journal *j)
{
	if (!j)
		return;
	if (!j->open.n)
		unlink(j->path);
	close(j->fd);
	entries_free(&j->open);
	pthread_mutex_destroy(&j->lock);
	free(j->path);
	free(j);
}

/* One line of a journal file, NUL-terminated. A torn last line is ignored: its change was never made. */
static int parse_line(struct entries *list, char *line)
{
	unsigned long long id;
	char kind[64];
	int at = 0;

	if (sscanf(line, "- %llu", &id) == 1) {
		entry_remove(list, id);
		return 0;
	}
	if (sscanf(line, "+ %llu %63s %n", &id, kind, &at) != 2 || !at)
		return -EBADMSG;
	return entry_add(list, id, kind, line + at);
}

static int parse_file(const char *path, struct entries *list)
{
	_cleanup_free_ char *buf = NULL;
	char *p, *nl;
	int r = file_read(AT_FDCWD, path, JOURNAL_MAX_BYTES, &buf, NULL), err;

	for (p = buf; r != -ENOMEM && p && (nl = strchr(p, '\n')); p = nl + 1) {
		*nl = 0;
		err = parse_line(list, p);
		r = err ? err : r;
	}
	return r;
}

static int restore_file(const char *path, const struct journal_handler *handlers, unsigned *undone,
			unsigned *failed)
{
	_cleanup_fd_ int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	struct entries list = {0};
	unsigned bad;
	int r;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_EX | LOCK_NB))
		return 0; /* its owner lives */
	/* A line that cannot be read must not keep the others from being undone. */
	r = parse_file(path, &list);
	bad = undo_all(&list, handlers, fd, undone);
	*failed += bad;
	if (!bad && !r)
		unlink(path);
	entries_free(&list);
	return r;
}

int journal_restore(const char *dir, const struct journal_handler *handlers, unsigned *ret_undone,
		    unsigned *ret_failed)
{
	_cleanup_dir_ DIR *d = opendir(dir);
	struct dirent *e;
	int r = 0, err;

	*ret_undone = *ret_failed = 0;
	if (!d)
		return errno == ENOENT ? 0 : -errno;
	r = dir_prepare(dir);
	if (r)
		return r;
	while ((e = readdir(d))) {
		_cleanup_free_ char *path = NULL;

		if (e->d_name[0] == '.')
			continue;
		if (asprintf(&path, "%s/%s", dir, e->d_name) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		err = restore_file(path, handlers, ret_undone, ret_failed);
		if (err) {
			log_errno(err, "cannot read the undo journal \"%s\": %m", path);
			r = err;
		}
	}
	return r;
}
