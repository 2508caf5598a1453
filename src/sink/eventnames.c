// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/eventnames.h"

#include <errno.h>
#include <stdlib.h>

#include "source/symbols.h"

#define CACHE_BITS 10

struct vcpu_thread {
	int tid;
	unsigned machine;
	uint64_t from_ticks, to_ticks; /* of that recording of the guest */
};

struct known { /* an answer, also that there is none */
	uint64_t addr, start;
	const char *name;
	size_t n;
	unsigned machine; /* + 1; 0: unused */
};

struct eventnames {
	const struct input *in;
	const struct event *ev;
	struct ARRAY(struct vcpu_thread) threads; /* by tid */
	struct known cache[1u << CACHE_BITS];
};

static int compare(const void *a, const void *b)
{
	const struct vcpu_thread *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->machine < y->machine ? -1 : x->machine > y->machine;
}

static int add_threads(struct eventnames *n, unsigned machine)
{
	const struct input_machine *m = &n->in->machines.v[machine];
	const struct input_vcpus *vcpus = m->vcpus.n || !m->same ? &m->vcpus : &m->same->vcpus;

	if (!m->is_guest || m->is_text || !m->source)
		return 0;
	array_for_each(v, vcpus) {
		struct vcpu_thread *t = v->tid > 0 ? array_add(&n->threads) : NULL;

		if (t)
			*t = (struct vcpu_thread){v->tid, machine, m->from_ticks, m->to_ticks};
		else if (v->tid > 0)
			return -ENOMEM;
	}
	return 0;
}

int eventnames_new(const struct input *in, struct eventnames **ret)
{
	struct eventnames *n = calloc(1, sizeof(*n));
	int r = 0;

	if (!n)
		return -ENOMEM;
	n->in = in;
	for (size_t i = 1; i < in->machines.n && !r; i++)
		r = add_threads(n, (unsigned)i);
	if (r) {
		eventnames_free(n);
		return r;
	}
	if (n->threads.n)
		qsort(n->threads.v, n->threads.n, sizeof(*n->threads.v), compare);
	*ret = n;
	return 0;
}

void eventnames_free(struct eventnames *n)
{
	if (!n)
		return;
	array_free(&n->threads);
	free(n);
}

void eventnames_at(struct eventnames *n, const struct event *ev)
{
	n->ev = ev;
}

static const char *symbol_of(struct eventnames *n, unsigned machine, uint64_t addr,
			     uint64_t *ret_start, size_t *ret_n)
{
	uint64_t hash = (addr ^ machine) * UINT64_C(0x9e3779b97f4a7c15);
	struct known *k = &n->cache[hash >> (64 - CACHE_BITS)];

	if (k->machine != machine + 1 || k->addr != addr) {
		*k = (struct known){.addr = addr, .machine = machine + 1};
		k->name = source_symbol(n->in->machines.v[machine].source, addr, &k->start, &k->n);
	}
	*ret_start = k->start;
	*ret_n = k->n;
	return k->name;
}

static const char *symbol(void *ctx, uint64_t addr, uint64_t *ret_start, size_t *ret_n)
{
	struct eventnames *n = ctx;

	return symbol_of(n, n->ev->machine, addr, ret_start, ret_n);
}

static bool covers(const struct vcpu_thread *t, uint64_t ticks)
{
	return (!t->from_ticks || ticks >= t->from_ticks) && (!t->to_ticks || ticks <= t->to_ticks);
}

/* Only of the host's own threads. Of several recordings of a guest (which may have booted with
 * other addresses) that which the event lies in, or the first. */
static const char *guest_symbol(void *ctx, int tid, uint64_t addr, uint64_t *ret_start,
				size_t *ret_n)
{
	struct eventnames *n = ctx;
	const struct vcpu_thread *best = NULL;
	size_t lo = 0, hi = n->threads.n;

	if (n->ev->machine)
		return NULL;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (n->threads.v[mid].tid < tid)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < n->threads.n && n->threads.v[lo].tid == tid; lo++)
		if (!best ||
		    (!covers(best, n->ev->ticks) && covers(&n->threads.v[lo], n->ev->ticks)))
			best = &n->threads.v[lo];
	return best ? symbol_of(n, best->machine, addr, ret_start, ret_n) : NULL;
}

static const char *printk(void *ctx, uint64_t addr, size_t *ret_n)
{
	struct eventnames *n = ctx;

	return source_printk(n->in->machines.v[n->ev->machine].source, addr, ret_n);
}

static uint64_t address(void *ctx, const char *name)
{
	struct eventnames *n = ctx;

	return source_symbol_address(n->in->machines.v[n->ev->machine].source, name);
}

struct fmt_names eventnames_lookups(struct eventnames *n)
{
	return (struct fmt_names){n, symbol, guest_symbol, printk, address};
}
