// SPDX-License-Identifier: GPL-2.0-or-later
/* The search for offsets: one for all vCPUs, else one for each, else several for each. */
#include "insight/solve_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define ITEMS	      256
#define SAMPLES	      4096
#define FAR	      (INT64_C(1) << 61)
#define INTERVALS_MAX (8u << 20) /* of a set of shifts: 128 MiB */

typedef __int128 s128;

int solve_for_events(const struct solve_machine *g, const struct input_vcpu *v, solve_event_fn fn,
		     void *arg)
{
	const struct source_facts *f = source_facts(g->m->source);

	for (size_t lane = 0; lane < f->n_lanes; lane++) {
		_cleanup_source_cursor_ struct source_cursor *c = NULL;
		struct source_item items[ITEMS];
		int n, r;

		if ((int)f->lanes[lane].cpu != v->guest_cpu)
			continue;
		r = source_cursor_new(g->m->source, lane, NULL, &c);
		if (r)
			return r;
		while ((n = source_cursor_read(c, items, ITEMS)) > 0)
			for (int i = 0; i < n; i++) {
				r = items[i].flags & ITEM_LOST ? 0 : fn(arg, &items[i]);
				if (r)
					return r;
			}
		if (n < 0)
			return n;
	}
	return 0;
}

struct span solve_at(const struct solve_machine *g, uint64_t stamp)
{
	int64_t d = (int64_t)(stamp - g->origin);
	s128 one = (s128)1 << g->scale.frac, lo, hi;

	if (tsc_map_is_unscaled(&g->scale))
		return (struct span){d, d};
	/* d = floor(b) - floor(a) lets b - a lie anywhere in (d - 1, d + 1) */
	lo = (s128)(d - 1) * one / (s128)g->scale.ratio - 1;
	hi = (s128)(d + 1) * one / (s128)g->scale.ratio + 1;
	if (lo < -FAR || hi > FAR)
		return (struct span){lo < 0 ? -FAR : FAR, lo < 0 ? -FAR : FAR};
	return (struct span){(int64_t)lo, (int64_t)hi};
}

int64_t solve_zero(const struct solve_machine *g)
{
	return g->when->origin < (uint64_t)FAR ? -(int64_t)g->when->origin : -FAR;
}

/* KVM's offset when the origin lies at that shift. */
static int64_t offset_of(const struct solve_machine *g, int64_t shift)
{
	s128 host = (s128)g->when->origin + shift;

	if (host >= 0 || tsc_map_is_unscaled(&g->scale))
		return (int64_t)(g->origin - tsc_forward(&g->scale, (uint64_t)host));
	/* a later offset may put the origin, which is not its own, before tick 0 */
	return (int64_t)(g->origin - (uint64_t)((host * (s128)g->scale.ratio) >> g->scale.frac));
}

/* --- first look: how many events, over which time --- */

struct survey {
	struct solve_machine *g;
	bool any;
};

static int survey_event(void *arg, const struct source_item *it)
{
	struct survey *s = arg;
	struct span at;

	if (it->flags & (ITEM_CLAMPED | ITEM_INTERRUPTED))
		return 0;
	if (!s->any) {
		s->any = true;
		s->g->origin = it->raw_ticks;
	}
	at = solve_at(s->g, it->raw_ticks);
	if (at.lo < s->g->first)
		s->g->first = at.lo;
	if (at.hi > s->g->last)
		s->g->last = at.hi;
	s->g->events++;
	return 0;
}

/* --- one offset for all of a vCPU's time --- */

struct constant {
	const struct solve_machine *g;
	const struct when_vcpu *w;
	struct spans *shifts, tmp;
	uint64_t stride, n, events;
	struct ARRAY(struct span) samples;
};

