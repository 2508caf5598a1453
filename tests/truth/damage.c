// SPDX-License-Identifier: GPL-2.0-or-later
/* Damages the host's file of a made-up world in every way and reads it: cut at every kind of place, bits
 * turned in every kind of section, bytes of another machine. Whatever comes out must be events that
 * were in the file, in their order; what is missing must be said, on the screen with file and byte
 * and in the lane as lost. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "files.h"
#include "source/source.h"
#include "timeline/input.h"

#define PAGE_EVENTS (2 * 4096 / 16) /* at most, and a table of places */

struct damage {
	struct world w;
	char dir[4200], path[4300];
	struct bytes whole;
	size_t data_at; /* of the first CPU */
	/* of one reading */
	char said[8192];
	bool opened, mark;
	uint64_t good, events; /* known events; all */
	unsigned faults, tests;
	const char *what;
	uint64_t at;
};

static void fault(struct damage *d, const char *why)
{
	if (d->faults++ < 10)
		printf("# %s at byte %llu: %s; said: %s\n", d->what, (unsigned long long)d->at, why,
		       d->said);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int put_file(const char *path, const uint8_t *p, size_t n)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return -errno;
	return fd_write_all(fd, p, n);
}

static int get_file(const char *path, struct bytes *ret)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (bytes_add(ret, NULL, (size_t)st.st_size))
		return -ENOMEM;
	n = read(fd, ret->v, ret->n);
	return n == st.st_size ? 0 : -EIO;
}

/* --- one reading --- */

static const struct truth_lane *lane_of(const struct damage *d, const struct source_lane *l)
{
	if (l->cpu >= d->w.host_cpus)
		return NULL;
	return *l->buffer ? &d->w.instance[l->cpu] : &d->w.host[l->cpu];
}

/* How many of the lane's events come out, from *next on: each one at most once and in order. */
static void match(struct damage *d, const struct truth_lane *l, size_t *next,
		  const struct source_item *it)
{
	d->events++;
	for (size_t i = *next; l && i < l->events.n; i++) {
		const struct truth_event *e = &l->events.v[i];

		if (e->size != it->size || memcmp(e->data, it->data, it->size) ||
		    e->stamp != it->raw_ticks)
			continue;
		*next = i + 1;
		d->good++;
		return;
	}
}

static int read_lane(struct damage *d, struct source *s, size_t lane)
{
	_cleanup_source_cursor_ struct source_cursor *c = NULL;
	const struct truth_lane *l = lane_of(d, &source_facts(s)->lanes[lane]);
	struct source_item items[64];
	size_t next = 0;
	int n = source_cursor_new(s, lane, NULL, &c);

	if (n)
		return n;
	while ((n = source_cursor_read(c, items, 64)) > 0)
		for (int i = 0; i < n; i++)
			if (items[i].flags & ITEM_LOST)
				d->mark = true;
			else
				match(d, l, &next, &items[i]);
	return n;
}

static void read_all(struct damage *d)
{
	_cleanup_source_ struct source *s = NULL;
	int r = source_open(d->path, &s);

	d->opened = !r;
	for (size_t i = 0; !r && i < source_facts(s)->n_lanes; i++)
		r = read_lane(d, s, i);
	if (d->opened && r)
		fault(d, "the file opened but could not be read");
}

