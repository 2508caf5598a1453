// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/uprobes.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mapped.h"

#define LIST_MAX   (16u << 20)
#define BINARY_MAX (4ull << 30)
#define PAGE	   4096

struct uprobes {
	char *list; /* TRACEFS/uprobe_events */
	char group[32];
	struct journal *journal;
	uint64_t undo_id;
	unsigned made;
};

int binary_open(const char *path, const char *shown, struct binary *ret)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct mapped *map = NULL;
	struct stat st;
	int r = fd < 0 || fstat(fd, &st) ? -errno : 0;

	if (!r && (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > BINARY_MAX))
		r = -ENOEXEC;
	if (!r)
		r = mapped_new(fd, (size_t)st.st_size, &map);
	if (r)
		return log_err_r(r, "cannot read the program \"%s\": %m", shown);
	*ret = (struct binary){.fd = TAKE_FD(fd),
			       .dev = st.st_dev,
			       .ino = st.st_ino,
			       .path = strdup(shown),
			       .map = map,
			       .n = (size_t)st.st_size};
	if (ret->path)
		return 0;
	binary_close(ret);
	return -ENOMEM;
}

void binary_close(struct binary *b)
{
	mapped_free(b->map);
	if (b->fd >= 0)
		close(b->fd);
	free(b->path);
	*b = (struct binary){.fd = -1};
}