static int sample_event(void *arg, const struct source_item *it)
{
	struct constant *c = arg;
	struct span *s;

	if (it->flags & (ITEM_CLAMPED | ITEM_INTERRUPTED) || c->n++ % c->stride)
		return 0;
	s = array_add(&c->samples);
	if (!s)
		return -ENOMEM;
	*s = solve_at(c->g, it->raw_ticks);
	return 0;
}

int solve_keep(const struct when_vcpu *w, struct spans *shifts, struct span at, struct spans *tmp)
{
	int r = spans_keep(shifts, &w->spans, at.lo, at.hi, tmp);

	return !r && shifts->n > INTERVALS_MAX ? -E2BIG : r;
}

static int keep_event(void *arg, const struct source_item *it)
{
	struct constant *c = arg;

	if (it->flags & (ITEM_CLAMPED | ITEM_INTERRUPTED) || !c->shifts->n)
		return 0;
	c->events++;
	return solve_keep(c->w, c->shifts, solve_at(c->g, it->raw_ticks), &c->tmp);
}

/* Shifts at which at least half of the shorter recording lies in the other one. */
static int start_shifts(const struct solve_machine *g, struct spans *ret)
{
	int64_t host = g->when->span, guest = g->last - g->first;
	int64_t need = (host < guest ? host : guest) / 2;
	int64_t lo = need - g->last, zero = solve_zero(g) - g->first;

	ret->n = 0;
	return spans_add(ret, lo > zero ? lo : zero, host - g->first - need);
}

/* The samples in an order that jumps about: neighbours tell the same. */
static int narrow_by_samples(struct constant *c)
{
	size_t n = c->samples.n, step = n / 2 + n / 8 + 1;
	int r = 0;

	while (n && step > 1) { /* coprime to n, so that all come once */
		size_t a = step, b = n;

		while (b) {
			size_t t = a % b;

			a = b;
			b = t;
		}
		if (a == 1)
			break;
		step--;
	}
	for (size_t i = 0, at = 0; i < n && !r && c->shifts->n; i++, at = (at + step) % n)
		r = solve_keep(c->w, c->shifts, c->samples.v[at], &c->tmp);
	return r;
}

/* All events, few shifts left. */
static int narrow_by_all(const struct solve_machine *g, const struct when_vcpu *w,
			 struct spans *shifts, uint64_t *events)
{
	struct constant c = {.g = g, .w = w, .shifts = shifts};
	int r = solve_for_events(g, w->vcpu, keep_event, &c);

	*events += c.events;
	spans_free(&c.tmp);
	return r;
}

static int solve_constant(const struct solve_machine *g, const struct when_vcpu *w,
			  struct spans *shifts)
{
	struct constant c = {.g = g, .w = w, .shifts = shifts};
	int r;

	c.stride = g->events / SAMPLES + 1;
	r = solve_for_events(g, w->vcpu, sample_event, &c);
	if (!r)
		r = start_shifts(g, shifts);
	if (!r)
		r = narrow_by_samples(&c);
	spans_free(&c.tmp);
	array_free(&c.samples);
	return r;
}

const struct span *solve_widest(const struct spans *s)
{
	const struct span *best = s->v;

	for (size_t i = 1; i < s->n; i++)
		if (s->v[i].hi - s->v[i].lo > best->hi - best->lo)
			best = &s->v[i];
	return best;
}