/* Reads the file; what the reader says is in d->said. */
static void try(struct damage *d, const uint8_t *p, size_t n)
{
	char log[4300];
	_cleanup_fd_ int err = dup(STDERR_FILENO), out = -1;
	struct bytes said = {0};

	d->good = d->events = 0;
	d->mark = d->opened = false;
	d->tests++;
	snprintf(log, sizeof(log), "%s/said", d->dir);
	out = open(log, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (err < 0 || out < 0 || put_file(d->path, p, n)) {
		fault(d, "cannot write the file");
		return;
	}
	dup2(out, STDERR_FILENO);
	read_all(d);
	dup2(err, STDERR_FILENO);
	snprintf(d->said, sizeof(d->said), "nothing");
	if (!get_file(log, &said) && said.n)
		snprintf(d->said, sizeof(d->said), "%.*s", (int)said.n, (char *)said.v);
	free(said.v);
}

/* 'onetsc: LEVEL: "FILE": byte N' or '… ends at byte N', some N inside the whole file. */
static bool names_place(const struct damage *d)
{
	const char *at = strstr(d->said, d->path);

	while (at && (at = strstr(at, "byte "))) {
		char *end;

		at += strlen("byte ");
		if (strtoull(at, &end, 10) <= d->whole.n && end > at)
			return true;
	}
	return false;
}

static void check_said(struct damage *d, bool must)
{
	if (!d->opened && !strstr(d->said, "error: "))
		fault(d, "did not open, without a word");
	if (must && !names_place(d))
		fault(d, "nothing names file and byte");
}

/* --- kinds of damage --- */

/* want: how many events are complete in the first n bytes; UINT64_MAX not known. */
static void cut(struct damage *d, size_t n, uint64_t want, uint64_t all)
{
	d->what = "cut";
	d->at = n;
	try(d, d->whole.v, n);
	if (n)
		check_said(d, d->good < all && n > 10);
	if (d->events != d->good)
		fault(d, "events that never were");
	if (want != UINT64_MAX && d->good < want)
		fault(d, "fewer events than are there");
	if (d->opened && d->good && d->good < all && !d->mark)
		fault(d, "no lane has a mark of lost events");
}

/* Every third byte of the first part, so that each field is cut; then steps, and around each page. */
static void cut_all(struct damage *d, uint64_t all)
{
	uint64_t last = 0;

	for (size_t n = 0; n < d->whole.n; n += n < 300 ? 3 : 997) {
		cut(d, n, last, all);
		last = d->good;
	}
	for (size_t n = 4096; n < d->whole.n; n += 4096)
		for (int k = -1; k <= 1; k++)
			cut(d, n + (size_t)k, UINT64_MAX, all);
	for (size_t n = d->whole.n - 200; n < d->whole.n; n += 7)
		cut(d, n, UINT64_MAX, all);
}

/* One bit: no crash, and if it opens events that were there; what is lost is said. */
static void flip(struct damage *d, size_t byte, unsigned bit, uint64_t all)
{
	d->what = "turned bit";
	d->at = byte;
	d->whole.v[byte] ^= (uint8_t)(1u << bit);
	try(d, d->whole.v, d->whole.n);
	d->whole.v[byte] ^= (uint8_t)(1u << bit);
	check_said(d, !d->opened && byte >= 10); /* those make a trace.dat */
	/* nothing protects the CPUs' data: a bit may make a page shorter, or an event a filler */
	if (d->opened && d->events < all && !d->mark && byte < d->data_at &&
	    !strstr(d->said, "warning: "))
		fault(d, "events are missing, and nobody says so");
	if (d->opened && byte >= d->data_at && d->w.form.packing == PACK_NONE &&
	    d->good + PAGE_EVENTS < all)
		fault(d, "more is lost than a page");
}

static void flip_all(struct damage *d, uint64_t all)
{
	size_t step = d->whole.n / 700 + 1;

	for (size_t i = 0; i < d->whole.n; i += i < 400 ? 1 : step)
		flip(d, i, (unsigned)(i * 7 % 8), all);
}

static void foreign(struct damage *d, const char *what, size_t at, uint8_t byte, const char *want)
{
	uint8_t was = d->whole.v[at];

	d->what = what;
	d->at = at;
	d->whole.v[at] = byte;
	try(d, d->whole.v, d->whole.n);
	d->whole.v[at] = was;
	check_said(d, true);
	if (d->opened || !strstr(d->said, want))
		fault(d, "not refused as it should be");
}

/* Each sentence names file and byte. */
static void foreign_all(struct damage *d)
{
	foreign(d, "version 5", 10, '5', "version of trace.dat that is not known");
	foreign(d, "version 8", 10, '8', "version of trace.dat that is not known");
	foreign(d, "big-endian", 12, 1, "big-endian machine");
	foreign(d, "long of 2 bytes", 13, 2, "a \"long\" of 2 bytes");
	d->what = "not a trace.dat";
	d->at = 0;
	try(d, (const uint8_t *)"#!/bin/sh\nexit 0\n", 17);
	if (d->opened || !strstr(d->said, "is not a trace file of a known format"))
		fault(d, "not refused as it should be");
	d->what = "empty";
	try(d, (const uint8_t *)"", 0);
	if (d->opened || !strstr(d->said, "is not a trace file of a known format"))
		fault(d, "not refused as it should be");
}

/* --- */

static uint64_t count_events(const struct world *w)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < w->host_cpus; i++)
		n += w->host[i].events.n + w->instance[i].events.n;
	return n;
}

