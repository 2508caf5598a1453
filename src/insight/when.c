// SPDX-License-Identifier: GPL-2.0-or-later
/* Windows of all vCPUs from the host's lanes. */
#include "insight/when.h"

#include <stdlib.h>

#define ITEMS	 256
#define SPAN_MAX (INT64_C(1) << 61)
#define FOR_EVER (INT64_C(1) << 62)

struct reading {
	struct when *w;
	const struct source_kind *entry, *exit;
	int64_t known_from; /* nothing is missing in the lane from here on */
};

static int by_tid(const void *a, const void *b)
{
	const struct when_vcpu *x = a, *y = b;

	return (x->vcpu->tid > y->vcpu->tid) - (x->vcpu->tid < y->vcpu->tid);
}

static int add_vcpus(struct input *in, struct when *w)
{
	array_for_each(m, &in->machines)
		array_for_each(v, &m->vcpus) {
			struct when_vcpu *wv;

			if (v->tid <= 0)
				continue;
			wv = array_add(&w->vcpus);
			if (!wv)
				return -ENOMEM;
			wv->machine = m;
			wv->vcpu = v;
		}
	if (w->vcpus.n)
		qsort(w->vcpus.v, w->vcpus.n, sizeof(*w->vcpus.v), by_tid);
	return 0;
}

static struct when_vcpu *find_tid(struct when *w, int tid)
{
	size_t lo = 0, hi = w->vcpus.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (w->vcpus.v[mid].vcpu->tid < tid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < w->vcpus.n && w->vcpus.v[lo].vcpu->tid == tid ? &w->vcpus.v[lo] : NULL;
}

static int add(struct when_vcpu *v, int64_t lo, int64_t hi)
{
	struct span *s = array_add(&v->spans);

	if (!s)
		return -ENOMEM;
	*s = (struct span){lo, hi};
	return 0;
}

static void saw(struct when_vcpu *v, int64_t at)
{
	if (!v->seen || at < v->first)
		v->first = at;
	if (!v->seen || at > v->last)
		v->last = at;
	v->seen = true;
}

/* Entry and exit of one window lie in one lane, next to each other. */
static int take(struct reading *r, const struct source_item *it)
{
	struct when_vcpu *v = find_tid(r->w, source_record_pid(it->kind, it->data));
	int64_t at = (int64_t)(it->raw_ticks - r->w->origin), open;

	if (!v)
		return 0;
	saw(v, at);
	open = v->open;
	v->open = it->kind == r->entry ? at : -1;
	if (it->kind == r->entry) /* two entries: the exit between is missing, nobody knows why */
		return open >= 0 ? add(v, open, at) : 0;
	return add(v, open >= 0 ? open : r->known_from, at);
}

/* Up to the loss open windows were open; in it anything may have been. */
static int take_loss(struct reading *r, const struct source_item *it)
{
	int64_t to = it->end_raw_ticks == UINT64_MAX ? FOR_EVER
						     : (int64_t)(it->end_raw_ticks - r->w->origin);
	int64_t from = it->raw_ticks ? (int64_t)(it->raw_ticks - r->w->origin) : 0;
	int err = 0;

	array_for_each(v, &r->w->vcpus) {
		if (!err)
			err = add(v, v->open >= 0 ? v->open : from, to);
		v->open = -1;
	}
	r->known_from = to;
	return err;
}

static int read_lane(struct source *host, size_t lane, const bool *wanted, struct reading *r)
{
	_cleanup_source_cursor_ struct source_cursor *c = NULL;
	struct source_item items[ITEMS];
	int n, err;

	array_for_each(v, &r->w->vcpus)
		v->open = -1;
	r->known_from = 0;
	err = source_cursor_new(host, lane, wanted, &c);
	if (err)
		return err;
	while ((n = source_cursor_read(c, items, ITEMS)) > 0)
		for (int i = 0; i < n; i++) {
			err = items[i].flags & ITEM_LOST ? take_loss(r, &items[i])
							 : take(r, &items[i]);
			if (err)
				return err;
		}
	array_for_each(v, &r->w->vcpus)
		if (v->open >= 0 && !err)
			err = add(v, v->open, FOR_EVER);
	return n < 0 ? n : err;
}

static int find_ends(struct source *host, struct when *w)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (size_t i = 0; i < source_facts(host)->n_lanes; i++) {
		_cleanup_source_cursor_ struct source_cursor *c = NULL;
		struct source_item items[ITEMS];
		int n = source_cursor_new(host, i, NULL, &c);

		if (n)
			return n;
		while ((n = source_cursor_read(c, items, ITEMS)) > 0)
			for (int k = 0; k < n; k++) {
				if (items[k].flags & ITEM_LOST)
					continue;
				if (items[k].raw_ticks < first)
					first = items[k].raw_ticks;
				if (items[k].raw_ticks > last)
					last = items[k].raw_ticks;
			}
		if (n < 0)
			return n;
	}
	if (first > last)
		return -ENODATA;
	if (last - first > SPAN_MAX)
		return -ERANGE;
	w->origin = first;
	w->span = (int64_t)(last - first);
	return 0;
}

static int span_cmp(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

/* Before its first and after its last host event a vCPU may have run or not. */
static int finish(struct when_vcpu *v)
{
	_cleanup_spans_ struct spans raw = {0};
	int r = v->seen ? add(v, -FOR_EVER, v->first) : add(v, -FOR_EVER, FOR_EVER);

	if (!r && v->seen)
		r = add(v, v->last, FOR_EVER);
	if (r)
		return r;
	raw = v->spans;
	v->spans = (struct spans){0};
	qsort(raw.v, raw.n, sizeof(*raw.v), span_cmp);
	for (size_t i = 0; i < raw.n && !r; i++)
		r = spans_add(&v->spans, raw.v[i].lo, raw.v[i].hi);
	return r;
}

int when_collect(struct input *in, struct when *ret)
{
	struct source *host = in->machines.n ? in->machines.v[0].source : NULL;
	struct reading r = {.w = ret};
	const struct source_facts *f;
	_cleanup_free_ bool *wanted = NULL;
	int err;

	*ret = (struct when){0};
	if (!host || in->machines.v[0].is_guest)
		return -ENODATA;
	r.entry = source_kind_find(host, "kvm", "kvm_entry");
	r.exit = source_kind_find(host, "kvm", "kvm_exit");
	if (!r.entry || !r.exit)
		return -ENODATA;
	f = source_facts(host);
	wanted = calloc(f->n_kinds + 1, sizeof(*wanted));
	if (!wanted)
		return -ENOMEM;
	wanted[r.entry->index] = wanted[r.exit->index] = true;
	err = find_ends(host, ret);
	if (!err)
		err = add_vcpus(in, ret);
	for (size_t i = 0; i < f->n_lanes && !err; i++)
		err = read_lane(host, i, wanted, &r);
	array_for_each(v, &ret->vcpus)
		if (!err)
			err = finish(v);
	if (err)
		when_free(ret);
	return err;
}

struct when_vcpu *when_find(struct when *w, const struct input_vcpu *v)
{
	array_for_each(x, &w->vcpus)
		if (x->vcpu == v)
			return x;
	return NULL;
}

void when_free(struct when *w)
{
	array_for_each(v, &w->vcpus)
		spans_free(&v->spans);
	array_free(&w->vcpus);
}
