// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/seek.h"

#include "base/log.h"
#include "source/comms.h"

/* One lane's part of making an index. */
struct scan {
	struct job job;
	struct source *source;
	const struct tasks *tasks;
	size_t index;
	struct seek_lane *lane;
	struct comms known;
	int err;
};

static int add_name(struct scan *s, const struct source_item *it)
{
	const struct task_fields *f = &s->tasks->kinds[it->kind->index];
	struct seek_name *to;
	const void *name;
	size_t n;
	int pid;

	if (!f->pid)
		return 0;
	pid = (int)source_field_u64(f->pid, it->data);
	if (pid < 0 || comms_get(&s->known, pid))
		return 0;
	name = source_field_bytes(f->comm, it->data, it->size, &n);
	if (!name || !n)
		return 0;
	to = array_add(&s->lane->names);
	if (!to)
		return -ENOMEM;
	to->raw_ticks = it->raw_ticks;
	to->pid = pid;
	memcpy(to->name, name, n < sizeof(to->name) ? n : sizeof(to->name) - 1);
	comms_add(&s->known, pid, name, n);
	return 0;
}

static void take(void *arg, const struct source_item *items, unsigned n)
{
	struct scan *s = arg;

	for (unsigned i = 0; i < n && !s->err; i++)
		if (!(items[i].flags & ITEM_LOST))
			s->err = add_name(s, &items[i]);
}

static void scan_lane(struct job *j, unsigned worker)
{
	struct scan *s = (struct scan *)j;
	int r = source_seek_scan(s->source, s->index, &s->lane->places, take, s);

	s->err = s->err ?: r;
	comms_free(&s->known);
}

static int make(struct source *source, const struct tasks *tasks, struct crew *crew, struct seek *k)
{
	struct scan *scans = calloc(k->n + 1, sizeof(*scans));
	int r = scans ? 0 : -ENOMEM;

	for (size_t i = 0; i < k->n && !r; i++) {
		scans[i] = (struct scan){.job.run = scan_lane,
					 .source = source,
					 .tasks = tasks,
					 .index = i,
					 .lane = &k->lanes[i]};
		crew_submit(crew, &scans[i].job, false);
	}
	for (size_t i = 0; i < k->n && scans; i++) {
		crew_wait(crew, &scans[i].job);
		r = r ?: scans[i].err;
	}
	free(scans);
	return r;
}

static int make_and_keep(struct source *s, const struct tasks *tasks, struct crew *crew,
			 const char *path, struct seek **ret)
{
	struct seek *k = calloc(1, sizeof(*k));
	int r = -ENOMEM;

	if (k)
		k->lanes = calloc(source_facts(s)->n_lanes + 1, sizeof(*k->lanes));
	if (k && k->lanes) {
		k->n = source_facts(s)->n_lanes;
		log_debug("making the index \"%s\"", path);
		r = make(s, tasks, crew, k);
	}
	if (r) {
		seek_free(k);
		return r;
	}
	r = seek_save(path, k);
	if (r)
		log_debug("cannot keep the index \"%s\": %s", path, strerror(-r));
	*ret = k;
	return 0;
}

int seek_open(struct source *s, const struct tasks *tasks, struct crew *crew, struct seek **ret)
{
	const struct source_facts *f = source_facts(s);
	char path[4096];
	uint64_t bytes = 0;
	int r;

	*ret = NULL;
	for (size_t i = 0; i < f->n_lanes; i++)
		bytes += f->lanes[i].bytes;
	if (!source_can_seek(s) || bytes < SEEK_LEAST_BYTES ||
	    (size_t)snprintf(path, sizeof(path), "%s.index", f->path) >= sizeof(path))
		return 0;
	r = seek_load(path, f->n_lanes, ret);
	return r == -ENOENT ? make_and_keep(s, tasks, crew, path, ret) : r;
}

void seek_free(struct seek *k)
{
	for (size_t i = 0; k && i < k->n; i++) {
		array_free(&k->lanes[i].places);
		array_free(&k->lanes[i].names);
	}
	if (k)
		free(k->lanes);
	free(k);
}