/* One command to uprobe_events. Never with O_TRUNC: that would delete everybody's probes. */
static int command(const char *list, const char *text)
{
	_cleanup_fd_ int fd = open(list, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	return n < 0 ? -errno : 0;
}

/* Deletes the group's probes; returns how many there were, or -errno of the first that stayed. */
static int delete_group(const char *list, const char *group)
{
	_cleanup_free_ char *text = NULL;
	int r = file_read(AT_FDCWD, list, LIST_MAX, &text, NULL), n = 0;

	if (r)
		return r;
	for (char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		char cmd[160];
		size_t len;
		const char *name = probe_line_name(p, group, &len);
		int err;

		if (!name)
			continue;
		snprintf(cmd, sizeof(cmd), "-:%s/%.*s", group, (int)len, name);
		err = command(list, cmd);
		r = err && err != -ENOENT && !r ? err : r;
		n++;
	}
	return r ? r : n;
}

static int has_group(const char *list, const char *group)
{
	_cleanup_free_ char *text = NULL;
	int r = file_read(AT_FDCWD, list, LIST_MAX, &text, NULL);
	size_t n;

	for (char *p = text; !r && *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (probe_line_name(p, group, &n))
			return -EEXIST;
	return r;
}

int uprobes_undo(const char *text)
{
	_cleanup_free_ char *list = NULL;
	const char *group = strrchr(text, ' ');
	size_t n = strlen(UPROBES_GROUP);
	int r;

	if (!group || strncmp(group + 1, UPROBES_GROUP, n) || !group[1 + n] ||
	    strspn(group + 1 + n, "0123456789") != strlen(group + 1 + n))
		return -EINVAL;
	if (asprintf(&list, "%.*s/uprobe_events", (int)(group - text), text) < 0) {
		list = NULL;
		return -ENOMEM;
	}
	r = delete_group(list, group + 1);
	return r == -ENOENT || r > 0 ? 0 : r;
}

static void uprobes_free(struct uprobes *u)
{
	free(u->list);
	free(u);
}

static int begin(struct uprobes *u, const char *tracefs)
{
	int r = has_group(u->list, u->group);

	if (r)
		return log_err_r(r, "cannot make uprobes as group \"%s\" in \"%s\": %m%s", u->group,
				 u->list,
				 r == -EEXIST ? "; delete those of that group, nobody runs under "
						"this pid but us"
					      : "");
	r = journal_push(u->journal, UPROBES_UNDO, &u->undo_id, "%s %s", tracefs, u->group);
	return r ? log_err_r(r, "cannot write the undo journal: %m") : 0;
}

int uprobes_open(const char *tracefs, struct journal *journal, struct uprobes **ret)
{
	struct uprobes *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -ENOMEM;
	u->journal = journal;
	snprintf(u->group, sizeof(u->group), UPROBES_GROUP "%d", getpid());
	if (asprintf(&u->list, "%s/uprobe_events", tracefs) < 0)
		u->list = NULL;
	r = u->list ? begin(u, tracefs) : -ENOMEM;
	if (r)
		uprobes_free(u);
	else
		*ret = u;
	return r;
}

/* The kernel reads the instruction and patches a copy of its page under the mmap locks of the
 * program's processes; with the pages in the cache it need not wait for the disk there. */
static void pre_read(int fd, uint64_t offset)
{
	char buf[PAGE];

	for (int i = 0; i < 2; i++)
		if (pread(fd, buf, sizeof(buf),
			  (off_t)((offset & ~(uint64_t)(PAGE - 1)) + i * PAGE)) < 0)
			return;
}

static bool is_taken(const struct events *e, const char *group, const char *name)
{
	array_for_each(ev, e)
		if (!strcmp(ev->system, group) && !strcmp(ev->name, name))
			return true;
	return false;
}

/* Two definitions of one name would become one event. */
static int name_once(const struct uprobes *u, struct probe *p, const struct events *e)
{
	char base[PROBE_NAME_MAX + 1];

	probe_name(p->name, base);
	free(p->name);
	p->name = strdup(base);
	for (unsigned i = 2; p->name && is_taken(e, u->group, p->name); i++) {
		free(p->name);
		if (asprintf(&p->name, "%s_%u", base, i) < 0)
			p->name = NULL;
	}
	return p->name ? 0 : -ENOMEM;
}

static int add_event(const struct uprobes *u, const struct probe *p, struct events *events)
{
	struct event *ev = array_add(events);

	if (!ev)
		return -ENOMEM;
	ev->system = strdup(u->group);
	ev->name = strdup(p->name);
	ev->wanted = true;
	if (ev->system && ev->name)
		return 0;
	free(ev->system);
	free(ev->name);
	events->n--;
	return -ENOMEM;
}

int uprobes_add(struct uprobes *u, const struct binary *b, struct probe *p, struct events *events)
{
	_cleanup_strbuf_ struct strbuf text = {0};
	char file[40];
	int r = name_once(u, p, events);

	snprintf(file, sizeof(file), "/proc/%d/fd/%d", getpid(), b->fd);
	probe_define(&text, u->group, file, p);
	if (r || text.failed)
		return -ENOMEM;
	pre_read(b->fd, p->offset);
	r = command(u->list, text.s);
	if (r)
		return log_err_r(r,
				 "the kernel refuses the probe \"%s\" of \"%s\": %m (the reason is "
				 "at the end of \"%.*s/error_log\")",
				 text.s, b->path, (int)(strrchr(u->list, '/') - u->list), u->list);
	u->made++;
	return add_event(u, p, events);
}

int uprobes_close(struct uprobes *u)
{
	int r = 0;

	if (!u)
		return 0;
	if (u->made)
		r = delete_group(u->list, u->group);
	if (r < 0)
		log_errno(r,
			  "cannot delete the uprobes of group \"%s\": %m; the next run or onetsc "
			  "restore tries again",
			  u->group);
	else
		journal_done(u->journal, u->undo_id);
	uprobes_free(u);
	return r < 0 ? r : 0;
}

bool uprobes_return_is_safe(const char *release)
{
	unsigned major, minor;

	return sscanf(release, "%u.%u", &major, &minor) == 2 &&
	       (major != 6 || minor < 11 || minor >= 14);
}

bool uprobes_may_return(void)
{
	struct utsname u;

	return !uname(&u) && uprobes_return_is_safe(u.release);
}
