// SPDX-License-Identifier: GPL-2.0-or-later
/* check on a made-up world. */
#include <inttypes.h>
#include <string.h>

#include "insight/solve.h"
#include "verify.h"

void check_laws(struct verify *v, const struct laws_result *l)
{
	for (int i = 0; i < LAWS; i++) {
		const struct law_sum *s = &l->sums[i];

		if (s->broken)
			fault(v, "%s: broken %" PRIu64 " times, first at %" PRIu64,
			      law_text((enum law)i), s->broken, s->first_broken_ticks);
		v->effects += s->kept;
	}
}

void check_proof(struct verify *v, const struct proof_result *r)
{
	if (r->violations)
		fault(v, "check finds %" PRIu64 " violations", r->violations);
	/* a loss in the host's other buffer may have been an exit, for all that check knows */
	if (r->inside < v->whole && !v->w->form.instance)
		fault(v, "check judges %" PRIu64 " events inside, %" PRIu64 " are", r->inside,
		      v->whole);
}

static const struct truth_vm *vm_named(const struct world *w, const char *name)
{
	for (unsigned i = 0; i < w->n_vms; i++)
		if (!strcmp(w->vms[i].name, name))
			return &w->vms[i];
	return NULL;
}

static bool is_constant(const struct truth_vm *vm)
{
	for (unsigned i = 0; i < vm->n; i++)
		if (vm->vcpus[i].epochs.n > 1 ||
		    vm->vcpus[i].epochs.v[0].map.offset != vm->vcpus[0].epochs.v[0].map.offset)
			return false;
	return true;
}

/* An answer that is the only one must contain the truth. */
static void check_answer(struct verify *v, const struct truth_vm *vm, const struct solve_vcpu *s)
{
	uint64_t offset = vm->vcpus[0].epochs.v[0].map.offset;
	const struct solve_epoch *e = s->epochs;

	if (!s->n_epochs || e->others)
		return;
	v->solved++;
	if (s->n_epochs > 1)
		fault(v, "solve finds %zu offsets of %s vCPU %u instead of one", s->n_epochs,
		      vm->name, s->vcpu->id);
	else if (offset - (uint64_t)e->lo > (uint64_t)e->hi - (uint64_t)e->lo)
		fault(v, "solve: %s vCPU %u has offset %" PRId64 ", not %" PRId64 " .. %" PRId64,
		      vm->name, s->vcpu->id, (int64_t)offset, e->lo, e->hi);
}

/* Violations and unjudged events when vCPU number n comes later by shift ticks. */
static int shifted(struct verify *v, struct input *in, size_t n, uint64_t shift, uint64_t *ret)
{
	_cleanup_timeline_ struct timeline *t = NULL;
	_cleanup_proof_ struct proof *p = NULL;
	size_t k = 0;
	int r;

	array_for_each(m, &in->machines)
		array_for_each(x, &m->vcpus)
			if (k++ == n)
				x->epochs.v[0].map.offset -= (int64_t)shift;
	r = timeline_new(in, NULL, &t);
	if (!r)
		r = proof_new(&p);
	if (!r)
		r = timeline_run(t, &(struct timeline_use){&proof_consumer, p}, 1);
	k = 0;
	array_for_each(m, &in->machines)
		array_for_each(x, &m->vcpus)
			if (k++ == n)
				x->epochs.v[0].map.offset += (int64_t)shift;
	if (r)
		return r;
	ret[0] = proof_result(p)->vcpus[n].all.violations;
	ret[1] = proof_result(p)->vcpus[n].events - proof_result(p)->vcpus[n].all.inside;
	return 0;
}

/* The shifts that check calls possible are, and the next ones are not. */
void check_bounds(struct verify *v, struct input *in, const struct proof_result *r)
{
	size_t n = r->n_vcpus ? v->w->seed % r->n_vcpus : 0;
	const struct proof_vcpu *c = &r->vcpus[n];
	uint64_t ok[2], bad[2];

	if (!r->n_vcpus || c->vcpu->epochs.n != 1 || c->all.violations || !c->all.inside ||
	    c->all.down == UINT64_MAX || c->all.up == UINT64_MAX ||
	    !tsc_map_is_unscaled(&c->vcpu->epochs.v[0].map))
		return;
	/* with events that cannot be judged some may become so while others no longer can */
	if (c->events != c->all.inside)
		return;
	if (shifted(v, in, n, c->all.up, ok) || shifted(v, in, n, c->all.up + 1, bad))
		fault(v, "cannot be read once more");
	else if (ok[0] || (!bad[0] && !bad[1]))
		fault(v, "vCPU %zu: up to +%" PRIu64 " is said to be possible", n, c->all.up);
	else if (shifted(v, in, n, 0 - c->all.down, ok) ||
		 shifted(v, in, n, 0 - c->all.down - 1, bad))
		fault(v, "cannot be read once more");
	else if (ok[0] || (!bad[0] && !bad[1]))
		fault(v, "vCPU %zu: down to -%" PRIu64 " is said to be possible", n, c->all.down);
	else
		v->bounds++;
}

/* The offsets again, from the windows alone. */
void check_solve(struct verify *v, struct input *in)
{
	_cleanup_solve_ struct solve s = {0};
	int r = solve_offsets(in, &s);

	if (r)
		fault(v, "cannot be solved: %s", strerror(-r));
	array_for_each(x, &s.vcpus) {
		const struct truth_vm *vm = vm_named(v->w, in->machines.v[x->machine].name);

		if (vm && is_constant(vm))
			check_answer(v, vm, x);
	}
}
