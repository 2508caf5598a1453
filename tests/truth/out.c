// SPDX-License-Identifier: GPL-2.0-or-later
/* A world as files: a session directory or trace.dat files side by side, and truth.txt. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "session/session.h"
#include "files.h"

typedef unsigned __int128 u128;

static void pages_free(struct bytes *pages, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(pages[i].v);
}

/* bufs: one or two, their lanes; fills in the rest. */
static int write_lanes(struct dat_file *f, struct world *w, struct truth_lane *const *lanes,
		       const struct ring_how *how, const char *path)
{
	struct bytes pages[2][HOST_CPUS_MAX] = {0};
	int r = 0;

	for (unsigned k = 0; k < f->n_buffers && !r; k++) {
		f->buffers[k] = (struct dat_buffer){k ? "rest" : "", lanes[k], pages[k]};
		for (unsigned i = 0; i < f->cpus && !r; i++)
			r = ring_pack(w, &lanes[k][i], how, &pages[k][i]);
	}
	if (!r)
		r = dat_write(f, path);
	pages_free(pages[0], f->cpus);
	pages_free(pages[1], f->cpus);
	return r;
}

static int write_host(struct world *w, const char *path)
{
	struct dat_file f = {.w = w,
			     .form = w->form,
			     .trace_id = w->trace_id,
			     .cpus = w->host_cpus,
			     .n_buffers = w->form.instance ? 2 : 1};
	struct ring_how how = {.loss = w->features & F_HOST_LOSS && rnd_one_in(w, 3),
			       .keep_offsets = !w->session};

	return write_lanes(&f, w, (struct truth_lane *[]){w->host, w->instance}, &how, path);
}

static int write_guest(struct world *w, struct truth_vm *vm, const char *path)
{
	struct dat_file f = {.w = w,
			     .form = w->form,
			     .vm = vm,
			     .trace_id = vm->trace_id,
			     .cpus = vm->n,
			     .n_buffers = 1};
	struct ring_how how = {.loss = w->features & F_LOSS && rnd_one_in(w, 2),
			       .narrow = w->form.narrow};

	return write_lanes(&f, w, (struct truth_lane *[]){vm->lanes}, &how, path);
}

static int write_offsets(struct world *w, const char *path)
{
	struct dat_file f = {.w = w,
			     .form = {.version = 6},
			     .trace_id = w->trace_id ^ 2,
			     .cpus = w->host_cpus,
			     .n_buffers = 1};
	struct ring_how how = {.keep_offsets = true};

	return write_lanes(&f, w, (struct truth_lane *[]){w->offsets}, &how, path);
}

/* Does another epoch, from that of host tick after on, explain the stamp by a tick at or after it,
 * before the true one? Then order and stamp alone do not tell. */
static bool fits_earlier(const struct truth_vcpu *v, const struct truth_event *e, uint64_t after)
{
	for (size_t i = 0; i + 1 < v->epochs.n; i++) {
		const struct truth_map *m = &v->epochs.v[i].map;
		uint64_t from = v->epochs.v[i].from, to = v->epochs.v[i + 1].from - 1;
		u128 lo, hi, scaled;

		if (from < after)
			from = after;
		if (to >= e->ticks || from > to)
			continue;
		/* the scaled product grows with the tick: is e's between those of from and to? */
		lo = ((u128)from * m->ratio) >> m->frac;
		hi = ((u128)to * m->ratio) >> m->frac;
		scaled = lo + (uint64_t)(e->stamp - m->offset - (uint64_t)lo);
		if (scaled <= hi)
			return true;
	}
	return false;
}

static void mark_ambiguous(struct truth_vm *vm)
{
	for (unsigned i = 0; i < vm->n; i++) {
		const struct truth_vcpu *v = &vm->vcpus[i];
		struct truth_events *l = &vm->lanes[v->guest_cpu].events;
		uint64_t after = 0;

		for (size_t k = 0; k < l->n; k++) {
			if (l->v[k].flags & T_LOST)
				continue;
			if (fits_earlier(v, &l->v[k], after))
				l->v[k].flags |= T_AMBIGUOUS;
			after = l->v[k].ticks;
		}
	}
}

static int write_dats(struct world *w, const char *dir)
{
	char path[4200];
	int r;

	snprintf(path, sizeof(path), "%s/host.dat", dir);
	r = write_host(w, path);
	for (unsigned i = 0; i < w->n_vms && !r; i++) {
		struct truth_vm *vm = &w->vms[i];

		snprintf(path, sizeof(path), "%s/guest-%s.dat", dir, vm->name);
		r = write_guest(w, vm, path);
		mark_ambiguous(vm);
	}
	if (r || !w->session)
		return r;
	snprintf(path, sizeof(path), "%s/offsets.dat", dir);
	return write_offsets(w, path);
}

static int add_vcpus(const struct truth_vm *vm, struct session_machine *m)
{
	for (unsigned i = 0; i < vm->n; i++) {
		const struct truth_vcpu *v = &vm->vcpus[i];
		const struct truth_epoch *last = &v->epochs.v[v->epochs.n - 1];
		struct session_vcpu *s = array_add(&m->vcpus);
		pid_t *tid = array_add(&m->tids);

		if (!s || !tid)
			return -ENOMEM;
		*tid = v->tid;
		*s = (struct session_vcpu){
			.id = v->id,
			.tid = v->tid,
			.guest_cpu = (int)v->guest_cpu,
			.has_start = true,
			.has_end = true,
			.start_offset = (int64_t)v->epochs.v[0].map.offset,
			.end_offset = (int64_t)last->map.offset,
			.ratio = last->map.ratio,
			.frac = last->map.frac,
		};
	}
	return 0;
}