int solve_add_epoch(const struct solve_machine *g, struct solve_vcpu *out,
		    const struct spans *shifts, uint64_t from_ticks, uint64_t events)
{
	const struct span *s = solve_widest(shifts);
	int64_t rounding = !tsc_map_is_unscaled(&g->scale);
	struct solve_epoch *e = reallocarray(out->epochs, out->n_epochs + 1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	out->epochs = e;
	e += out->n_epochs++;
	*e = (struct solve_epoch){
		.from_ticks = from_ticks,
		.events = events,
		.offset = offset_of(g, s->lo + (s->hi - s->lo) / 2),
		.lo = offset_of(g, s->hi) - rounding,
		.hi = offset_of(g, s->lo) + rounding,
		.others = shifts->n - 1,
	};
	return 0;
}

/* --- a machine --- */

static int survey(struct solve_machine *g)
{
	struct survey s = {g};
	int r = 0;

	g->scale = TSC_MAP_IDENTITY;
	array_for_each(v, &g->m->vcpus)
		if (v->epochs.n && v->epochs.v[0].map.frac) {
			g->scale = v->epochs.v[0].map;
			g->scale.offset = 0;
		}
	for (size_t i = 0; i < g->m->vcpus.n && !r; i++)
		r = solve_for_events(g, &g->m->vcpus.v[i], survey_event, &s);
	return r;
}

/* The shifts that all vCPUs allow, by all their events. */
static int find_shared(const struct solve_machine *g, const struct spans *each, struct spans *ret,
		       uint64_t *events)
{
	struct spans tmp = {0};
	bool first = true;
	int r = 0;

	for (size_t i = 0; i < g->m->vcpus.n && !r; i++) {
		if (!when_find(g->when, &g->m->vcpus.v[i]))
			continue;
		if (first)
			for (size_t k = 0; k < each[i].n && !r; k++)
				r = spans_add(ret, each[i].v[k].lo, each[i].v[k].hi);
		else
			r = spans_keep(ret, &each[i], 0, 0, &tmp);
		first = false;
	}
	spans_free(&tmp);
	for (size_t i = 0; i < g->m->vcpus.n && !r && ret->n; i++) {
		const struct when_vcpu *w = when_find(g->when, &g->m->vcpus.v[i]);

		if (w)
			r = narrow_by_all(g, w, ret, events);
	}
	return r;
}

/* out has one offset; several are better when they put more events inside. */
static int try_steps(const struct solve_machine *g, const struct when_vcpu *w,
		     struct solve_vcpu *out)
{
	struct solve_vcpu other = {.machine = out->machine, .vcpu = out->vcpu};
	int r = solve_steps(g, w, &other);

	if (!r && solve_is_solid(&other) && other.inside > out->inside) {
		free(out->epochs);
		*out = other;
	} else {
		free(other.epochs);
	}
	return r;
}

static int solve_vcpu(const struct solve_machine *g, struct spans *constant, struct solve_vcpu *out)
{
	const struct when_vcpu *w = when_find(g->when, out->vcpu);
	struct solve_count c = {0};
	uint64_t events = 0;
	int r;

	if (!w || !w->seen) {
		out->why_not = !w ? "its thread is not known" : "it has no window in the recording";
		return 0;
	}
	r = narrow_by_all(g, w, constant, &events);
	if (!r && constant->n && events) {
		r = solve_count_inside(g, w, constant, &c);
		out->inside = c.inside;
		out->seen = c.n;
		if (!r)
			r = solve_add_epoch(g, out, constant, 0, events);
		return r || !solve_is_suspect(&c) ? r : try_steps(g, w, out);
	}
	if (!r)
		r = solve_steps(g, w, out);
	if (!r && !out->n_epochs)
		out->why_not = "it has no events";
	return r;
}

/* How the shared answer, when there is one, does. */
static int count_shared(const struct solve_machine *g, const struct spans *shared,
			struct solve_count *ret)
{
	int r = 0;

	for (size_t i = 0; i < g->m->vcpus.n && !r; i++) {
		const struct when_vcpu *w = when_find(g->when, &g->m->vcpus.v[i]);

		if (w && w->seen)
			r = solve_count_inside(g, w, shared, ret);
	}
	return r;
}

static int add_shared(const struct solve_machine *g, const struct spans *shared, uint64_t events,
		      const struct solve_count *c, struct solve_vcpu *v, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		free(v[i].epochs);
		v[i] = (struct solve_vcpu){.vcpu = &g->m->vcpus.v[i],
					   .shared = true,
					   .inside = c->inside,
					   .seen = c->n};
		r = solve_add_epoch(g, &v[i], shared, 0, events);
	}
	return r;
}

