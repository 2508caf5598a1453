// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/offsets.h"

#include <stdlib.h>

#include "base/log.h"
#include "source/hold.h"

enum { ITEMS = 256, SLOT_BITS = 16, THREADS_MAX = 1 << 15 };

struct scan_kinds {
	const struct source_kind *write, *entry;
	const struct source_field *pid, *vcpu, *previous, *next; /* of write */
	const struct source_field *entry_pid, *entry_vcpu;
};

static bool find_kinds(struct source *s, bool with_threads, struct scan_kinds *k)
{
	*k = (struct scan_kinds){0};
	k->write = source_kind_find(s, "kvm", "kvm_write_tsc_offset");
	if (k->write) {
		k->pid = source_field_find(k->write, "common_pid");
		k->vcpu = source_field_find(k->write, "vcpu_id");
		k->previous = source_field_find(k->write, "previous_tsc_offset");
		k->next = source_field_find(k->write, "next_tsc_offset");
		if (!k->pid || !k->vcpu || !k->previous || !k->next)
			k->write = NULL;
	}
	k->entry = with_threads ? source_kind_find(s, "kvm", "kvm_entry") : NULL;
	if (k->entry) {
		k->entry_pid = source_field_find(k->entry, "common_pid");
		k->entry_vcpu = source_field_find(k->entry, "vcpu_id");
		if (!k->entry_pid || !k->entry_vcpu)
			k->entry = NULL;
	}
	return k->write || k->entry;
}

static int take_write(struct offset_scan *scan, const struct scan_kinds *k,
		      const struct source_item *it)
{
	struct offset_write *w = array_add(&scan->writes);

	if (!w)
		return -ENOMEM;
	w->ticks = it->raw_ticks;
	w->pid = (int)source_field_u64(k->pid, it->data);
	w->vcpu = (uint32_t)source_field_u64(k->vcpu, it->data);
	w->previous = (int64_t)source_field_u64(k->previous, it->data);
	w->next = (int64_t)source_field_u64(k->next, it->data);
	return 0;
}

/* Where the pid is, or a free slot: a hostile file has as many threads as entries. */
static uint32_t *find_slot(struct offset_scan *scan, int pid)
{
	uint32_t at = (uint32_t)pid * 2654435761u >> (32 - SLOT_BITS);

	while (scan->slots[at] && scan->threads.v[scan->slots[at] - 1].pid != pid)
		at = (at + 1) & ((1u << SLOT_BITS) - 1);
	return &scan->slots[at];
}

static int add_thread(struct offset_scan *scan, const struct offset_thread *thread)
{
	uint32_t *slot = find_slot(scan, thread->pid);
	struct offset_thread *t;

	if (*slot || scan->threads.n >= THREADS_MAX)
		return 0;
	t = array_add(&scan->threads);
	if (!t)
		return -ENOMEM;
	*t = *thread;
	*slot = (uint32_t)scan->threads.n;
	return 0;
}

static int take_entry(struct offset_scan *scan, const struct scan_kinds *k,
		      const struct source_item *it)
{
	struct offset_thread t = {.pid = (int)source_field_u64(k->entry_pid, it->data),
				  .vcpu = (uint32_t)source_field_u64(k->entry_vcpu, it->data)};

	return add_thread(scan, &t);
}

struct lane_scan {
	struct job job;
	const struct scan_kinds *kinds;
	struct source_cursor *cursor;
	struct offset_scan found;
	int r;
};

static int read_lane(struct lane_scan *l)
{
	const struct scan_kinds *k = l->kinds;
	struct source_item items[ITEMS];
	int n, r = 0;

	while ((n = source_cursor_read(l->cursor, items, ITEMS)) > 0) {
		for (int i = 0; i < n && !r; i++) {
			if (items[i].kind == k->write && k->write)
				r = take_write(&l->found, k, &items[i]);
			else if (items[i].kind == k->entry && k->entry)
				r = take_entry(&l->found, k, &items[i]);
		}
		if (r)
			return r;
	}
	return n;
}

static void scan_lane(struct job *j, unsigned worker)
{
	struct lane_scan *l = (struct lane_scan *)j;

	l->found.slots = calloc(1u << SLOT_BITS, sizeof(*l->found.slots));
	l->r = l->found.slots ? read_lane(l) : -ENOMEM;
	free(l->found.slots);
	l->found.slots = NULL;
}

static int begin_lane(struct lane_scan *l, struct source *s, size_t lane, const bool *wanted,
		      const struct scan_kinds *k, struct crew *crew)
{
	int r = source_cursor_new(s, lane, wanted, &l->cursor);

	if (r)
		return r;
	source_cursor_keep(l->cursor);
	l->job.run = scan_lane;
	l->kinds = k;
	if (source_cursor_is_threadable(l->cursor)) {
		source_cursor_defer(l->cursor);
		crew_submit(crew, &l->job, false);
	} else {
		scan_lane(&l->job, 0);
	}
	return 0;
}

/* What was found is added in the order of lanes, whoever read them. */
static int end_lane(struct lane_scan *l, struct offset_scan *ret, struct crew *crew)
{
	int r;

	crew_wait(crew, &l->job);
	if (source_cursor_is_threadable(l->cursor))
		source_cursor_tell(l->cursor);
	r = l->r;
	for (size_t i = 0; i < l->found.writes.n && !r; i++) {
		struct offset_write *w = array_add(&ret->writes);

		if (w)
			*w = l->found.writes.v[i];
		else
			r = -ENOMEM;
	}
	for (size_t i = 0; i < l->found.threads.n && !r; i++)
		r = add_thread(ret, &l->found.threads.v[i]);
	return r;
}

