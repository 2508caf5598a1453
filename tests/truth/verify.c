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
#include "files.h"
#include "verify.h"

#define ALL_HAPPENS 100 /* seeds in which all that worlds may have comes up */

void fault(struct verify *v, const char *fmt, ...)
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
	_cleanup_exits_ struct exits *e = NULL;
	int r = open_world(v->w, dir, &in);

	if (!r)
		r = timeline_new(in, NULL, &t);
	if (!r)
		r = proof_new(&p);
	if (!r)
		r = laws_new(&l);
	if (!r)
		r = exits_new(&states_ops, v, &e);
	states_begin(v);
	if (!r)
		r = timeline_run(t,
				 (struct timeline_use[]){{&compare_consumer, v},
							 {&proof_consumer, p},
							 {&laws_consumer, l},
							 {&exits_consumer, e}},
				 4);
	if (r)
		fault(v, "cannot be read: %s", strerror(-r));
	else
		check_proof(v, proof_result(p));
	if (!r) {
		check_laws(v, laws_result(l));
		check_states(v, exits_result(e));
		check_bounds(v, in, proof_result(p));
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
	 "scaling, steps, backward, loss, host-loss, ties, wrap, sparse, edges, forms"},
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
		    struct verify *sum, uint64_t *covered)
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
	cover_add(covered, &w);
	world_free(&w);
	if (!c->keep)
		nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	sum->events += v.events;
	sum->exact += v.exact;
	sum->bounded += v.bounded;
	sum->clamped += v.clamped;
	sum->interrupted += v.interrupted;
	sum->ambiguous += v.ambiguous;
	sum->misordered += v.misordered;
	sum->solved += v.solved;
	sum->effects += v.effects;
	sum->ties += v.ties;
	sum->bounds += v.bounds;
	sum->states += v.states;
	sum->unknown += v.unknown;
	sum->vm_exits += v.vm_exits;
	sum->faults += v.faults;
	return !v.faults;
}

int main(int argc, char **argv)
{
	struct config c = {.first = 1, .seeds = 50, .events = 4000};
	const char *tmp = getenv("TMPDIR");
	char top[256];
	struct verify sum = {0};
	uint64_t covered[COVERS] = {0};
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
		bad += !run_one(c.first + i, true, &c, top, &sum, covered);
		bad += !run_one(c.first + i, false, &c, top, &sum, covered);
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
	if (cover_print(covered) + !sum.ties && !c.without.n && c.seeds >= ALL_HAPPENS) {
		puts("# some of it never happens");
		bad++;
	}
	printf("# states of vCPUs: %.1f %% of the time right, the rest unknown; %" PRIu64
	       " exits with their parts\n",
	       100.0 * (double)sum.states / (double)(sum.states + sum.unknown + 1), sum.vm_exits);
	if (sum.states < sum.unknown * 3 || !sum.vm_exits)
		bad++;
	printf("%s 1 - %" PRIu64 " worlds: %" PRIu64 " events, %" PRIu64 " exact, %" PRIu64
	       " bounded (%" PRIu64 " clamped), %" PRIu64 " interrupted, %" PRIu64
	       " misordered, %" PRIu64 " offsets solved, %" PRIu64
	       " effects after their causes, %" PRIu64 " bounds tried, %" PRIu64
	       " ties, %u worlds wrong\n1..1\n",
	       bad ? "not ok" : "ok", 2 * c.seeds, sum.events, sum.exact, sum.bounded, sum.clamped,
	       sum.interrupted, sum.misordered, sum.solved, sum.effects, sum.bounds, sum.ties, bad);
	return bad ? 1 : 0;
}