static int solve_each(const struct solve_machine *g, struct spans *each, const struct spans *shared,
		      uint64_t events, struct solve *ret)
{
	size_t from = ret->vcpus.n, n = g->m->vcpus.n;
	bool has_shared = shared->n && events, better = true;
	struct solve_count c = {0};
	uint64_t inside = 0;
	int r = has_shared ? count_shared(g, shared, &c) : 0;

	for (size_t i = 0; i < n && !r; i++) {
		struct solve_vcpu *out = array_add(&ret->vcpus);

		if (!out)
			return -ENOMEM;
		out->vcpu = &g->m->vcpus.v[i];
		if (!has_shared || solve_is_suspect(&c))
			r = solve_vcpu(g, &each[i], out);
		inside += out->inside;
		better &= solve_is_solid(out);
	}
	if (r || !has_shared || (solve_is_suspect(&c) && better && inside > c.inside))
		return r;
	return add_shared(g, shared, events, &c, ret->vcpus.v + from, n);
}

static int solve_guest(const struct input_machine *m, struct when *when, struct solve *ret)
{
	struct solve_machine g = {.m = m, .when = when};
	struct spans *each = calloc(m->vcpus.n + 1, sizeof(*each));
	_cleanup_spans_ struct spans shared = {0};
	uint64_t events = 0;
	int r = each ? survey(&g) : -ENOMEM;

	for (size_t i = 0; i < m->vcpus.n && !r; i++) {
		const struct when_vcpu *w = when_find(when, &m->vcpus.v[i]);

		if (w)
			r = solve_constant(&g, w, &each[i]);
	}
	if (!r)
		r = find_shared(&g, each, &shared, &events);
	if (!r)
		r = solve_each(&g, each, &shared, events, ret);
	for (size_t i = 0; each && i < m->vcpus.n; i++)
		spans_free(&each[i]);
	free(each);
	return r;
}

int solve_offsets(struct input *in, struct solve *ret)
{
	_cleanup_when_ struct when when = {0};
	struct solve s = {0};
	int r = when_collect(in, &when);

	if (r == -ENODATA)
		return log_err_r(r,
				 "cannot solve \"%s\": the host's trace has no kvm_entry and "
				 "kvm_exit events; record them (--preset exits)",
				 in->title);
	array_for_each(m, &in->machines) {
		size_t from = s.vcpus.n;

		if (!r && m->is_guest && m->source)
			r = solve_guest(m, &when, &s);
		for (size_t i = from; i < s.vcpus.n; i++)
			s.vcpus.v[i].machine = (uint16_t)(m - in->machines.v);
	}
	if (r) {
		solve_free(&s);
		if (r == -ENOMEM || r == -E2BIG || r == -ERANGE)
			log_errno(r, "cannot solve \"%s\": %m", in->title);
		return r;
	}
	*ret = s;
	return 0;
}

int solve_apply(const struct solve *s, struct input *in)
{
	array_for_each(v, &s->vcpus) {
		struct input_machine *m = &in->machines.v[v->machine];
		struct input_vcpu *target = &m->vcpus.v[v->vcpu - m->vcpus.v];
		struct tsc_map map = target->epochs.n ? target->epochs.v[0].map : TSC_MAP_IDENTITY;

		target->epochs.n = 0;
		for (size_t i = 0; i < v->n_epochs; i++) {
			int r;

			map.offset = v->epochs[i].offset;
			r = epochs_add(&target->epochs, v->epochs[i].from_ticks, &map);
			if (r)
				return r;
		}
		m->aligned |= v->n_epochs != 0;
	}
	array_for_each(m, &in->machines)
		if (m->part_of)
			m->aligned = m->same->aligned;
	return 0;
}

void solve_free(struct solve *s)
{
	array_for_each(v, &s->vcpus)
		free(v->epochs);
	array_free(&s->vcpus);
}
