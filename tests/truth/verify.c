// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes worlds, merges what their files tell and holds the result against what happened:
 * test-truth --seeds 1000. Each seed twice: as a session and as files side by side. */
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/options.h"
#include "insight/laws.h"
#include "insight/proof.h"
#include "insight/solve.h"
#include "timeline/timeline.h"
#include "files.h"

#define UNKNOWN UINT64_MAX /* before the first entry or exit, and since a loss on the host */

struct lane_state {
	const struct truth_lane *lane;
	size_t next, gap;
};

struct verify {
	const struct world *w;
	struct lane_state *lanes; /* by timeline lane */
	size_t n_lanes;
	uint64_t last, latest_lo;
	uint64_t open[VMS_MAX][VCPUS_MAX]; /* window in the order of the output, 0, UNKNOWN */
	bool *has_entry, *has_exit;	   /* by window: the file holds it */
	unsigned faults;
	uint64_t events, exact, bounded, clamped, ambiguous, misordered, solved, effects;
	uint64_t whole; /* events whose window is recorded */
};

static __attribute__((format(printf, 2, 3))) void fault(struct verify *v, const char *fmt, ...)
{
	va_list ap;

	if (v->faults++ >= 5)
		return;
	printf("# seed %" PRIu64 " %s: ", v->w->seed, v->w->session ? "session" : "files");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

static void note_windows(struct verify *v, const struct truth_lane *l)
{
	array_for_each(e, &l->events) {
		if (e->flags & T_LOST)
			continue;
		if (e->kind == T_ENTRY)
			v->has_entry[e->window] = true;
		if (e->kind == T_EXIT)
			v->has_exit[e->window] = true;
	}
}

static const struct truth_lane *find_lane(const struct world *w, const struct input *in,
					  const struct timeline_lane *l)
{
	const char *name = in->machines.v[l->machine].name;

	if (!l->machine)
		return l->cpu < w->host_cpus ? &w->host[l->cpu] : NULL;
	for (unsigned i = 0; i < w->n_vms; i++)
		if (!strcmp(w->vms[i].name, name) && l->cpu < w->vms[i].n)
			return &w->vms[i].lanes[l->cpu];
	return NULL;
}

static void windows_unknown(struct verify *v)
{
	for (unsigned i = 0; i < VMS_MAX * VCPUS_MAX; i++)
		if (!v->open[i / VCPUS_MAX][i % VCPUS_MAX])
			v->open[i / VCPUS_MAX][i % VCPUS_MAX] = UNKNOWN;
}

static int begin(void *state, const struct timeline *t)
{
	struct verify *v = state;
	const struct timeline_lane *lanes = timeline_lanes(t, &v->n_lanes);

	v->lanes = calloc(v->n_lanes + 1, sizeof(*v->lanes));
	v->has_entry = calloc(v->w->windows + 1, 1);
	v->has_exit = calloc(v->w->windows + 1, 1);
	if (!v->lanes || !v->has_entry || !v->has_exit)
		return -ENOMEM;
	for (size_t i = 0; i < v->n_lanes; i++) {
		v->lanes[i].lane = find_lane(v->w, timeline_input(t), &lanes[i]);
		if (!v->lanes[i].lane)
			fault(v, "no such lane: machine %u CPU %u", lanes[i].machine, lanes[i].cpu);
	}
	for (unsigned i = 0; i < v->w->host_cpus; i++)
		note_windows(v, &v->w->host[i]);
	windows_unknown(v);
	return 0;
}

static void check_content(struct verify *v, const struct event *ev, const struct truth_event *e)
{
	if (strcmp(ev->kind->name, payload_name(e->kind)))
		fault(v, "%s instead of %s at %" PRIu64, ev->kind->name, payload_name(e->kind),
		      e->ticks);
	else if (ev->size != e->size || memcmp(ev->data, e->data, e->size))
		fault(v, "%s at %" PRIu64 " has other bytes", ev->kind->name, e->ticks);
	else if (ev->raw_ticks != e->stamp && !(e->flags & T_CLAMPED))
		fault(v, "%s at %" PRIu64 " has stamp %" PRIu64 " instead of %" PRIu64,
		      ev->kind->name, e->ticks, ev->raw_ticks, e->stamp);
}

static bool stepped_back(const struct world *w, const struct truth_event *e)
{
	if (!e->machine)
		return false;
	array_for_each(step, &w->vms[e->vm].vcpus[e->vcpu].steps)
		if (step->by < 0)
			return true;
	return false;
}

/* Exact where order and stamp tell; else within bounds, and said to be doubtful. */
static void check_ticks(struct verify *v, const struct event *ev, const struct truth_event *e)
{
	uint64_t high = ev->ticks + ev->width;

	v->clamped += (e->flags & T_CLAMPED) != 0;
	v->ambiguous += (e->flags & T_AMBIGUOUS) != 0;
	if (ev->ticks <= e->lo && high >= e->hi && ev->doubtful &&
	    ((e->flags & T_CLAMPED) || stepped_back(v->w, e)))
		v->bounded++;
	else if (ev->ticks == e->lo && high == e->hi && !ev->doubtful)
		v->exact++;
	else
		fault(v,
		      "machine %u CPU %u %s at %" PRIu64 " is put at [%" PRIu64 ",%" PRIu64 "]%s%s",
		      e->machine, e->cpu, ev->kind->name, e->ticks, ev->ticks, high,
		      ev->doubtful ? " doubtful" : "", e->flags & T_CLAMPED ? " clamped" : "");
}

static void check_order(struct verify *v, const struct event *ev, const struct truth_event *e)
{
	if (ev->ticks < v->last)
		fault(v, "output goes back from %" PRIu64 " to %" PRIu64, v->last, ev->ticks);
	v->last = ev->ticks;
	if (ev->doubtful)
		return;
	if (e->hi < v->latest_lo) {
		v->misordered++;
		fault(v, "%s at %" PRIu64 " comes after an event of %" PRIu64, ev->kind->name,
		      e->ticks, v->latest_lo);
	}
	if (e->lo > v->latest_lo)
		v->latest_lo = e->lo;
}

static void check_window(struct verify *v, const struct event *ev, const struct truth_event *e)
{
	uint64_t *open;

	if (!e->window)
		return;
	open = &v->open[e->vm][e->vcpu];
	if (e->kind == T_ENTRY)
		*open = e->window;
	else if (e->kind == T_EXIT)
		*open = 0;
	else if (v->has_entry[e->window] && v->has_exit[e->window] && *open != UNKNOWN &&
		 !ev->doubtful) {
		v->whole++;
		/* of two windows that meet in one tick either may be said */
		if (!*open)
			fault(v, "guest event at %" PRIu64 " lies outside its window", e->ticks);
	}
}

static void check_record(struct verify *v, const struct event *ev)
{
	struct lane_state *l = &v->lanes[ev->lane];
	const struct truth_event *e;

	while (l->next < l->lane->events.n && l->lane->events.v[l->next].flags & T_LOST)
		l->next++;
	v->events++;
	if (l->next == l->lane->events.n) {
		fault(v, "machine %u CPU %u: one event too many", ev->machine, ev->cpu);
		return;
	}
	if (l->gap < l->lane->gaps.n && l->lane->gaps.v[l->gap].before <= l->next) {
		fault(v, "machine %u CPU %u: a gap before event %zu is not shown", ev->machine,
		      ev->cpu, l->next);
		l->gap++;
	}
	e = &l->lane->events.v[l->next++];
	check_content(v, ev, e);
	check_ticks(v, ev, e);
	check_order(v, ev, e);
	check_window(v, ev, e);
}

static void check_lost(struct verify *v, const struct event *ev)
{
	struct lane_state *l = &v->lanes[ev->lane];
	const struct truth_gap *g;
	size_t next = l->next;

	if (!ev->machine)
		windows_unknown(v);
	while (next < l->lane->events.n && l->lane->events.v[next].flags & T_LOST)
		next++;
	/* of gaps without a number one may have been at the end */
	if (l->gap == l->lane->gaps.n && next == l->lane->events.n && ev->lost == UINT64_MAX)
		return;
	if (l->gap == l->lane->gaps.n || l->lane->gaps.v[l->gap].before != next) {
		fault(v, "machine %u CPU %u: a gap at %" PRIu64 " that was none", ev->machine,
		      ev->cpu, ev->ticks);
		return;
	}
	g = &l->lane->gaps.v[l->gap++];
	if (ev->lost != g->lost)
		fault(v, "machine %u CPU %u: %" PRIu64 " events lost instead of %" PRIu64,
		      ev->machine, ev->cpu, ev->lost, g->lost);
}

static int batch(void *state, const struct event *ev, size_t n)
{
	struct verify *v = state;

	for (size_t i = 0; i < n; i++) {
		if (!v->lanes[ev[i].lane].lane)
			continue;
		if (ev[i].type == EVENT_LOST)
			check_lost(v, &ev[i]);
		else
			check_record(v, &ev[i]);
	}
	return 0;
}

static int end(void *state)
{
	struct verify *v = state;

	for (size_t i = 0; i < v->n_lanes; i++) {
		struct lane_state *l = &v->lanes[i];
		size_t missing = 0;

		for (; l->lane && l->next < l->lane->events.n; l->next++)
			missing += !(l->lane->events.v[l->next].flags & T_LOST);
		if (missing)
			fault(v, "lane %zu: %zu events missing", i, missing);
	}
	return 0;
}

static const struct consumer verify_consumer = {"verify", begin, batch, end};

static void check_laws(struct verify *v, const struct laws_result *l)
{
	for (int i = 0; i < LAWS; i++) {
		const struct law_sum *s = &l->sums[i];

		if (s->broken)
			fault(v, "%s: broken %" PRIu64 " times, first at %" PRIu64,
			      law_text((enum law)i), s->broken, s->first_broken_ticks);
		v->effects += s->kept;
	}
}

static void check_proof(struct verify *v, const struct proof_result *r)
{
	if (r->violations)
		fault(v, "check finds %" PRIu64 " violations", r->violations);
	if (r->inside < v->whole)
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

/* The offsets again, from the windows alone. */
static void check_solve(struct verify *v, struct input *in)
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

static int open_world(const struct world *w, const char *dir, struct input **ret)
{
	char paths[VMS_MAX + 1][4400];
	const char *list[VMS_MAX + 1] = {dir};

	if (w->session)
		return input_open(list, 1, ret);
	snprintf(paths[0], sizeof(paths[0]), "%s/host.dat", dir);
	for (unsigned i = 0; i < w->n_vms; i++)
		snprintf(paths[i + 1], sizeof(paths[0]), "%s/guest-%s.dat", dir, w->vms[i].name);
	for (unsigned i = 0; i <= w->n_vms; i++)
		list[i] = paths[i];
	return input_open(list, w->n_vms + 1, ret);
}

static int verify(const char *dir, struct verify *v)
{
	_cleanup_input_ struct input *in = NULL;
	_cleanup_timeline_ struct timeline *t = NULL;
	_cleanup_proof_ struct proof *p = NULL;
	_cleanup_laws_ struct laws *l = NULL;
	int r = open_world(v->w, dir, &in);

	if (!r)
		r = timeline_new(in, NULL, &t);
	if (!r)
		r = proof_new(&p);
	if (!r)
		r = laws_new(&l);
	if (!r)
		r = timeline_run(t,
				 (struct timeline_use[]){{&verify_consumer, v},
							 {&proof_consumer, p},
							 {&laws_consumer, l}},
				 3);
	if (r)
		fault(v, "cannot be read: %s", strerror(-r));
	else
		check_proof(v, proof_result(p));
	if (!r) {
		check_laws(v, laws_result(l));
		check_solve(v, in);
	}
	free(v->lanes);
	free(v->has_entry);
	free(v->has_exit);
	return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

struct config {
	uint64_t first, seeds, events;
	bool keep;
	struct opt_strv without;
};

static const struct opt opts[] = {
	{0, "first", OPT_U64, offsetof(struct config, first), "N", "first seed (1)"},
	{0, "seeds", OPT_U64, offsetof(struct config, seeds), "N", "how many seeds (50)"},
	{0, "events", OPT_U64, offsetof(struct config, events), "N", "events a world (4000)"},
	{0, "without", OPT_STRV, offsetof(struct config, without), "FEATURE",
	 "scaling, steps, backward, loss, host-loss, ties, wrap, sparse, edges"},
	{0, "keep", OPT_FLAG, offsetof(struct config, keep), NULL, "keep the files"},
	{0},
};

static const struct opt_spec spec = {
	.command = "test-truth",
	.args = "",
	.summary = "Merge made-up worlds and compare with what happened in them.",
	.example = "test-truth --first 17 --seeds 1 --keep",
	.opts = opts,
};

/* Adds to *sum; false when the world did not come back as it was. */
static bool run_one(uint64_t seed, bool session, const struct config *c, const char *top,
		    struct verify *sum)
{
	struct world w = {.seed = seed, .session = session};
	struct verify v = {.w = &w};
	char dir[4200];
	int r;

	w.events = (unsigned)c->events;
	w.features = features_without(c->without.v, c->without.n);
	snprintf(dir, sizeof(dir), "%s/%" PRIu64 "%s", top, seed, session ? ".onetsc" : ".files");
	r = world_make(&w);
	if (!r)
		r = world_write(&w, dir);
	if (r)
		fault(&v, "cannot be made: %s", strerror(-r));
	else
		verify(dir, &v);
	world_free(&w);
	if (!c->keep)
		nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	sum->events += v.events;
	sum->exact += v.exact;
	sum->bounded += v.bounded;
	sum->clamped += v.clamped;
	sum->ambiguous += v.ambiguous;
	sum->misordered += v.misordered;
	sum->solved += v.solved;
	sum->effects += v.effects;
	sum->faults += v.faults;
	return !v.faults;
}

int main(int argc, char **argv)
{
	struct config c = {.first = 1, .seeds = 50, .events = 4000};
	const char *tmp = getenv("TMPDIR");
	char top[256];
	struct verify sum = {0};
	unsigned bad = 0;
	int r = opt_parse(&spec, &c, argc, argv);

	if (r == OPT_HELP)
		return 0;
	if (r < 0 || !features_without(c.without.v, c.without.n))
		return 2;
	snprintf(top, sizeof(top), "%s/truth-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(top)) {
		log_err("cannot make a directory in %s: %m", tmp ? tmp : "/tmp");
		return 1;
	}
	log_set_level(LOG_ERR);
	for (uint64_t i = 0; i < c.seeds; i++) {
		bad += !run_one(c.first + i, true, &c, top, &sum);
		bad += !run_one(c.first + i, false, &c, top, &sum);
	}
	if (c.keep)
		printf("# files are in %s\n", top);
	else
		rmdir(top);
	/* a reader that calls everything doubtful proves nothing */
	if (sum.bounded > sum.events / 20) {
		printf("# %" PRIu64 " of %" PRIu64 " events are only bounded\n", sum.bounded,
		       sum.events);
		bad++;
	}
	printf("%s 1 - %" PRIu64 " worlds: %" PRIu64 " events, %" PRIu64 " exact, %" PRIu64
	       " bounded (%" PRIu64 " clamped), %" PRIu64 " misordered, %" PRIu64
	       " offsets solved, %" PRIu64 " effects after their causes, %u worlds wrong\n1..1\n",
	       bad ? "not ok" : "ok", 2 * c.seeds, sum.events, sum.exact, sum.bounded, sum.clamped,
	       sum.misordered, sum.solved, sum.effects, bad);
	return bad ? 1 : 0;
}
