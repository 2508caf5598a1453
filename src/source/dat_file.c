// SPDX-License-Identifier: GPL-2.0-or-later
/* trace.dat as a source: mapping, the first bytes, and what the other files of the reader fill in. */
#include "source/dat.h"

#include <event-parse.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a TSC is x86 only");

static const char dat_magic[] = "\x17\x08\x44tracing";
#define MAGIC_BYTES (sizeof(dat_magic) - 1)

static bool dat_probe(const char *path, const uint8_t *head, size_t n)
{
	return n >= MAGIC_BYTES && !memcmp(head, dat_magic, MAGIC_BYTES);
}

int dat_map_file(struct dat *d, const char *path, struct dat_map **ret)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct dat_map **slot, *m;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st))
		return log_err_r(-errno, "cannot open \"%s\": %m", path);
	if (!S_ISREG(st.st_mode))
		return log_err_r(-EINVAL, "\"%s\" is not a file", path);
	slot = array_add(&d->maps);
	m = slot ? calloc(1, sizeof(*m)) : NULL;
	if (!m)
		return -ENOMEM;
	*slot = m;
	m->path = strdup(path);
	if (!m->path)
		return -ENOMEM;
	if (st.st_size > 0) {
		r = mapped_new(fd, (size_t)st.st_size, &m->mapped);
		if (r)
			return log_err_r(r, "cannot map \"%s\": %m", path);
		m->p = mapped_bytes(m->mapped);
		m->n = (size_t)st.st_size;
	}
	*ret = m;
	return 0;
}

int dat_map_check(struct dat_map *m, bool look)
{
	size_t lost = SIZE_MAX;

	if (m->mapped)
		lost = look ? mapped_lost_now(m->mapped, m->path) : mapped_lost(m->mapped);
	if (lost == SIZE_MAX)
		return 0;
	if (!atomic_exchange(&m->told_cut, true))
		log_err("\"%s\": byte %zu: cannot be read any more; somebody cut the file, which "
			"had %zu bytes, or its disk fails",
			m->path, lost, m->n);
	return -EIO;
}

static int read_versions(struct dat *d, struct dat_in *in)
{
	const char *version;
	const uint8_t *b;

	if (!dat_in_magic(in, dat_magic, MAGIC_BYTES))
		return dat_err(d, 0, "not a trace.dat");
	version = dat_in_str(in);
	if (!version)
		return -ENODATA;
	if (strcmp(version, "6") && strcmp(version, "7"))
		return dat_err(d, MAGIC_BYTES, "a version of trace.dat that is not known (6, 7)");
	d->version = (unsigned)(*version - '0');
	b = dat_in_take(in, 2);
	if (!b || !dat_in_u32(in, &d->page_bytes))
		return -ENODATA;
	if (b[0])
		return dat_err(d, 12, "recorded on a big-endian machine, which has no TSC");
	if (b[1] != 4 && b[1] != 8)
		return dat_err(d, 13, "a \"long\" of %u bytes", b[1]);
	d->user_long = b[1];
	tep_set_long_size(d->tep, b[1]);
	tep_set_page_size(d->tep, (int)d->page_bytes);
	tep_set_file_bigendian(d->tep, TEP_LITTLE_ENDIAN);
	tep_set_local_bigendian(d->tep, TEP_LITTLE_ENDIAN);
	return 0;
}

static void publish(struct dat *d)
{
	struct source_facts *f = &d->s.facts;

	f->path = d->maps.v[0]->path;
	f->bytes_missing = d->bytes_missing;
	f->lanes = d->fact_lanes.v;
	f->n_lanes = d->fact_lanes.n;
	f->guests = d->guests.v;
	f->n_guests = d->guests.n;
	f->shifts = d->shifts.v;
	f->n_shifts = d->shifts.n;
}

static void tell_cut(const struct dat *d)
{
	const struct dat_map *m = d->maps.v[0];

	if (!d->lanes.n)
		log_warn("\"%s\": the file ends at byte %zu; no event of it is there", m->path,
			 m->n);
	else if (d->bytes_missing)
		log_warn("\"%s\": the file ends at byte %zu; from CPU %u on %llu of %llu bytes of "
			 "events are missing",
			 m->path, m->n, d->first_cut_cpu, (unsigned long long)d->bytes_missing,
			 (unsigned long long)d->bytes_wanted);
	else if (d->any_cut)
		log_warn("\"%s\": the file ends at byte %zu; events from CPU %u on are missing, "
			 "nothing tells how many",
			 m->path, m->n, d->first_cut_cpu);
}

