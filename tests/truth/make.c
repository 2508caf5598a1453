// SPDX-License-Identifier: GPL-2.0-or-later
/* What a world is like, before anything happens in it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "truth.h"

unsigned features_without(const char *const *names, size_t n)
{
	static const char *const known[] = {"scaling", "steps", "backward", "loss",  "host-loss",
					    "ties",    "wrap",	"sparse",   "edges", "forms"};
	unsigned features = F_ALL;

	for (size_t i = 0; i < n; i++) {
		unsigned k = 0;

		while (k < ARRAY_SIZE(known) && strcmp(known[k], names[i]))
			k++;
		if (k == ARRAY_SIZE(known)) {
			fprintf(stderr, "no feature \"%s\"\n", names[i]);
			return 0;
		}
		features &= ~(1u << k);
	}
	return features;
}

static struct truth_map random_scale(struct world *w)
{
	unsigned frac = rnd_one_in(w, 2) ? 32 : 48;
	uint64_t one = UINT64_C(1) << frac;

	if (!(w->features & F_SCALING) || rnd_one_in(w, 2))
		return rnd_one_in(w, 2) ? (struct truth_map){0, 1, 0}
					: (struct truth_map){0, one, frac};
	switch (rnd_below(w, 4)) {
	case 0: /* crystals */
		return (struct truth_map){0, one + one / 10000 - rnd_below(w, one / 5000), frac};
	case 1:
		return (struct truth_map){0, one * 2, frac};
	case 2:
		return (struct truth_map){0, one / 2, frac};
	default:
		return (struct truth_map){0, one / 3 + rnd_below(w, one * 2), frac};
	}
}

static uint64_t random_offset(struct world *w, const struct truth_map *m)
{
	uint64_t scaled = map_forward(&(struct truth_map){0, m->ratio, m->frac}, w->begin);

	if ((w->features & F_WRAP) && rnd_one_in(w, 3)) /* the guest's counter wraps soon */
		return -scaled - rnd_below(w, w->end - w->begin);
	switch (rnd_below(w, 4)) {
	case 0:
		return 0;
	case 1:
		return w->features & F_WRAP ? rnd(w) : 1000;
	default: /* the guest was started some time before */
		return -scaled + rnd_below(w, UINT64_C(1) << 40);
	}
}

static int64_t random_step(struct world *w)
{
	int64_t by = 1 + (int64_t)rnd_below(w, UINT64_C(1) << (4 + rnd_below(w, 44)));

	return (w->features & F_BACKWARD) && rnd_one_in(w, 2) ? -by : by;
}

static int add_step(struct truth_vcpu *v, uint64_t at, int64_t by)
{
	struct truth_step *s = array_add(&v->steps);

	if (!s)
		return -ENOMEM;
	*s = (struct truth_step){at, by};
	return 0;
}

/* Steps of all vCPUs or of one, each vCPU at a moment of its own; at times two in a row. */
static int make_steps(struct world *w, struct truth_vm *vm, uint64_t span)
{
	uint64_t at = w->begin;
	int r = 0;

	for (unsigned n = (unsigned)rnd_below(w, 4); n && !r; n--) {
		int64_t by = random_step(w);
		unsigned only = (unsigned)rnd_below(w, vm->n * 2); /* >= n: all */

		at += rnd_one_in(w, 3) ? rnd_below(w, 2000 * w->pace) : rnd_below(w, span / 3);
		for (unsigned i = 0; i < vm->n && !r; i++)
			if (only >= vm->n || only == i)
				r = add_step(&vm->vcpus[i], at + rnd_below(w, 50000 * w->pace), by);
	}
	return r;
}

