// SPDX-License-Identifier: GPL-2.0-or-later
/* The pass: a tournament of the lanes, whose winners go to the consumers in batches.
 *
 * The merge itself is the work of one thread, so that its result cannot depend on how many there are;
 * what costs more, reading (decompression, records) and what consumers do with events alone (text),
 * is done by others ahead and behind of it. */
#include <errno.h>

#include "base/log.h"
#include "timeline/batch.h"
#include "timeline/timeline_parts.h"

#define AHEAD_BLOCKS 256 /* of all lanes are read ahead, about: each takes room (20 KiB) */

static const struct lane_key ended = {UINT64_MAX, LANE_ENDED};

struct told { /* by an event before the time that is asked for */
	uint64_t ticks;
	uint32_t lane;
	const struct seek_name *name;
};

struct merge {
	struct timeline *t;
	struct seek **indexes; /* by machine, NULL: none */
	struct batches batches;
	struct lane_keep keep;
	struct crew *crew;
	struct lane_key *losers; /* [0] is the winner, the others lost at that node */
	size_t n_leaves;	 /* a power of 2 */
};

static inline bool is_before(struct lane_key a, struct lane_key b)
{
	return a.ticks != b.ticks ? a.ticks < b.ticks : a.tie < b.tie;
}

/* The winner's lane has another event. Which of two is earlier cannot be predicted, so there is no
 * branch on it. */
static inline void replay(struct merge *m, uint32_t lane, struct lane_key e)
{
	struct lane_key *const losers = m->losers;

	for (size_t at = (m->n_leaves + lane) / 2; at; at /= 2) {
		const struct lane_key o = losers[at];
		bool equal = __builtin_expect(o.ticks == e.ticks, 0);
		uint64_t swap = 0 - (uint64_t)(equal ? o.tie < e.tie : o.ticks < e.ticks);
		uint64_t ticks = (o.ticks ^ e.ticks) & swap, tie = (o.tie ^ e.tie) & swap;

		losers[at] = (struct lane_key){o.ticks ^ ticks, o.tie ^ tie};
		e.ticks ^= ticks;
		e.tie ^= tie;
	}
	losers[0] = e;
}

static struct lane_key play(struct merge *m, size_t node)
{
	struct lane_key a, b;

	if (node >= m->n_leaves)
		return node - m->n_leaves < m->t->n_lanes
			       ? lane_key(m->t->lanes[node - m->n_leaves])
			       : ended;
	a = play(m, 2 * node);
	b = play(m, 2 * node + 1);
	m->losers[node] = is_before(a, b) ? b : a;
	return is_before(a, b) ? a : b;
}

static int retire(void *state, struct block *b)
{
	return batches_retire(state, b);
}

/* Whether times can be looked up instead of read for. */
static int open_indexes(struct merge *m)
{
	struct timeline *t = m->t;
	int r = 0;

	m->indexes = calloc(t->in->machines.n + 1, sizeof(*m->indexes));
	if (!m->indexes)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_lanes && !r; i++) {
		size_t machine = t->pub[i].machine;

		if (t->in->is_session && t->filter.ask.from_ticks && !m->indexes[machine] &&
		    lane_can_seek(t->lanes[i]) && filter_lane(&t->filter, t->in, &t->pub[i]))
			r = seek_open(t->in->machines.v[machine].source, &t->tasks[machine],
				      m->crew, &m->indexes[machine]);
	}
	return r;
}

static int name_cmp(const void *a, const void *b)
{
	const struct told *x = a, *y = b;

	if (x->ticks != y->ticks)
		return x->ticks < y->ticks ? -1 : 1;
	return (x->lane > y->lane) - (x->lane < y->lane);
}

/* Names that were told before the time that is asked for, the first ones first. */
static int learn_names(struct merge *m)
{
	struct timeline *t = m->t;
	uint64_t from = t->filter.ask.from_ticks;
	struct ARRAY(struct told) v = {0};

	for (size_t i = 0; i < t->n_lanes; i++) {
		const struct seek *k = m->indexes[t->pub[i].machine];

		if (!k || !lane_can_seek(t->lanes[i]))
			continue;
		array_for_each(n, &k->lanes[t->lanes[i]->source_lane].names) {
			uint64_t ticks = lane_ticks(t->lanes[i], n->raw_ticks, from);
			struct told *to = ticks < from ? array_add(&v) : NULL;

			if (to)
				*to = (struct told){ticks, (uint32_t)i, n};
		}
	}
	if (v.n)
		qsort(v.v, v.n, sizeof(*v.v), name_cmp);
	array_for_each(n, &v)
		source_comm_learn(t->in->machines.v[t->pub[n->lane].machine].source, n->name->pid,
				  n->name->name, sizeof(n->name->name));
	array_free(&v);
	return 0;
}

static const struct seek_places *places_of(const struct merge *m, size_t lane)
{
	const struct seek *k = m->indexes[m->t->pub[lane].machine];

	return k ? &k->lanes[m->t->lanes[lane]->source_lane].places : NULL;
}

