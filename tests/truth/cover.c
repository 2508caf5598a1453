// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "verify.h"

#define EXIT_HLT 0x78

static bool has_flag(const struct truth_lane *l, unsigned flag)
{
	array_for_each(e, &l->events)
		if (e->flags & flag)
			return true;
	return false;
}

static bool any_lane(const struct truth_lane *l, unsigned n, unsigned flag)
{
	bool any = false;

	for (unsigned i = 0; i < n; i++)
		any |= has_flag(&l[i], flag);
	return any;
}

/* In one epoch a lane's stamps only fall when the counter wraps. */
static bool wraps(const struct truth_vm *vm, const struct truth_vcpu *v)
{
	const struct truth_events *e = &vm->lanes[v->guest_cpu].events;

	return v->epochs.n == 1 && e->n && e->v[0].stamp > e->v[e->n - 1].stamp;
}

static void cover_steps(uint64_t *has, const struct world *w, const struct truth_vm *vm,
			const struct truth_vcpu *v)
{
	for (size_t i = 1; i < v->epochs.n; i++) {
		const struct truth_epoch *e = &v->epochs.v[i];

		has[COVER_STEP] = 1;
		has[COVER_STEP_BACK] |= (int64_t)(e->map.offset - e[-1].map.offset) < 0;
		has[COVER_STEPS_CLOSE] |= i > 1 && e->from - e[-1].from < 50 * 3000 * w->pace;
	}
	has[COVER_STEP_ALONE] |= v->epochs.n > 1 && vm->n > 1 && vm->vcpus[0].epochs.n == 1;
}

static void cover_states(uint64_t *has, const struct truth_vcpu *v)
{
	array_for_each(t, &v->turns) {
		has[COVER_DOES + t->doing] = 1;
		has[COVER_LEFT] |=
			t > v->turns.v && t->doing == DOES_PREEMPTED && t[-1].doing == DOES_GUEST;
	}
}

static void cover_vm(uint64_t *has, const struct world *w, const struct truth_vm *vm)
{
	for (unsigned i = 0; i < vm->n; i++) {
		const struct truth_vcpu *v = &vm->vcpus[i];
		const struct truth_map *m = &v->epochs.v[0].map;

		if (m->frac && m->ratio != UINT64_C(1) << m->frac)
			has[m->frac == 32 ? COVER_SCALE_32 : COVER_SCALE_48] = 1;
		cover_steps(has, w, vm, v);
		cover_states(has, v);
		has[COVER_WRAP] |= wraps(vm, v);
	}
	has[COVER_GUEST_LOSS] |= any_lane(vm->lanes, vm->n, T_LOST);
	has[COVER_CLAMP] |= any_lane(vm->lanes, vm->n, T_CLAMPED);
}

static void cover_host(uint64_t *has, const struct world *w)
{
	int cpu_of[VMS_MAX][VCPUS_MAX];

	memset(cpu_of, -1, sizeof(cpu_of));
	for (unsigned i = 0; i < w->host_cpus; i++)
		array_for_each(e, &w->host[i].events) {
			uint32_t reason;

			memcpy(&reason, e->data + 8, 4);
			has[COVER_HALT] |= e->kind == T_EXIT && reason == EXIT_HLT;
			if (e->kind != T_ENTRY)
				continue;
			has[COVER_MIGRATE] |=
				cpu_of[e->vm][e->vcpu] >= 0 && cpu_of[e->vm][e->vcpu] != (int)i;
			cpu_of[e->vm][e->vcpu] = (int)i;
		}
}

void cover_add(uint64_t *counts, const struct world *w)
{
	uint64_t has[COVERS] = {0};

	has[COVER_VMS] = w->n_vms > 1;
	has[COVER_HIGH] = w->begin >> 59 != 0;
	has[COVER_HOST_LOSS] = any_lane(w->host, w->host_cpus, T_LOST);
	has[COVER_V7_PLAIN] = w->form.version == 7 && w->form.packing == PACK_NONE;
	has[COVER_V7_ZLIB] = w->form.packing == PACK_ZLIB;
	has[COVER_V7_ZSTD] = w->form.packing == PACK_ZSTD;
	has[COVER_INSTANCE] = w->form.instance;
	has[COVER_NARROW] = w->form.narrow;
	for (unsigned i = 0; i < w->n_vms; i++)
		cover_vm(has, w, &w->vms[i]);
	cover_host(has, w);
	for (int i = 0; i < COVERS; i++)
		counts[i] += has[i];
}

unsigned cover_print(const uint64_t *counts)
{
	static const char *const names[] = {
		[COVER_VMS] = "several VMs",
		[COVER_MIGRATE] = "a vCPU on two host CPUs",
		[COVER_SCALE_32] = "ratio not 1, 32 bits",
		[COVER_SCALE_48] = "ratio not 1, 48 bits",
		[COVER_STEP] = "an offset step",
		[COVER_STEP_BACK] = "a step back",
		[COVER_STEPS_CLOSE] = "two steps close together",
		[COVER_STEP_ALONE] = "a step on one vCPU only",
		[COVER_WRAP] = "a guest counter wraps",
		[COVER_HIGH] = "stamps above 2^59",
		[COVER_GUEST_LOSS] = "lost guest events",
		[COVER_HOST_LOSS] = "lost host events",
		[COVER_CLAMP] = "clamped stamps",
		[COVER_HALT] = "halts",
		[COVER_DOES + DOES_GUEST] = "vCPUs in the guest",
		[COVER_DOES + DOES_KVM] = "vCPUs in KVM",
		[COVER_DOES + DOES_VMM] = "vCPUs in the VMM",
		[COVER_DOES + DOES_PREEMPTED] = "preempted vCPUs",
		[COVER_DOES + DOES_WAITING] = "woken vCPUs",
		[COVER_DOES + DOES_HALTED] = "halted vCPUs",
		[COVER_DOES + DOES_BLOCKED] = "blocked vCPUs",
		[COVER_LEFT] = "a vCPU off its CPU before kvm_exit",
		[COVER_V7_PLAIN] = "version 7",
		[COVER_V7_ZLIB] = "version 7, zlib",
		[COVER_V7_ZSTD] = "version 7, zstd",
		[COVER_INSTANCE] = "two buffers",
		[COVER_NARROW] = "32-bit guests",
	};
	unsigned none = 0;

	for (int i = 0; i < COVERS; i++) {
		printf("# %" PRIu64 " worlds with %s\n", counts[i], names[i]);
		none += !counts[i];
	}
	return none;
}