static int by_at(const void *a, const void *b)
{
	const struct truth_step *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static int make_vm(struct world *w, unsigned index, uint64_t span)
{
	struct truth_vm *vm = &w->vms[index];
	struct truth_map m = random_scale(w);
	bool own_offsets = rnd_one_in(w, 3);
	unsigned stride = w->session && (w->features & F_SPARSE) ? 1 + rnd_one_in(w, 3) : 1;
	unsigned turn = 0;
	int r = 0;

	snprintf(vm->name, sizeof(vm->name), "vm%u", index);
	vm->n = 1 + (unsigned)rnd_below(w, VCPUS_MAX);
	vm->pid = 1000 * (int)(index + 1);
	vm->trace_id = rnd(w) | 1;
	vm->from = w->host_from;
	vm->to = w->host_to;
	if (w->session && (w->features & F_SPARSE))
		turn = (unsigned)rnd_below(w, vm->n);
	m.offset = random_offset(w, &m);
	for (unsigned i = 0; i < vm->n && !r; i++) {
		struct truth_vcpu *v = &vm->vcpus[i];

		v->id = i * stride;
		v->guest_cpu = (i + turn) % vm->n;
		v->tid = vm->pid + 1 + (int)i;
		v->at = w->begin + step_ticks(w, 20000);
		r = epoch_add(v, 0, m);
		if (own_offsets)
			m.offset += rnd_below(w, 1000000);
	}
	if (!r && (w->features & F_STEPS))
		r = make_steps(w, vm, span);
	for (unsigned i = 0; i < vm->n; i++)
		if (vm->vcpus[i].steps.n)
			qsort(vm->vcpus[i].steps.v, vm->vcpus[i].steps.n, sizeof(struct truth_step),
			      by_at);
	return r;
}

/* Where the host's counter stands. */
static uint64_t random_begin(struct world *w)
{
	switch (rnd_below(w, 4)) {
	case 0:
		return 1000000 + rnd_below(w, 1000000);
	case 1: /* above 2^59, where the ring buffer's absolute stamps lose bits */
		return (UINT64_C(1) << 59) + rnd_below(w, UINT64_C(1) << 62);
	default:
		return rnd_below(w, UINT64_C(1) << 50);
	}
}

/* From the seed alone, so that the events do not depend on it. */
static void choose_form(struct world *w)
{
	uint64_t n = w->seed * 0x9e3779b97f4a7c15;

	w->form = w->fixed_form ? *w->fixed_form : (struct truth_form){.version = 6};
	if (w->fixed_form || !(w->features & F_FORMS))
		return;
	w->form.version = n >> 63 ? 7 : 6;
	w->form.packing = w->form.version == 7 ? (n >> 32) % 3 : PACK_NONE;
	w->form.instance = (n >> 40) % 3 == 0;
	w->form.narrow = (n >> 48) % 4 == 0;
}

int world_make(struct world *w)
{
	uint64_t span;
	int r = 0;

	w->rng = w->seed * 0x2545f4914f6cdd1d + 1;
	choose_form(w);
	w->grain = (w->features & F_TIES) && rnd_one_in(w, 3) ? 1 << (6 + rnd_below(w, 7)) : 1;
	w->host_cpus = 1 + (unsigned)rnd_below(w, HOST_CPUS_MAX);
	w->n_vms = 1 + (unsigned)rnd_below(w, VMS_MAX);
	/* at a slow pace most deltas need a TIME_EXTEND */
	w->pace = rnd_one_in(w, 4) ? 1 + rnd_below(w, 100000) : 1;
	span = (uint64_t)w->events * 1200 * w->pace;
	w->begin = random_begin(w) / w->grain * w->grain;
	w->host_from = w->begin;
	w->end = w->host_to = w->begin + span;
	w->page_bytes = rnd_one_in(w, 4) ? 8192 : 4096;
	w->trace_id = rnd(w) | 1;
	w->shift = 31;
	w->mult = 742224831; /* 2.89 GHz */
	if ((w->features & F_EDGES) && rnd_one_in(w, 3))
		w->host_from += rnd_below(w, span / 10);
	if ((w->features & F_EDGES) && rnd_one_in(w, 3))
		w->host_to -= rnd_below(w, span / 10);
	for (unsigned i = 0; i < w->n_vms && !r; i++) {
		r = make_vm(w, i, span);
		if ((w->features & F_EDGES) && rnd_one_in(w, 2))
			w->vms[i].from = w->begin + rnd_below(w, span / 5);
		if ((w->features & F_EDGES) && rnd_one_in(w, 2))
			w->vms[i].to = w->end - rnd_below(w, span / 5);
	}
	return r ? r : simulate(w, w->begin);
}

static void lane_free(struct truth_lane *l)
{
	array_free(&l->events);
	array_free(&l->gaps);
}

void world_free(struct world *w)
{
	for (unsigned i = 0; i < HOST_CPUS_MAX; i++) {
		lane_free(&w->host[i]);
		lane_free(&w->offsets[i]);
		lane_free(&w->instance[i]);
	}
	for (unsigned i = 0; i < VMS_MAX; i++)
		for (unsigned k = 0; k < VCPUS_MAX; k++) {
			lane_free(&w->vms[i].lanes[k]);
			array_free(&w->vms[i].vcpus[k].epochs);
			array_free(&w->vms[i].vcpus[k].steps);
			array_free(&w->vms[i].vcpus[k].turns);
		}
}
