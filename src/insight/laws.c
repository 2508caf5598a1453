// SPDX-License-Identifier: GPL-2.0-or-later
/* Causes are kept per vCPU until their effect comes. A vCPU where no effect ever had its cause is not
 * judged: its interrupts are posted (APICv, AVIC), its MSRs passed through. */
#include "insight/laws.h"

#include <stdlib.h>
#include <string.h>

#include "insight/halt.h"
#include "insight/laws_kinds.h"
#include "insight/threads.h"
#include "timeline/timeline.h"

#define MSR_CAUSES 64 /* writes whose effect is still to come, and some that have none */
#define MSR_SEEN   64 /* different MSRs that exit */
#define VECTORS	   256

struct msr_cause {
	uint64_t ticks, value;
	uint32_t msr;
	bool open;
};

struct track { /* one vCPU */
	uint16_t machine;
	unsigned id;
	bool known;		    /* its host events are all there from here on */
	uint64_t injected[VECTORS]; /* tick of an injection without effect so far; 0 none */
	bool excused[VECTORS];	    /* the cause of one effect may lie before that */
	struct msr_cause causes[MSR_CAUSES];
	unsigned next_cause;
	struct {
		uint32_t msr;
		bool excused;
	} seen[MSR_SEEN];
	unsigned n_seen;
	uint64_t suspect[LAWS]; /* effects without cause, until the vCPU's next host event */
	uint64_t first_suspect[LAWS];
	struct law_sum sums[LAWS];
	struct halt halt;
};

struct lane {
	const struct law_kind *kinds; /* of its machine; NULL: nothing of it matters */
	struct track *track;	      /* guests; NULL: no vCPU known */
	bool is_guest, has_switch;
};

struct laws {
	const struct input *in;
	struct threads threads;
	struct track *tracks;
	size_t n_tracks;
	struct lane *lanes;
	struct law_kinds *kinds; /* by machine */
	bool *others_halt;	 /* by machine: not the idle task alone */
	uint64_t gap_end;	 /* host events are missing up to here */
	struct laws_result result;
};

const char *law_text(enum law law)
{
	static const char *const texts[] = {
		[LAW_VECTOR] = "injected vector → guest irq entry",
		[LAW_MSR] = "MSR write: exit → guest event",
		[LAW_HALT] = "guest idle → HLT exit",
	};

	return texts[law];
}

/* --- set-up --- */

static int find_kinds(struct laws *l)
{
	const struct input_machine *host = l->in->machines.v;
	size_t n_host = 0;
	int r = 0;

	l->kinds = calloc(l->in->machines.n + 1, sizeof(*l->kinds));
	l->others_halt = calloc(l->in->machines.n + 1, sizeof(*l->others_halt));
	if (!l->kinds || !l->others_halt)
		return -ENOMEM;
	if (l->in->machines.n && !host->is_guest && host->source) {
		n_host = source_facts(host->source)->n_kinds;
		r = law_kinds_of_host(&l->kinds[0], host->source);
	}
	array_for_each(m, &l->in->machines)
		if (!r && m->is_guest && m->source)
			r = law_kinds_of_guest(&l->kinds[m - l->in->machines.v], m->source,
					       &l->kinds[0], n_host, !m->is_text);
	return r;
}

static int add_tracks(struct laws *l)
{
	size_t n = 0;

	l->tracks = calloc(l->n_tracks + 1, sizeof(*l->tracks));
	if (!l->tracks)
		return -ENOMEM;
	array_for_each(m, &l->in->machines)
		array_for_each(v, &m->vcpus) {
			halt_init(&l->tracks[n].halt);
			l->tracks[n].machine = (uint16_t)(m - l->in->machines.v);
			l->tracks[n].id = v->id;
			for (int law = 0; law < LAWS; law++)
				l->tracks[n].sums[law].least_ticks = UINT64_MAX;
			n++;
		}
	return 0;
}

static size_t vcpu_number(const struct input *in, const struct input_vcpu *vcpu)
{
	size_t n = 0;

	array_for_each(m, &in->machines)
		array_for_each(v, &m->vcpus) {
			if (v == vcpu)
				return m->aligned && v->epochs.n && v->tid > 0 ? n : SIZE_MAX;
			n++;
		}
	return SIZE_MAX;
}

static int add_lanes(struct laws *l, const struct timeline *t)
{
	size_t n;
	const struct timeline_lane *lanes = timeline_lanes(t, &n);

	l->lanes = calloc(n + 1, sizeof(*l->lanes));
	if (!l->lanes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct law_kinds *k = &l->kinds[lanes[i].machine];
		size_t vcpu = lanes[i].vcpu ? vcpu_number(l->in, lanes[i].vcpu) : SIZE_MAX;

		l->lanes[i] = (struct lane){
			.kinds = k->of,
			.track = vcpu != SIZE_MAX ? &l->tracks[vcpu] : NULL,
			.is_guest = l->in->machines.v[lanes[i].machine].is_guest,
			.has_switch = k->has_switch,
		};
	}
	return 0;
}