int dat_read(struct dat *d)
{
	const struct dat_map *m = d->maps.v[0];
	struct dat_in in = {m->p, m->p, m->p + m->n, 0};
	int r;

	r = read_versions(d, &in);
	if (!r)
		r = d->version == 6 ? dat_v6_read(d, &in) : dat_v7_read(d, &in);
	if (r == -ENODATA) {
		if (!d->commit_bytes)
			return dat_err(d, m->n, "the file ends before its first event format");
		log_warn("\"%s\": the file ends at byte %llu, inside its descriptions; events "
			 "behind them are lost",
			 m->path, (unsigned long long)m->n);
		d->s.facts.truncated = true;
		r = 0;
	} else if (!r && d->s.facts.truncated) {
		tell_cut(d);
	}
	if (!r)
		r = dat_map_check(d->maps.v[0], true);
	if (r)
		return r;
	dat_stats_sort(d);
	r = dat_kinds_build(d);
	publish(d);
	return r;
}

static void dat_free(struct source *s)
{
	struct dat *d = (struct dat *)s;

	dat_kinds_free(d);
	dat_symbols_free(d);
	array_for_each(g, &d->guests) {
		free((char *)g->name);
		free((void *)g->cpus);
	}
	array_for_each(sh, &d->shifts)
		free((void *)sh->samples);
	array_for_each(n, &d->names)
		free(*n);
	array_for_each(m, &d->maps) {
		if (!*m)
			continue;
		mapped_free((*m)->mapped);
		free((*m)->path);
		free(*m);
	}
	array_for_each(own, &d->sections)
		free(*own);
	array_free(&d->sections);
	array_free(&d->guests);
	array_free(&d->shifts);
	comms_free(&d->comms);
	array_free(&d->names);
	array_free(&d->stats);
	array_free(&d->lists);
	array_free(&d->found);
	array_free(&d->maps);
	array_free(&d->buffers);
	array_for_each(l, &d->lanes)
		array_free(&l->kept.v);
	hold_put(d->room.hold);
	array_free(&d->lanes);
	array_free(&d->fact_lanes);
	free((char *)d->s.facts.uname);
	free((char *)d->s.facts.clock);
	if (d->plugins)
		tep_unload_plugins(d->plugins, d->tep);
	tep_free(d->tep);
	free(d);
}

/* What formats cannot be parsed is for -v to say. */
static void silence(void)
{
	tep_set_loglevel(TEP_LOG_NONE);
}

static int dat_open(const char *path, struct source **ret)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	_cleanup_source_ struct source *s = NULL;
	struct dat_map *map;
	struct dat *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return log_err_r(-ENOMEM, "cannot open \"%s\": %m", path);
	s = &d->s;
	d->s.ops = &source_tracedat;
	pthread_mutex_init(&d->symbols_lock, NULL);
	pthread_once(&once, silence);
	d->tep = tep_alloc();
	d->s.facts.uname = strdup("");
	d->s.facts.clock = strdup("");
	if (!d->tep || !d->s.facts.uname || !d->s.facts.clock)
		return log_err_r(-ENOMEM, "cannot open \"%s\": %m", path);
	r = dat_map_file(d, path, &map);
	if (!r)
		r = dat_read(d);
	if (r == -ENOMEM)
		log_errno(r, "cannot read \"%s\": %m", path);
	if (r)
		return r;
	*ret = TAKE_PTR(s);
	return 0;
}

static const char *dat_comm_of(const struct source *s, int pid)
{
	return pid ? comms_get(&((const struct dat *)s)->comms, pid) : "<idle>";
}

static void dat_comm_learn(struct source *s, int pid, const char *name, size_t n)
{
	comms_add(&((struct dat *)s)->comms, pid, name, n);
}

static struct tep_handle *dat_tep(const struct source *s, bool symbols)
{
	struct dat *d = (struct dat *)s;

	if (!d->plugins_loaded)
		d->plugins = tep_load_plugins(d->tep);
	d->plugins_loaded = true;
	if (symbols)
		dat_symbols_to_tep(d);
	return d->tep;
}

const struct source_ops source_tracedat = {
	.name = "trace.dat",
	.probe = dat_probe,
	.open = dat_open,
	.free = dat_free,
	.cursor_new = dat_cursor_new,
	.cursor_free = dat_cursor_free,
	.cursor_read = dat_cursor_read,
	.cursor_hold = dat_cursor_hold,
	.cursor_defer = dat_cursor_defer,
	.cursor_tell = dat_cursor_tell,
	.cursor_is_damaged = dat_cursor_is_damaged,
	.cursor_keep = dat_cursor_keep,
	.can_seek = dat_can_seek,
	.seek_scan = dat_seek_scan,
	.cursor_seek = dat_cursor_seek,
	.comm = dat_comm_of,
	.comm_learn = dat_comm_learn,
	.tep = dat_tep,
	.format = dat_format,
	.symbols = dat_symbols,
};