static int add_machine(struct session *s, const char *name, const char *file, uint64_t trace_id,
		       const struct truth_vm *vm)
{
	struct session_machine *m = array_add(&s->machines);
	pid_t *tid;

	if (!m)
		return -ENOMEM;
	m->name = strdup(name);
	m->file = strdup(file);
	m->trace_id = trace_id;
	if (!m->name || !m->file)
		return -ENOMEM;
	if (!vm)
		return 0;
	m->is_guest = true;
	m->pid = vm->pid;
	m->vmm = strdup("qemu");
	tid = array_add(&m->tids);
	if (!m->vmm || !tid)
		return -ENOMEM;
	*tid = vm->pid;
	return add_vcpus(vm, m);
}

static int add_pairs(struct session *s, const struct world *w)
{
	const uint64_t at[2] = {w->begin, w->end};

	for (int i = 0; i < 2; i++) {
		struct session_pair *p = array_add(&s->pairs);
		int64_t ns = (int64_t)((u128)(at[i] - w->begin) * w->mult >> w->shift);

		if (!p)
			return -ENOMEM;
		*p = (struct session_pair){at[i], 60, 1700000000000000000 + ns, 1000000000 + ns,
					   1000000000 + ns};
	}
	return 0;
}

static int write_session(const struct world *w, const char *dir)
{
	_cleanup_session_ struct session s = {
		.tool = strdup("onetsc truth"),
		.command = strdup("gen"),
		.clocksource = strdup("tsc"),
		.offsets_file = strdup("offsets.dat"),
		.tsc_khz = 2893299,
		.mult = w->mult,
		.shift = w->shift,
		.complete = true,
		.begin_tsc = w->begin,
		.end_tsc = w->end,
	};
	int r = add_machine(&s, "host", "host.dat", w->trace_id, NULL);

	for (unsigned i = 0; i < w->n_vms && !r; i++) {
		char file[64];

		snprintf(file, sizeof(file), "guest-%s.dat", w->vms[i].name);
		r = add_machine(&s, w->vms[i].name, file, w->vms[i].trace_id, &w->vms[i]);
	}
	if (!r)
		r = add_pairs(&s, w);
	return r ? r : session_save(&s, dir);
}

static int by_tick(const void *a, const void *b)
{
	const struct truth_event *x = *(const struct truth_event *const *)a;
	const struct truth_event *y = *(const struct truth_event *const *)b;

	if (x->ticks != y->ticks)
		return x->ticks < y->ticks ? -1 : 1;
	return x < y ? -1 : x > y;
}

struct refs ARRAY(const struct truth_event *);

static int refer(struct refs *refs, const struct truth_lane *l)
{
	for (size_t i = 0; i < l->events.n; i++) {
		const struct truth_event **p = array_add(refs);

		if (!p)
			return -ENOMEM;
		*p = &l->events.v[i];
	}
	return 0;
}

/* One line an event in the order of the world: host tick, the interval that its stamp allows, the
 * stamp, machine, CPU, vCPU, window, flags, name. */
static int write_truth(const struct world *w, const char *dir)
{
	_cleanup_file_ FILE *f = NULL;
	struct refs refs = {0};
	char path[4200];
	int r = 0;

	for (unsigned i = 0; i < w->host_cpus && !r; i++) {
		r = refer(&refs, &w->host[i]);
		if (!r)
			r = refer(&refs, &w->instance[i]);
	}
	for (unsigned i = 0; i < w->n_vms && !r; i++)
		for (unsigned k = 0; k < w->vms[i].n && !r; k++)
			r = refer(&refs, &w->vms[i].lanes[k]);
	snprintf(path, sizeof(path), "%s/truth.txt", dir);
	f = r ? NULL : fopen(path, "wx");
	if (!f) {
		array_free(&refs);
		return r ? r : -errno;
	}
	qsort(refs.v, refs.n, sizeof(*refs.v), by_tick);
	for (size_t i = 0; i < refs.n; i++) {
		const struct truth_event *e = refs.v[i];

		fprintf(f,
			"%" PRIu64 " [%" PRIu64 ",%" PRIu64 "] stamp %" PRIu64
			" machine %u cpu %u vcpu %d window %" PRIu64 " %s%s%s%s%s\n",
			e->ticks, e->lo, e->hi, e->stamp, e->machine, e->cpu, e->vcpu, e->window,
			payload_name(e->kind), e->flags & T_LOST ? " lost" : "",
			e->flags & T_CLAMPED ? " clamped" : "",
			e->flags & T_INTERRUPTED ? " interrupted" : "",
			e->flags & T_AMBIGUOUS ? " ambiguous" : "");
	}
	array_free(&refs);
	return fflush(f) ? -EIO : 0;
}

int world_write(struct world *w, const char *dir)
{
	int r = mkdir(dir, 0700) ? -errno : 0;

	if (!r)
		r = write_dats(w, dir);
	if (!r && w->session)
		r = write_session(w, dir);
	return r || w->repeat > 1 ? r : write_truth(w, dir);
}