static int begin(void *state, const struct timeline *t)
{
	struct laws *l = state;
	int r;

	l->in = timeline_input(t);
	r = find_kinds(l);
	if (!r)
		r = threads_init(&l->threads, l->in, &l->n_tracks);
	if (!r)
		r = add_tracks(l);
	return r ? r : add_lanes(l, t);
}

/* --- causes --- */

static unsigned find_seen(const struct track *t, uint32_t msr)
{
	unsigned i = 0;

	while (i < t->n_seen && t->seen[i].msr != msr)
		i++;
	return i;
}

static void note_msr(struct track *t, uint32_t msr, uint64_t value, uint64_t ticks)
{
	if (find_seen(t, msr) == t->n_seen && t->n_seen < MSR_SEEN)
		t->seen[t->n_seen++].msr = msr;
	t->causes[t->next_cause++ % MSR_CAUSES] = (struct msr_cause){ticks, value, msr, true};
}

static void acquit(struct track *t)
{
	for (int law = 0; law < LAWS; law++) {
		t->sums[law].unjudged += t->suspect[law];
		t->suspect[law] = 0;
	}
}

static void convict(struct track *t)
{
	for (int law = 0; law < LAWS; law++) {
		struct law_sum *s = &t->sums[law];

		if (t->suspect[law] && !s->broken)
			s->first_broken_ticks = t->first_suspect[law];
		s->broken += t->suspect[law];
		t->suspect[law] = 0;
	}
}

/* Anything may have happened in the gap, and before it what has no effect yet. */
static void lost(struct laws *l, uint64_t end_ticks)
{
	if (end_ticks > l->gap_end)
		l->gap_end = end_ticks;
	for (size_t i = 0; i < l->n_tracks; i++) {
		struct track *t = &l->tracks[i];

		acquit(t);
		t->known = false;
		memset(t->injected, 0, sizeof(t->injected));
		memset(t->causes, 0, sizeof(t->causes));
	}
}

/* The vCPU is out of the guest and nothing is missing any more: from now on effects have their
 * causes in the file, but for those under way. */
static void begin_known(struct track *t)
{
	t->known = true;
	memset(t->excused, true, sizeof(t->excused));
	for (unsigned i = 0; i < t->n_seen; i++)
		t->seen[i].excused = true;
}

static void vcpu_exit(struct laws *l, struct track *t, const struct law_kind *k,
		      const struct event *ev)
{
	enum halt_kind kind;

	if (!t->known && ev->ticks > l->gap_end)
		begin_known(t);
	if (!k->a || !l->kinds[t->machine].has_switch)
		return;
	kind = halt_kind_of(source_field_u64(k->b, ev->data), source_field_u64(k->a, ev->data));
	if (kind == HALT_HLT)
		halt_exit(&t->halt, ev->ticks);
	l->others_halt[t->machine] |= kind == HALT_EXCUSE;
}

static void host_event(struct laws *l, const struct law_kind *k, const struct event *ev)
{
	size_t i = threads_find(&l->threads, source_record_pid(ev->kind, ev->data));
	struct track *t;

	if (i == SIZE_MAX)
		return;
	if (ev->doubtful) { /* a cause that came earlier than it is put */
		lost(l, ev->ticks);
		return;
	}
	t = &l->tracks[i];
	convict(t);
	if (k->role == LAW_EXIT)
		vcpu_exit(l, t, k, ev);
	else if (k->role == LAW_INJECTION && !(k->b && source_field_u64(k->b, ev->data)))
		t->injected[source_field_u64(k->a, ev->data) % VECTORS] = ev->ticks ?: 1;
	else if (k->role == LAW_MSR_ACCESS && source_field_u64(k->c, ev->data))
		note_msr(t, (uint32_t)source_field_u64(k->a, ev->data),
			 source_field_u64(k->b, ev->data), ev->ticks);
}

/* --- effects --- */

static void kept(struct law_sum *s, uint64_t distance)
{
	s->kept++;
	if (distance < s->least_ticks)
		s->least_ticks = distance;
}

/* excused: whether one such effect may pass; cleared. */
static void without_cause(struct track *t, enum law law, bool *excused, const struct event *ev)
{
	if (!t->known || *excused) {
		*excused = false;
		t->sums[law].unjudged++;
	} else if (!t->suspect[law]++) {
		t->first_suspect[law] = ev->ticks;
	}
}

static void vector_effect(struct track *t, uint64_t vector, const struct event *ev)
{
	uint64_t *cause = &t->injected[vector % VECTORS];

	if (*cause)
		kept(&t->sums[LAW_VECTOR], ev->ticks + ev->width - *cause);
	else
		without_cause(t, LAW_VECTOR, &t->excused[vector % VECTORS], ev);
	*cause = 0;
}