static int start_lanes(struct merge *m)
{
	struct timeline *t = m->t;
	bool tasks = t->filter.ask.task || m->batches.wants_tasks;
	int r = open_indexes(m);

	if (!r && tasks)
		r = learn_names(m);
	if (r)
		return r;

	for (m->n_leaves = 1; m->n_leaves < t->n_lanes; m->n_leaves *= 2)
		;
	m->losers = calloc(m->n_leaves, sizeof(*m->losers));
	if (!m->losers)
		return -ENOMEM;
	for (size_t i = 0; i < t->n_lanes && !r; i++) {
		t->lanes[i]->tasks = tasks ? &t->tasks[t->pub[i].machine] : NULL;
		t->lanes[i]->ended = true;
		if (filter_lane(&t->filter, t->in, &t->pub[i]))
			r = lane_start(t->lanes[i], &m->keep, places_of(m, i));
	}
	m->losers[0] = r ? ended : play(m, 1);
	return r;
}

/* The first one of those that lost against the winner. */
static inline struct lane_key runner_up(const struct merge *m, uint32_t lane)
{
	struct lane_key e = ended;

	for (size_t at = (m->n_leaves + lane) / 2; at; at /= 2)
		if (is_before(m->losers[at], e))
			e = m->losers[at];
	return e;
}

/* The winner's first event and those before the rival. */
static inline int take_run(struct merge *m, struct lane *l, struct lane_key rival)
{
	struct batches *b = &m->batches;
	struct lane_key e;
	int r;

	do {
		if (b->room == b->end) {
			r = batches_close(b);
			if (r || !b->left)
				return r;
		}
		lane_event(l, b->room++);
		r = lane_next(l, &m->keep);
		e = lane_key(l);
	} while (!r && is_before(e, rival));
	replay(m, l->index, e);
	return r;
}

static int merge(struct merge *m)
{
	uint32_t last = LANE_MASK;
	int r = 0;

	while (m->losers[0].tie != LANE_ENDED && m->batches.left && !r) {
		uint32_t lane = m->losers[0].tie & LANE_MASK;

		/* how far a lane gets is worth knowing of one that won twice */
		r = take_run(m, m->t->lanes[lane],
			     lane == last ? runner_up(m, lane) : (struct lane_key){0, 0});
		last = lane;
	}
	return r ? r : batches_finish(&m->batches);
}

/* Before the consumers' end. */
static void add_totals(struct timeline *t)
{
	memset(t->totals, 0, t->in->machines.n * sizeof(*t->totals));
	for (size_t i = 0; i < t->n_lanes; i++) {
		const struct lane_totals *l = &t->lanes[i]->totals;
		struct timeline_totals *to = &t->totals[t->pub[i].machine];

		to->events += l->events;
		to->doubtful += l->doubtful;
		to->gaps += l->gaps;
		to->gaps_uncounted += l->gaps_uncounted;
		to->lost += l->lost;
	}
}

static int begin(const struct timeline *t, const struct timeline_use *uses, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = uses[i].consumer->begin ? uses[i].consumer->begin(uses[i].state, t) : 0;
	return r;
}

static int end(const struct timeline_use *uses, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = uses[i].consumer->end ? uses[i].consumer->end(uses[i].state) : 0;
	return r;
}

static unsigned chain_of(size_t n_lanes)
{
	size_t n = AHEAD_BLOCKS / (n_lanes ?: 1);

	return n > FEED_CHAIN ? FEED_CHAIN : (unsigned)n;
}

static int run(struct merge *m, const struct timeline_use *uses, size_t n)
{
	int r = crew_new(m->t->in->threads ?: crew_default(), &m->crew);

	if (r)
		return r;
	m->keep = (struct lane_keep){.retire = retire, .state = &m->batches};
	m->keep.feed.crew = m->crew;
	if (crew_size(m->crew) > 1)
		m->keep.feed.chain = chain_of(m->t->n_lanes);
	m->batches.left = m->t->filter.ask.max_events ?: UINT64_MAX;
	r = batches_start(&m->batches, m->t->in, uses, n, m->t->filter.ask.task, &m->keep.feed);
	if (!r)
		r = start_lanes(m);
	if (!r)
		r = merge(m);
	batches_cancel(&m->batches);
	for (size_t i = 0; i < m->t->n_lanes; i++)
		lane_stop(m->t->lanes[i], &m->keep);
	batches_free(&m->batches);
	feed_free(&m->keep.feed);
	crew_free(m->crew);
	free(m->losers);
	for (size_t i = 0; i < m->t->in->machines.n && m->indexes; i++)
		seek_free(m->indexes[i]);
	free(m->indexes);
	return r;
}

int timeline_run(struct timeline *t, const struct timeline_use *uses, size_t n)
{
	struct merge m = {.t = t};
	int r;

	r = begin(t, uses, n);
	if (!r)
		r = run(&m, uses, n);
	add_totals(t);
	return r ? r : end(uses, n);
}
