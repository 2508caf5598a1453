// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/datfile.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

#define NAME_KEEP 180 /* bytes of a machine's name in a file name */

/* Views into a datfile's metadata, as the writer wants them. */
struct view {
	struct dat_meta meta;
	struct dat_text *formats, *stats;
	struct strbuf stats_text;
};

uint64_t datfile_random_id(void)
{
	uint64_t id = 0;

	while (!id)
		if (getrandom(&id, sizeof(id), 0) != sizeof(id))
			id = 0;
	return id;
}

char *datfile_guest_name(const char *machine, unsigned part)
{
	char safe[NAME_KEEP + 1], *name;
	int n;

	snprintf(safe, sizeof(safe), "%s", machine);
	for (char *p = safe; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			*p = '_';
	/* '+' is in no machine's part of a name. */
	n = part > 1 ? asprintf(&name, "guest-%s+%u.dat", safe, part)
		     : asprintf(&name, "guest-%s.dat", safe);
	return n < 0 ? NULL : name;
}

static struct dat_text text_of(const struct meta *m, enum wire_meta_kind kind)
{
	struct wire_text t = meta_get(m, kind);

	return (struct dat_text){NULL, t.s, t.n};
}

/* Formats lie in a row after meta_sort(): the kernel's own, then the others. */
static int view_formats(const struct meta *m, struct view *v)
{
	size_t n = 0, first = 0;

	v->formats = calloc(m->texts.n + 1, sizeof(*v->formats));
	if (!v->formats)
		return -ENOMEM;
	array_for_each(t, &m->texts) {
		if (t->kind != META_FTRACE && t->kind != META_EVENT)
			continue;
		first += t->kind == META_FTRACE;
		v->formats[n++] = (struct dat_text){t->system, t->text.s ?: "", t->text.n};
	}
	v->meta.ftrace = v->formats;
	v->meta.n_ftrace = first;
	v->meta.events = v->formats + first;
	v->meta.n_events = n - first;
	return 0;
}

/* As per_cpu/cpuN/stats would say it; trace-cmd shows it with --stat. */
static int view_stats(const struct datfile *f, struct view *v)
{
	size_t *at = calloc(f->cpus + 1, sizeof(*at));

	v->stats = calloc(f->cpus, sizeof(*v->stats));
	if (!at || !v->stats) {
		free(at);
		return -ENOMEM;
	}
	for (unsigned c = 0; c < f->stats.n; c++) {
		at[c] = v->stats_text.n;
		strbuf_printf(&v->stats_text,
			      "entries: 0\noverrun: %llu\ncommit overrun: 0\nbytes: %llu\n"
			      "dropped events: %llu\n",
			      (unsigned long long)f->stats.v[c].overrun,
			      (unsigned long long)f->stats.v[c].bytes,
			      (unsigned long long)f->stats.v[c].dropped);
	}
	at[f->stats.n] = v->stats_text.n;
	for (unsigned c = 0; c < f->stats.n && !v->stats_text.failed; c++)
		v->stats[c] = (struct dat_text){NULL, v->stats_text.s + at[c], at[c + 1] - at[c]};
	free(at);
	v->meta.cpustat = v->stats;
	return v->stats_text.failed ? -ENOMEM : 0;
}

static void view_free(struct view *v)
{
	free(v->formats);
	free(v->stats);
	strbuf_free(&v->stats_text);
}

static int view_make(struct datfile *f, const struct datfile_links *l, bool with_stats,
		     struct view *v)
{
	struct dat_meta *m = &v->meta;
	int r;

	*v = (struct view){0};
	r = meta_unify_cmdlines(&f->meta);
	if (r)
		return r;
	meta_sort(&f->meta);
	m->header_page = text_of(&f->meta, META_HEADER_PAGE);
	m->header_event = text_of(&f->meta, META_HEADER_EVENT);
	m->kallsyms = text_of(&f->meta, META_KALLSYMS);
	m->printk = text_of(&f->meta, META_PRINTK);
	m->cmdlines = text_of(&f->meta, META_CMDLINES);
	m->clock = text_of(&f->meta, META_CLOCK);
	m->uname = text_of(&f->meta, META_UNAME);
	m->cpus = f->cpus;
	m->page_bytes = f->page_bytes;
	m->trace_id = f->trace_id;
	m->mult = l->mult;
	m->shift = l->shift;
	m->guests = l->guests;
	m->n_guests = l->n_guests;
	m->host_trace_id = l->host_trace_id;
	m->cpu_offset = l->cpu_offset;
	m->shift_at[0] = l->shift_at[0];
	m->shift_at[1] = l->shift_at[1];
	r = view_formats(&f->meta, v);
	if (!r && with_stats && f->stats.n == f->cpus)
		r = view_stats(f, v);
	if (r)
		view_free(v);
	return r;
}

int datfile_create(struct datfile *f, int dirfd, const struct datfile_links *links)
{
	struct view v;
	int r;

	f->trace_id = datfile_random_id();
	for (unsigned c = (unsigned)f->stats.n; c < f->cpus; c++)
		if (!array_add(&f->stats))
			return -ENOMEM;
	r = view_make(f, links, false, &v);
	if (r)
		return log_err_r(r, "cannot write \"%s\": %m", f->name);
	r = datwriter_create(dirfd, f->name, &v.meta, &f->writer);
	view_free(&v);
	return r;
}

int datfile_update(struct datfile *f, const struct datfile_links *links)
{
	struct view v;
	int r = view_make(f, links, false, &v);

	if (r)
		return log_err_r(r, "cannot write \"%s\": %m", f->name);
	r = datwriter_update(f->writer, &v.meta);
	view_free(&v);
	return r;
}

int datfile_finish(struct datfile *f, const struct datfile_links *links)
{
	struct view v;
	int r = view_make(f, links, true, &v);

	if (r)
		return log_err_r(r, "cannot write \"%s\": %m", f->name);
	r = datwriter_finish(f->writer, &v.meta);
	view_free(&v);
	f->finished = !r;
	return r;
}

void datfile_free(struct datfile *f)
{
	datwriter_free(f->writer);
	meta_free(&f->meta);
	array_free(&f->stats);
	free(f->name);
	*f = (struct datfile){0};
}