static void msr_effect(struct track *t, uint32_t msr, uint64_t value, const struct event *ev)
{
	unsigned i = find_seen(t, msr);

	for (unsigned k = 1; k <= MSR_CAUSES; k++) { /* the latest first */
		struct msr_cause *c = &t->causes[(t->next_cause - k) % MSR_CAUSES];

		if (!c->open || c->msr != msr || c->value != value)
			continue;
		c->open = false;
		kept(&t->sums[LAW_MSR], ev->ticks + ev->width - c->ticks);
		return;
	}
	if (i < t->n_seen)
		without_cause(t, LAW_MSR, &t->seen[i].excused, ev);
	else
		t->sums[LAW_MSR].unjudged++;
}

static inline void note_task(struct track *t, const struct law_kind *k, const struct event *ev)
{
	int pid = source_record_pid(ev->kind, ev->data);
	bool is_switch = k->role == LAW_SWITCH;

	if (ev->doubtful)
		halt_lost(&t->halt);
	else
		halt_guest(&t->halt, pid, is_switch ? (int)source_field_u64(k->a, ev->data) : pid,
			   is_switch, ev->ticks + ev->width);
}

static void effect(struct track *t, const struct law_kind *k, const struct event *ev)
{
	bool is_msr = k->role == LAW_MSR_WRITE;

	if (ev->doubtful)
		t->sums[is_msr ? LAW_MSR : LAW_VECTOR].unjudged++;
	else if (is_msr)
		msr_effect(t, (uint32_t)source_field_u64(k->a, ev->data),
			   source_field_u64(k->b, ev->data), ev);
	else
		vector_effect(t, source_field_u64(k->a, ev->data), ev);
}

static inline void guest_event(const struct lane *lane, const struct law_kind *k,
			       const struct event *ev)
{
	if (!lane->track)
		return;
	if (lane->has_switch)
		note_task(lane->track, k, ev);
	if (k->role == LAW_MSR_WRITE || k->role == LAW_VECTOR_ENTRY)
		effect(lane->track, k, ev);
}

static void gap(struct laws *l, const struct lane *lane, const struct event *ev)
{
	if (!lane->is_guest)
		lost(l, ev->end_ticks);
	else if (lane->track && lane->has_switch)
		halt_lost(&lane->track->halt);
}

static int batch(void *state, const struct event *ev, size_t n)
{
	struct laws *l = state;

	for (const struct event *end = ev + n; ev < end; ev++) {
		const struct lane *lane = &l->lanes[ev->lane];
		const struct law_kind *k;

		if (ev->type != EVENT_RECORD) {
			gap(l, lane, ev);
			continue;
		}
		if (!lane->kinds)
			continue;
		k = &lane->kinds[ev->kind->index];
		if (lane->is_guest)
			guest_event(lane, k, ev);
		else if (k->role)
			host_event(l, k, ev);
	}
	return 0;
}

static void add_up(struct laws *l, const struct track *t, enum law law)
{
	struct law_sum *sum = &l->result.sums[law];
	const struct law_sum *s = &t->sums[law];

	sum->kept += s->kept;
	sum->unjudged += s->unjudged;
	if (s->least_ticks < sum->least_ticks)
		sum->least_ticks = s->least_ticks;
	if (!s->kept) {
		sum->unjudged += s->broken;
		return;
	}
	if (s->broken && !sum->broken) {
		sum->first_broken_ticks = s->first_broken_ticks;
		sum->broken_machine = t->machine;
		sum->broken_vcpu = t->id;
	}
	sum->broken += s->broken;
	l->result.broken += s->broken;
}

static void sum_halts(const struct laws *l, struct track *t)
{
	struct law_sum *s = &t->sums[LAW_HALT];

	halt_lost(&t->halt);
	s->kept = t->halt.idle;
	s->unjudged = t->halt.unjudged;
	s->least_ticks = t->halt.least_ticks;
	if (l->others_halt[t->machine]) {
		s->unjudged += t->halt.busy;
		return;
	}
	s->broken = t->halt.busy;
	s->first_broken_ticks = t->halt.busy_ticks;
}

static int end(void *state)
{
	struct laws *l = state;

	for (size_t i = 0; i < l->n_tracks; i++)
		sum_halts(l, &l->tracks[i]);
	for (size_t i = 0; i < l->n_tracks; i++)
		acquit(&l->tracks[i]); /* the cause may lie behind the recording's end */
	for (int law = 0; law < LAWS; law++) {
		l->result.sums[law].least_ticks = UINT64_MAX;
		for (size_t i = 0; i < l->n_tracks; i++)
			add_up(l, &l->tracks[i], (enum law)law);
	}
	return 0;
}

const struct consumer laws_consumer = {"laws", begin, batch, end};

int laws_new(struct laws **ret)
{
	struct laws *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	*ret = l;
	return 0;
}

void laws_free(struct laws *l)
{
	if (!l)
		return;
	for (size_t i = 0; l->kinds && i < l->in->machines.n; i++)
		law_kinds_free(&l->kinds[i]);
	free(l->kinds);
	free(l->others_halt);
	free(l->tracks);
	free(l->lanes);
	threads_free(&l->threads);
	free(l);
}

const struct laws_result *laws_result(const struct laws *l)
{
	return &l->result;
}
