// SPDX-License-Identifier: GPL-2.0-or-later
/* Causes are kept per vCPU until their effect comes. A vCPU where no effect ever had its cause is not
 * judged: its interrupts are posted (APICv, AVIC), its MSRs passed through. */
#include "insight/laws.h"

#include <stdlib.h>
#include <string.h>

#include "insight/halt.h"
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

struct effect_kind { /* of a guest's file */
	enum law law;
	const struct source_kind *kind;
	const struct source_field *key, *value;
};
struct effect_kinds ARRAY(struct effect_kind);

struct laws {
	const struct input *in;
	struct threads threads;
	struct track *tracks;
	size_t n_tracks;
	size_t *by_lane;	      /* guest lanes: number of the vCPU, SIZE_MAX none */
	struct effect_kinds *effects; /* by machine */
	uint64_t gap_end;	      /* host events are missing up to here */
	const struct source_kind *entry, *exit, *inject, *msr;
	const struct source_field *vector, *soft, *ecx, *data, *is_write, *reason, *isa;
	struct law_guest {
		const struct source_kind *sched_switch;
		const struct source_field *next_pid;
		bool others_halt; /* not the idle task alone */
	} * guests;		  /* by machine */
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

static int add_effects(struct effect_kinds *e, const struct source *s)
{
	const struct source_facts *f = source_facts(s);

	for (size_t i = 0; i < f->n_kinds; i++) {
		const struct source_kind *k = f->kinds[i];
		bool is_msr = !strcmp(k->system, "msr") && !strcmp(k->name, "write_msr");
		size_t n = strlen(k->name);
		struct effect_kind *p;

		if (!is_msr && (strcmp(k->system, "irq_vectors") || n < 6 ||
				strcmp(k->name + n - 6, "_entry")))
			continue;
		p = array_add(e);
		if (!p)
			return -ENOMEM;
		p->law = is_msr ? LAW_MSR : LAW_VECTOR;
		p->kind = k;
		p->key = source_field_find(k, is_msr ? "msr" : "vector");
		p->value = is_msr ? source_field_find(k, "val") : p->key;
		if (!p->key || !p->value)
			e->n--;
	}
	return 0;
}

static void find_causes(struct laws *l)
{
	const struct input_machine *host = l->in->machines.v;

	if (!l->in->machines.n || host->is_guest || !host->source)
		return;
	l->entry = source_kind_find(host->source, "kvm", "kvm_entry");
	l->exit = source_kind_find(host->source, "kvm", "kvm_exit");
	l->inject = source_kind_find(host->source, "kvm", "kvm_inj_virq");
	l->vector = l->inject ? source_field_find(l->inject, "vector") : NULL;
	l->soft = l->inject ? source_field_find(l->inject, "soft") : NULL;
	l->msr = source_kind_find(host->source, "kvm", "kvm_msr");
	l->ecx = l->msr ? source_field_find(l->msr, "ecx") : NULL;
	l->data = l->msr ? source_field_find(l->msr, "data") : NULL;
	l->is_write = l->msr ? source_field_find(l->msr, "write") : NULL;
	l->reason = l->exit ? source_field_find(l->exit, "exit_reason") : NULL;
	l->isa = l->exit ? source_field_find(l->exit, "isa") : NULL;
	if (!l->vector) /* 4.x calls the field irq; not judged */
		l->inject = NULL;
	if (!l->ecx || !l->data || !l->is_write)
		l->msr = NULL;
}

static void find_switch(struct law_guest *g, const struct source *s)
{
	g->sched_switch = source_kind_find(s, "sched", "sched_switch");
	g->next_pid = g->sched_switch ? source_field_find(g->sched_switch, "next_pid") : NULL;
	if (!g->next_pid)
		g->sched_switch = NULL;
}

static int add_tracks(struct laws *l)
{
	size_t n = 0;

	l->tracks = calloc(l->n_tracks + 1, sizeof(*l->tracks));
	l->effects = calloc(l->in->machines.n + 1, sizeof(*l->effects));
	l->guests = calloc(l->in->machines.n + 1, sizeof(*l->guests));
	if (!l->tracks || !l->effects || !l->guests)
		return -ENOMEM;
	array_for_each(m, &l->in->machines) {
		size_t machine = (size_t)(m - l->in->machines.v);
		int r = m->is_guest && m->source ? add_effects(&l->effects[machine], m->source) : 0;

		if (r)
			return r;
		if (m->is_guest && !m->is_text && m->source)
			find_switch(&l->guests[machine], m->source);
		array_for_each(v, &m->vcpus) {
			halt_init(&l->tracks[n].halt);
			l->tracks[n].machine = (uint16_t)machine;
			l->tracks[n].id = v->id;
			for (int law = 0; law < LAWS; law++)
				l->tracks[n].sums[law].least_ticks = UINT64_MAX;
			n++;
		}
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

static int begin(void *state, const struct timeline *t)
{
	struct laws *l = state;
	size_t n;
	const struct timeline_lane *lanes = timeline_lanes(t, &n);
	int r;

	l->in = timeline_input(t);
	find_causes(l);
	r = threads_init(&l->threads, l->in, &l->n_tracks);
	if (!r)
		r = add_tracks(l);
	if (r)
		return r;
	l->by_lane = calloc(n + 1, sizeof(*l->by_lane));
	if (!l->by_lane)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		l->by_lane[i] = lanes[i].vcpu ? vcpu_number(l->in, lanes[i].vcpu) : SIZE_MAX;
	return 0;
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

static void vcpu_exit(struct laws *l, struct track *t, const struct event *ev)
{
	struct law_guest *g = &l->guests[t->machine];
	enum halt_kind kind;

	if (!l->reason || !l->isa || !g->sched_switch)
		return;
	kind = halt_kind_of(source_field_u64(l->isa, ev->data),
			    source_field_u64(l->reason, ev->data));
	if (kind == HALT_HLT)
		halt_exit(&t->halt, ev->ticks);
	g->others_halt |= kind == HALT_EXCUSE;
}

static void host_event(struct laws *l, const struct event *ev)
{
	struct track *t;
	size_t i;

	if (ev->type == EVENT_LOST) {
		lost(l, ev->end_ticks);
		return;
	}
	if (ev->kind != l->inject && ev->kind != l->msr && ev->kind != l->entry &&
	    ev->kind != l->exit)
		return;
	i = threads_find(&l->threads, source_record_pid(ev->kind, ev->data));
	if (i == SIZE_MAX)
		return;
	if (ev->doubtful) { /* a cause that came earlier than it is put */
		lost(l, ev->ticks);
		return;
	}
	t = &l->tracks[i];
	convict(t);
	if (ev->kind == l->exit)
		vcpu_exit(l, t, ev);
	if (ev->kind == l->exit && !t->known && ev->ticks > l->gap_end)
		begin_known(t);
	else if (ev->kind == l->inject && !(l->soft && source_field_u64(l->soft, ev->data)))
		t->injected[source_field_u64(l->vector, ev->data) % VECTORS] = ev->ticks ?: 1;
	else if (ev->kind == l->msr && source_field_u64(l->is_write, ev->data))
		note_msr(t, (uint32_t)source_field_u64(l->ecx, ev->data),
			 source_field_u64(l->data, ev->data), ev->ticks);
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

static void note_task(struct laws *l, struct track *t, const struct event *ev)
{
	const struct law_guest *g = &l->guests[ev->machine];
	bool is_switch;
	int pid;

	if (ev->type != EVENT_RECORD || ev->doubtful) {
		halt_lost(&t->halt);
		return;
	}
	is_switch = ev->kind == g->sched_switch;
	pid = source_record_pid(ev->kind, ev->data);
	halt_guest(&t->halt, pid, is_switch ? (int)source_field_u64(g->next_pid, ev->data) : pid,
		   is_switch, ev->ticks + ev->width);
}

static void guest_event(struct laws *l, const struct event *ev)
{
	const struct effect_kinds *kinds = &l->effects[ev->machine];
	size_t i = l->by_lane[ev->lane];

	if (i == SIZE_MAX)
		return;
	if (l->guests[ev->machine].sched_switch)
		note_task(l, &l->tracks[i], ev);
	if (ev->type != EVENT_RECORD)
		return;
	array_for_each(e, kinds) {
		struct track *t = &l->tracks[i];

		if (e->kind != ev->kind || !(e->law == LAW_MSR ? l->msr : l->inject))
			continue;
		if (ev->doubtful)
			t->sums[e->law].unjudged++;
		else if (e->law == LAW_MSR)
			msr_effect(t, (uint32_t)source_field_u64(e->key, ev->data),
				   source_field_u64(e->value, ev->data), ev);
		else
			vector_effect(t, source_field_u64(e->key, ev->data), ev);
	}
}

static int batch(void *state, const struct event *ev, size_t n)
{
	struct laws *l = state;

	for (size_t i = 0; i < n; i++)
		if (l->in->machines.v[ev[i].machine].is_guest)
			guest_event(l, &ev[i]);
		else
			host_event(l, &ev[i]);
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
	if (l->guests[t->machine].others_halt) {
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
	for (size_t i = 0; l->effects && i < l->in->machines.n; i++)
		array_free(&l->effects[i]);
	free(l->effects);
	free(l->guests);
	free(l->tracks);
	free(l->by_lane);
	threads_free(&l->threads);
	free(l);
}

const struct laws_result *laws_result(const struct laws *l)
{
	return &l->result;
}
