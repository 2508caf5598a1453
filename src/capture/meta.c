// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/meta.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "base/log.h"

#define TEXTS_MAX 20000
#define TOTAL_MAX (128u << 20)

static const uint32_t max_bytes[META_KINDS] = {
	[META_HEADER_PAGE] = 64u << 10, [META_HEADER_EVENT] = 64u << 10, [META_FTRACE] = 256u << 10,
	[META_EVENT] = 256u << 10,	[META_KALLSYMS] = 64u << 20,	 [META_PRINTK] = 32u << 20,
	[META_CMDLINES] = 32u << 20,	[META_UNAME] = 4u << 10,	 [META_CLOCK] = 4u << 10,
};

static int emit_file(const char *dir, const char *file, enum wire_meta_kind kind,
		     const char *system, const char *name, meta_emit_fn *emit, void *ctx)
{
	_cleanup_free_ char *path = NULL, *text = NULL;
	size_t n;
	int r;

	if (asprintf(&path, "%s/%s", dir, file) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	r = file_read(AT_FDCWD, path, max_bytes[kind], &text, &n);
	if (r)
		return log_err_r(r, "cannot read \"%s\": %m", path);
	return emit(ctx, kind, system, name, text, n);
}

/* The kernel's own records (print, function …): readers know some of them by their formats only. */
static int gather_ftrace(const char *tracefs, meta_emit_fn *emit, void *ctx)
{
	_cleanup_free_ char *dir = NULL;
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *e;
	char file[300];
	int r = 0;

	if (asprintf(&dir, "%s/events/ftrace", tracefs) < 0) {
		dir = NULL;
		return -ENOMEM;
	}
	d = opendir(dir);
	if (!d)
		return log_err_r(-errno, "cannot read \"%s\": %m", dir);
	while (!r && (e = readdir(d))) {
		snprintf(file, sizeof(file), "%s/format", e->d_name);
		if (e->d_name[0] != '.' && !faccessat(dirfd(d), file, R_OK, 0))
			r = emit_file(dir, file, META_FTRACE, "ftrace", e->d_name, emit, ctx);
	}
	return r;
}

int meta_gather_events(const char *tracefs, const struct events *list, meta_emit_fn *emit,
		       void *ctx)
{
	char file[600];
	int r = 0;

	array_for_each(e, list) {
		if (!e->wanted)
			continue;
		snprintf(file, sizeof(file), "events/%s/%s/format", e->system, e->name);
		r = emit_file(tracefs, file, META_EVENT, e->system, e->name, emit, ctx);
		if (r)
			break;
	}
	return r;
}

static int gather_uname(meta_emit_fn *emit, void *ctx)
{
	char text[sizeof(struct utsname)];
	struct utsname u;

	if (uname(&u))
		return -errno;
	snprintf(text, sizeof(text), "%s %s %s %s", u.sysname, u.nodename, u.release, u.machine);
	return emit(ctx, META_UNAME, NULL, NULL, text, strlen(text));
}

int meta_gather(const char *tracefs, const struct instance *i, const struct events *e,
		meta_emit_fn *emit, void *ctx)
{
	int r = emit_file(tracefs, "events/header_page", META_HEADER_PAGE, NULL, NULL, emit, ctx);

	if (!r)
		r = emit_file(tracefs, "events/header_event", META_HEADER_EVENT, NULL, NULL, emit,
			      ctx);
	if (!r)
		r = gather_ftrace(tracefs, emit, ctx);
	if (!r)
		r = meta_gather_events(tracefs, e, emit, ctx);
	if (!r)
		r = emit_file(tracefs, "printk_formats", META_PRINTK, NULL, NULL, emit, ctx);
	if (!r)
		r = emit_file(i->path, "trace_clock", META_CLOCK, NULL, NULL, emit, ctx);
	return r ? r : gather_uname(emit, ctx);
}

static bool is_number(const char *s)
{
	return isdigit((unsigned char)*s);
}

static void add_threads(int proc_fd, const char *pid, struct strbuf *out)
{
	char path[300], comm[64];
	_cleanup_dir_ DIR *d = NULL;
	struct dirent *e;
	int fd;

	snprintf(path, sizeof(path), "%s/task", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return;
	}
	while ((e = readdir(d))) {
		if (!is_number(e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/comm", e->d_name);
		if (!file_read_line(fd, path, comm, sizeof(comm)))
			strbuf_printf(out, "%s %s\n", e->d_name, comm);
	}
}

/* The kernel remembers 128 names by default (saved_cmdlines_size, which is not ours to change), so
 * the living threads are added; where both know a thread the kernel's name, which comes later, is
 * the one that the recorded events had. */
int meta_gather_names(const char *tracefs, meta_emit_fn *emit, void *ctx)
{
	_cleanup_strbuf_ struct strbuf out = {0};
	_cleanup_free_ char *path = NULL, *saved = NULL;
	_cleanup_dir_ DIR *d = opendir("/proc");
	struct dirent *e;
	size_t n;

	if (asprintf(&path, "%s/saved_cmdlines", tracefs) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	while (d && (e = readdir(d)))
		if (is_number(e->d_name))
			add_threads(dirfd(d), e->d_name, &out);
	if (!file_read(AT_FDCWD, path, 1u << 20, &saved, &n))
		strbuf_add(&out, saved, n);
	if (out.failed)
		return -ENOMEM;
	return out.n ? emit(ctx, META_CMDLINES, NULL, NULL, out.s, out.n) : 0;
}

int meta_gather_symbols(meta_emit_fn *emit, void *ctx)
{
	_cleanup_free_ char *text = NULL;
	size_t n;
	int r = file_read(AT_FDCWD, "/proc/kallsyms", max_bytes[META_KALLSYMS], &text, &n);

	if (r == -ENOMEM)
		return r;
	return r || !n ? 0 : emit(ctx, META_KALLSYMS, NULL, NULL, text, n);
}

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* Pieces of one text come in a row, so the last one is nearly always it. */
static struct meta_text *find(struct meta *m, enum wire_meta_kind kind, const char *system,
			      const char *name)
{
	for (size_t i = m->texts.n; i-- > 0;) {
		struct meta_text *t = &m->texts.v[i];

		if (t->kind == kind && same(t->system, system) && same(t->name, name))
			return t;
		if (kind == META_EVENT || kind == META_FTRACE)
			return NULL;
	}
	return NULL;
}

static struct meta_text *add(struct meta *m, enum wire_meta_kind kind, const char *system,
			     const char *name)
{
	struct meta_text *t = array_add(&m->texts);

	if (!t)
		return NULL;
	t->kind = kind;
	t->system = system ? strdup(system) : NULL;
	t->name = name ? strdup(name) : NULL;
	return (system && !t->system) || (name && !t->name) ? NULL : t;
}

int meta_store(void *ctx, enum wire_meta_kind kind, const char *system, const char *name,
	       const char *text, size_t n)
{
	struct meta *m = ctx;
	struct meta_text *t;

	if (kind >= META_KINDS)
		return -EBADMSG;
	t = find(m, kind, system, name);
	if (!t && m->texts.n >= TEXTS_MAX)
		return -EFBIG;
	if (!t)
		t = add(m, kind, system, name);
	if (!t)
		return -ENOMEM;
	if (n > max_bytes[kind] - t->text.n || m->bytes + n > TOTAL_MAX)
		return -EFBIG;
	if (n)
		strbuf_add(&t->text, text, n);
	m->bytes += n;
	return t->text.failed ? -ENOMEM : 0;
}

struct name_line {
	unsigned long pid;
	const char *s;
	size_t n;
};
struct name_lines ARRAY(struct name_line);

static int compare_lines(const void *va, const void *vb)
{
	const struct name_line *a = va, *b = vb;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->s < b->s ? -1 : a->s > b->s;
}

/* Lines that do not begin with a number, or hold nothing but it, are dropped. */
static int split_lines(const struct strbuf *text, struct name_lines *ret)
{
	const char *end = text->s + text->n, *nl;

	for (const char *p = text->s; p < end; p = nl + 1) {
		struct name_line *l;
		char *after = NULL;
		unsigned long pid;

		nl = memchr(p, '\n', (size_t)(end - p)) ?: end;
		pid = is_number(p) ? strtoul(p, &after, 10) : ULONG_MAX;
		if (pid > INT32_MAX || after + 1 >= nl || *after != ' ')
			continue;
		l = array_add(ret);
		if (!l)
			return -ENOMEM;
		*l = (struct name_line){pid, p, (size_t)(nl - p)};
	}
	return 0;
}

static int unify(struct strbuf *text)
{
	struct name_lines lines = {0};
	struct strbuf out = {0};
	int r = split_lines(text, &lines);

	if (!r && lines.n)
		qsort(lines.v, lines.n, sizeof(*lines.v), compare_lines);
	for (size_t i = 0; !r && i < lines.n; i++) {
		if (i + 1 < lines.n && lines.v[i + 1].pid == lines.v[i].pid)
			continue;
		strbuf_add(&out, lines.v[i].s, lines.v[i].n);
		strbuf_add(&out, "\n", 1);
	}
	array_free(&lines);
	if (r || out.failed) {
		strbuf_free(&out);
		return -ENOMEM;
	}
	strbuf_free(text);
	*text = out;
	return 0;
}

int meta_unify_cmdlines(struct meta *m)
{
	array_for_each(t, &m->texts) {
		size_t before = t->text.n;
		int r = t->kind == META_CMDLINES && t->text.s ? unify(&t->text) : 0;

		if (r)
			return r;
		m->bytes -= before - t->text.n;
	}
	return 0;
}

static void text_free(struct meta_text *t)
{
	free(t->system);
	free(t->name);
	strbuf_free(&t->text);
}

void meta_drop(struct meta *m, enum wire_meta_kind kind)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->texts.n; i++) {
		struct meta_text *t = &m->texts.v[i];

		if (t->kind == kind) {
			m->bytes -= t->text.n;
			text_free(t);
		} else {
			m->texts.v[kept++] = *t;
		}
	}
	m->texts.n = kept;
}

struct wire_text meta_get(const struct meta *m, enum wire_meta_kind kind)
{
	array_for_each(t, &m->texts)
		if (t->kind == kind && t->text.s)
			return (struct wire_text){t->text.s, t->text.n};
	return (struct wire_text){"", 0};
}

static int compare(const void *va, const void *vb)
{
	const struct meta_text *a = va, *b = vb;
	int c;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	c = strcmp(a->system ?: "", b->system ?: "");
	return c ? c : strcmp(a->name ?: "", b->name ?: "");
}

void meta_sort(struct meta *m)
{
	if (m->texts.n)
		qsort(m->texts.v, m->texts.n, sizeof(*m->texts.v), compare);
}

void meta_free(struct meta *m)
{
	array_for_each(t, &m->texts)
		text_free(t);
	array_free(&m->texts);
	m->bytes = 0;
}