static int scan_lanes(struct source *s, const struct scan_kinds *k, const bool *wanted,
		      struct crew *crew, struct offset_scan *ret)
{
	size_t n = source_facts(s)->n_lanes;
	struct lane_scan *lanes = calloc(n + 1, sizeof(*lanes));
	int r = lanes ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !r; i++)
		r = begin_lane(&lanes[i], s, i, wanted, k, crew);
	for (size_t i = 0; i < n && !r; i++)
		r = end_lane(&lanes[i], ret, crew);
	for (size_t i = 0; i < n && lanes; i++) {
		crew_cancel(crew, &lanes[i].job);
		source_cursor_free(lanes[i].cursor);
		offset_scan_free(&lanes[i].found);
	}
	free(lanes);
	return r;
}

static int write_cmp(const void *a, const void *b)
{
	const struct offset_write *x = a, *y = b;

	return (x->ticks > y->ticks) - (x->ticks < y->ticks);
}

int offset_scan(struct source *s, bool with_threads, struct crew *crew, struct offset_scan *ret)
{
	const struct source_facts *f = source_facts(s);
	_cleanup_free_ bool *wanted = NULL;
	struct scan_kinds k;
	int r;

	*ret = (struct offset_scan){0};
	if (!find_kinds(s, with_threads, &k))
		return 0;
	wanted = calloc(f->n_kinds, sizeof(*wanted));
	ret->slots = calloc(1u << SLOT_BITS, sizeof(*ret->slots));
	if (!wanted || !ret->slots) {
		offset_scan_free(ret);
		return -ENOMEM;
	}
	if (k.write)
		wanted[k.write->index] = true;
	if (k.entry)
		wanted[k.entry->index] = true;
	r = scan_lanes(s, &k, wanted, crew, ret);
	if (r) {
		offset_scan_free(ret);
		return r;
	}
	if (ret->writes.n)
		qsort(ret->writes.v, ret->writes.n, sizeof(*ret->writes.v), write_cmp);
	return 0;
}

void offset_scan_free(struct offset_scan *scan)
{
	array_free(&scan->writes);
	array_free(&scan->threads);
	free(scan->slots);
	scan->slots = NULL;
}

static struct tsc_map map_of(int64_t offset, const struct offset_known *known)
{
	return (struct tsc_map){offset, known->frac ? known->ratio : 1, known->frac};
}

static int add_epoch(struct input_vcpu *v, uint64_t from, int64_t offset,
		     const struct offset_known *known)
{
	struct tsc_map map = map_of(offset, known);

	return epochs_add(&v->epochs, from, &map);
}

struct chain {
	bool any, start_seen, end_seen, broken;
	int64_t last;
};

/* One write more; the first one also says what was before it. */
static int chain_add(struct input_vcpu *v, struct chain *c, const struct offset_write *w,
		     const struct offset_known *known)
{
	int r;

	if (!c->any) {
		c->start_seen = known->has_start && known->start == w->previous;
		r = add_epoch(v, 0, w->previous, known);
		if (r)
			return r;
	} else if (c->last != w->previous) {
		c->broken = true;
	}
	if (known->has_end && (w->ticks <= known->end_ticks || !c->end_seen))
		c->end_seen = w->next == known->end;
	if (known->has_start && known->start == w->next)
		c->start_seen = true;
	c->any = true;
	c->last = w->next;
	return add_epoch(v, w->ticks, w->next, known);
}

static int chain_check(const struct input_machine *m, const struct input_vcpu *v,
		       const struct chain *c, const struct offset_known *known)
{
	if (c->broken)
		return log_err_r(-EBADMSG,
				 "\"%s\" vCPU %u: a write of its TSC offset is missing between two "
				 "recorded ones; events between them may be misplaced",
				 m->name, v->id);
	if (known->has_start && !c->start_seen)
		return log_err_r(-EBADMSG,
				 "\"%s\" vCPU %u: TSC offset %lld read at the start is in no "
				 "recorded write; its events may be misplaced",
				 m->name, v->id, (long long)known->start);
	if (known->has_end && !c->end_seen)
		return log_err_r(-EBADMSG,
				 "\"%s\" vCPU %u: TSC offset was %lld at the end, but %lld after "
				 "the last recorded write; its events may be misplaced",
				 m->name, v->id, (long long)known->end, (long long)c->last);
	return 0;
}

static bool owns(const struct input_machine *m, int pid)
{
	array_for_each(t, &m->tids)
		if (*t == pid)
			return true;
	return false;
}

int offset_epochs(const struct input_machine *m, struct input_vcpu *v,
		  const struct offset_scan *scan, const struct offset_known *known)
{
	struct chain c = {0};
	int r;

	for (size_t i = 0; i < scan->writes.n; i++) {
		const struct offset_write *w = &scan->writes.v[i];

		if (w->vcpu != v->id || !owns(m, w->pid))
			continue;
		r = chain_add(v, &c, w, known);
		if (r)
			return r;
	}
	if (!c.any) {
		if (!known->has_start && !known->has_end)
			return -ENODATA;
		c.last = known->has_start ? known->start : known->end;
		c.start_seen = true;
		c.end_seen = known->has_end && known->end == c.last;
		r = add_epoch(v, 0, c.last, known);
		if (r)
			return r;
	}
	epochs_squeeze(&v->epochs);
	return chain_check(m, v, &c, known);
}
