/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Worlds of which everything is known: VMs that run on host CPUs, change their TSC offsets, lose
 * events. From a seed alone; written as trace.dat v6 files by a writer of its own. The formulas here
 * are written anew on purpose: they check src/clock, src/session and src/source. */
#pragma once

#include "vcpu.h"

#define VMS_MAX	      3
#define VCPUS_MAX     4
#define HOST_CPUS_MAX 6

struct truth_vm {
	char name[16];
	int pid;
	unsigned n;
	uint64_t from, to; /* recorded between these host ticks */
	uint64_t trace_id;
	struct truth_vcpu vcpus[VCPUS_MAX];
	struct truth_lane lanes[VCPUS_MAX]; /* by guest CPU */
};

/* What a world may contain; every bit can be taken away. */
enum truth_feature {
	F_SCALING = 1,
	F_STEPS = 2,	/* offsets change in mid-trace */
	F_BACKWARD = 4, /* also backward */
	F_LOSS = 8,	/* guest events are lost */
	F_HOST_LOSS = 16,
	F_TIES = 32,	/* coarse ticks */
	F_WRAP = 64,	/* guest counters wrap */
	F_SPARSE = 128, /* vCPU ids are not 0..n-1, guest CPUs in another order (sessions only) */
	F_EDGES = 256,	/* host and guests recorded over different times */
	F_FORMS = 512,	/* trace.dat v7, compressed, an instance, 32-bit guests */
	F_ALL = 1023,
};

enum truth_packing { PACK_NONE, PACK_ZLIB, PACK_ZSTD };

/* How a world's files are written. */
struct truth_form {
	unsigned version; /* 6 or 7 */
	enum truth_packing packing;
	bool instance; /* the host's background in a buffer of its own */
	bool narrow;   /* guests have a long of 4 bytes */
};

/* F_ALL without the named ones; 0 after a message. */
unsigned features_without(const char *const *names, size_t n);

struct world {
	uint64_t seed, rng;
	unsigned features;
	bool session;	 /* else files side by side */
	unsigned events; /* about so many */
	unsigned repeat; /* more than 1: all that happened happens so often, span ticks apart */
	uint64_t span;
	unsigned host_cpus, n_vms;
	uint64_t grain, pace;
	uint64_t begin, host_from, host_to, end;
	uint32_t page_bytes, mult, shift;
	struct truth_form form;
	const struct truth_form *fixed_form; /* NULL: from the seed */
	uint64_t trace_id, windows;
	struct truth_vm vms[VMS_MAX];
	struct truth_lane host[HOST_CPUS_MAX], offsets[HOST_CPUS_MAX];
	struct truth_lane instance[HOST_CPUS_MAX]; /* of the host, when form.instance */
	int running[HOST_CPUS_MAX];		   /* tid on that CPU */
	bool in_guest[HOST_CPUS_MAX];
};

/* rng.c */
uint64_t rnd(struct world *w);
uint64_t rnd_below(struct world *w, uint64_t n);
/* true once in n */
bool rnd_one_in(struct world *w, unsigned n);

/* make.c: from w's seed, features, session and events everything else. 0 or -ENOMEM. */
must_check int world_make(struct world *w);
void world_free(struct world *w);

/* world.c: lets it happen; background events from rest_at on. */
must_check int simulate(struct world *w, uint64_t rest_at);
must_check int epoch_add(struct truth_vcpu *v, uint64_t from, struct truth_map m);
/* How long something takes: mean, now and then much more. */
uint64_t step_ticks(struct world *w, uint64_t mean);
uint64_t map_forward(const struct truth_map *m, uint64_t host_ticks);
const struct truth_epoch *epoch_of(const struct truth_vcpu *v, uint64_t host_ticks);