/* Version 6: behind the table of places. Version 7: behind the header of the buffer's section. */
static size_t find_data(const struct damage *d)
{
	const uint8_t *p = d->whole.v, *v6 = memmem(p, d->whole.n, "flyrecord", 10);
	size_t at = 18;

	if (d->w.form.version == 6)
		return v6 ? (size_t)(v6 - p) + 10 + 16 * d->w.host_cpus : d->whole.n;
	for (unsigned i = 0; i < 2; i++) /* name and version of the compression */
		at += strlen((const char *)p + at) + 1;
	for (at += 8; at + 16 < d->whole.n && p[at] != 3;) {
		uint64_t n;

		memcpy(&n, p + at + 8, 8);
		at += 16 + n;
	}
	return at + 16;
}

static int run(struct damage *d, uint64_t seed, const struct truth_form *form)
{
	uint64_t all;
	int r;

	d->w = (struct world){.seed = seed, .session = true, .events = 1200};
	d->w.features = F_SCALING | F_STEPS;
	d->w.fixed_form = form;
	r = world_make(&d->w);
	if (!r)
		r = world_write(&d->w, d->dir);
	snprintf(d->path, sizeof(d->path), "%s/host.dat", d->dir);
	if (!r)
		r = get_file(d->path, &d->whole);
	if (r)
		return r;
	all = count_events(&d->w);
	d->data_at = find_data(d);
	d->what = "nothing";
	try(d, d->whole.v, d->whole.n);
	if (d->good != all || d->events != all || d->mark)
		fault(d, "the whole file is not read whole");
	cut_all(d, all);
	flip_all(d, all);
	foreign_all(d);
	return put_file(d->path, d->whole.v, d->whole.n); /* for KEEP=1 */
}

static bool run_form(unsigned number, const struct truth_form *form)
{
	static const char *const packings[] = {"plain", "zlib", "zstd"};
	const char *tmp = getenv("TMPDIR");
	char top[4100];
	struct damage d = {0};
	int r;

	snprintf(top, sizeof(top), "%s/damage-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top))
		return false;
	snprintf(d.dir, sizeof(d.dir), "%s/w", top);
	r = run(&d, 11 + number, form);
	if (r)
		printf("# cannot be made: %s\n", strerror(-r));
	printf("%s %u - version %u, %s%s: %u damaged files\n", r || d.faults ? "not ok" : "ok",
	       number, form->version, packings[form->packing],
	       form->instance ? ", two buffers" : "", d.tests);
	free(d.whole.v);
	world_free(&d.w);
	if (!getenv("KEEP"))
		nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return !r && !d.faults;
}

/* A session with one file that is nonsense: the others are read, and the exit status will tell. */
static bool session_goes_on(unsigned number)
{
	const char *tmp = getenv("TMPDIR");
	struct world w = {.seed = 5, .session = true, .events = 400, .features = F_STEPS};
	_cleanup_input_ struct input *in = NULL;
	char top[4000], dir[4100], path[4200];
	const char *list[1] = {dir};
	bool ok = false;

	snprintf(top, sizeof(top), "%s/damage-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top))
		return false;
	snprintf(dir, sizeof(dir), "%s/s.onetsc", top);
	snprintf(path, sizeof(path), "%s/guest-vm0.dat", dir);
	log_set_level(LOG_NONE);
	if (!world_make(&w) && !world_write(&w, dir) &&
	    !put_file(path, (const uint8_t *)"nonsense", 8) && !input_open(list, 1, &in))
		ok = in->machines.n == w.n_vms + 1 && in->machines.v[0].source &&
		     !in->machines.v[0].conflict && !in->machines.v[1].source &&
		     in->machines.v[1].conflict;
	world_free(&w);
	nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	printf("%s %u - a session with a guest's file that is nonsense\n", ok ? "ok" : "not ok",
	       number);
	return ok;
}

int main(void)
{
	static const struct truth_form forms[] = {
		{.version = 6},
		{.version = 6, .instance = true},
		{.version = 7},
		{.version = 7, .packing = PACK_ZLIB, .instance = true},
		{.version = 7, .packing = PACK_ZSTD},
	};
	bool ok = true;

	log_set_level(LOG_WARN);
	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++)
		ok &= run_form(i + 1, &forms[i]);
	ok &= session_goes_on(ARRAY_SIZE(forms) + 1);
	printf("1..%zu\n", ARRAY_SIZE(forms) + 1);
	return ok ? 0 : 1;
}
