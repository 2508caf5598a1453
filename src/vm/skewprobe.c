// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/skewprobe.h"

#include <cpuid.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "base/mono.h"

#define CPUS_MAX  8192
#define EXCHANGES 1000
/* Where CPUs are busy, both threads must get a slice at the same time once. */
#define PAIR_MIN_NS 40000000ull
#define LOOK_EVERY  1024 /* turns of waiting between two looks at the clock */

#define EMULATED_TICKS 4096 /* a microsecond or more */

struct pair {
	alignas(64) atomic_uint_fast64_t ping; /* number of the exchange */
	alignas(64) atomic_uint_fast64_t pong;
	uint64_t pong_tsc; /* written before pong */
	alignas(64) atomic_bool stop;
	struct skew skew;
	uint64_t end_ns;
};

static inline uint64_t rdtsc(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

/* False when it was told to stop, or time is over. */
static bool wait_until(struct pair *p, const atomic_uint_fast64_t *what, uint64_t n)
{
	for (unsigned turn = 1; atomic_load_explicit(what, memory_order_acquire) != n; turn++) {
		if (turn % LOOK_EVERY == 0 &&
		    (atomic_load_explicit(&p->stop, memory_order_relaxed) || mono_ns() > p->end_ns))
			return false;
		_mm_pause();
	}
	return true;
}

static void *answer(void *arg)
{
	struct pair *p = arg;

	for (uint64_t n = 1; n <= EXCHANGES && wait_until(p, &p->ping, n); n++) {
		p->pong_tsc = rdtsc();
		atomic_store_explicit(&p->pong, n, memory_order_release);
	}
	return NULL;
}

static void ask(struct pair *p)
{
	for (uint64_t n = 1; n <= EXCHANGES; n++) {
		uint64_t a0 = rdtsc();

		atomic_store_explicit(&p->ping, n, memory_order_release);
		if (!wait_until(p, &p->pong, n))
			break;
		skew_add(&p->skew, a0, p->pong_tsc, rdtsc());
	}
	atomic_store_explicit(&p->stop, true, memory_order_relaxed);
}

/* Its LFENCE is no barrier for what its RDTSC does: the stamp of an answer was seen to be older than
 * the fastest message. */
static bool is_emulated(void)
{
	unsigned a, b, c, d;
	char name[13] = "";

	__cpuid(0x40000000, a, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	return !strcmp(name, "TCGTCGTCGTCG");
}

static int set_cpu(pthread_attr_t *attr, cpu_set_t *set, size_t bytes, int cpu)
{
	CPU_ZERO_S(bytes, set);
	CPU_SET_S((size_t)cpu, bytes, set);
	if (attr)
		return -pthread_attr_setaffinity_np(attr, bytes, set);
	return sched_setaffinity(0, bytes, set) ? -errno : 0;
}

/* TSC(b) - TSC(a). 0 with n 0 when the two never met, or a CPU is not to be had. */
static int measure(int a, int b, cpu_set_t *set, size_t bytes, uint64_t end_ns, struct skew *ret)
{
	struct pair p = {.skew = SKEW_UNKNOWN, .end_ns = end_ns};
	pthread_attr_t attr;
	pthread_t thread;
	int r;

	*ret = p.skew;
	pthread_attr_init(&attr);
	r = set_cpu(&attr, set, bytes, b);
	if (!r)
		r = set_cpu(NULL, set, bytes, a);
	if (!r)
		r = -pthread_create(&thread, &attr, answer, &p);
	pthread_attr_destroy(&attr);
	if (r == -EINVAL) /* taken offline meanwhile */
		return 0;
	if (r)
		return r;
	ask(&p);
	pthread_join(thread, NULL);
	*ret = p.skew;
	return 0;
}

static int add_pair(struct skewprobe *p, size_t i, size_t j, cpu_set_t *set, size_t bytes,
		    uint64_t pair_ns)
{
	struct skew s;
	int r = measure(p->cpus[i], p->cpus[j], set, bytes, mono_ns() + pair_ns, &s);

	if (r)
		return r;
	if (p->emulated && s.n)
		skew_widen(&s, EMULATED_TICKS);
	p->exchanges += s.n;
	p->measured += s.n > 0;
	p->consistent &= skew_is_constant(&s);
	skew_matrix_add(&p->matrix, i, j, &s);
	return 0;
}

/* The first CPU with each, then the others, as long as time lasts. */
static int measure_all(const struct skewprobe_spec *spec, struct skewprobe *p, cpu_set_t *set,
		       size_t bytes, uint64_t end_ns)
{
	uint64_t pair_ns = spec->budget_ns / (spec->all_pairs ? p->n * (p->n - 1) / 2 : p->n - 1);
	int r = 0;

	pair_ns = pair_ns > PAIR_MIN_NS ? pair_ns : PAIR_MIN_NS;
	for (size_t i = 0; i + 1 < p->n && (!i || spec->all_pairs); i++)
		for (size_t j = i + 1; j < p->n && !r; j++)
			if (mono_ns() < end_ns)
				r = add_pair(p, i, j, set, bytes, pair_ns);
	if (!r)
		p->consistent &= p->n <= SKEWPROBE_CLOSE_MAX ? skew_matrix_close(&p->matrix)
							     : skew_matrix_close_by(&p->matrix, 0);
	return r;
}

static int list_cpus(const cpu_set_t *mine, size_t bytes, struct skewprobe *p)
{
	p->cpus = calloc((size_t)CPU_COUNT_S(bytes, mine), sizeof(*p->cpus));
	if (!p->cpus)
		return -ENOMEM;
	for (size_t cpu = 0; cpu < CPUS_MAX; cpu++)
		if (CPU_ISSET_S(cpu, bytes, mine))
			p->cpus[p->n++] = (int)cpu;
	return p->n > 1 ? skew_matrix_new(p->n, &p->matrix) : 0;
}

int skewprobe_run(const struct skewprobe_spec *spec, struct skewprobe *ret)
{
	size_t bytes = CPU_ALLOC_SIZE(CPUS_MAX);
	_cleanup_free_ cpu_set_t *mine = CPU_ALLOC(CPUS_MAX), *set = CPU_ALLOC(CPUS_MAX);
	struct skewprobe p = {.consistent = true, .emulated = is_emulated()};
	uint64_t begin_ns = mono_ns();
	int r, err = 0;

	if (!mine || !set)
		return -ENOMEM;
	CPU_ZERO_S(bytes, mine);
	if (sched_getaffinity(0, bytes, mine))
		return -errno;
	r = list_cpus(mine, bytes, &p);
	if (!r && p.n > 1) {
		r = measure_all(spec, &p, set, bytes, begin_ns + spec->budget_ns);
		err = sched_setaffinity(0, bytes, mine) ? -errno : 0;
	}
	r = r ? r : err;
	if (r) {
		skewprobe_free(&p);
		return r;
	}
	p.online = (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	p.took_ns = mono_ns() - begin_ns;
	*ret = p;
	return 0;
}

void skewprobe_free(struct skewprobe *p)
{
	free(p->cpus);
	skew_matrix_free(&p->matrix);
	*p = (struct skewprobe){0};
}
