// SPDX-License-Identifier: GPL-2.0-or-later
/* From the timeline to the windows of each vCPU, and the sums. */
#include "insight/proof.h"

#include <errno.h>
#include <stdlib.h>

#include "insight/threads.h"
#include "timeline/timeline.h"

struct track { /* one vCPU */
	struct windows windows;
	struct proof *proof;
	struct proof_vcpu *sum;
	enum proof_reason why_not; /* nothing of this vCPU can be judged; PROOF_REASONS: it can */
};

struct proof {
	struct track *tracks;
	struct proof_vcpu *vcpus;
	struct lane {
		struct track *track; /* guests; NULL: no vCPU known */
		bool is_guest, can_judge;
		uint64_t events;
	} * lanes;
	size_t n_lanes;
	struct threads threads;
	const struct input *in;
	const struct source_kind *entry, *exit;
	const struct source_field *entry_pid, *exit_pid;
	struct proof_violation worst[PROOF_WORST];
	struct proof_result result;
};

const char *proof_reason_text(enum proof_reason why)
{
	static const char *const texts[] = {
		[PROOF_BEFORE] = "before the first host event of the vCPU",
		[PROOF_AFTER] = "after the last host event of the vCPU",
		[PROOF_GAP] = "in a gap of lost host events",
		[PROOF_UNPAIRED] = "kvm_entry and kvm_exit do not pair",
		[PROOF_DOUBTFUL] = "stamp clamped by the ring buffer",
		[PROOF_NO_VCPU] = "vCPU thread unknown",
		[PROOF_NO_CLOCK] = "TSC offset unknown",
	};

	return texts[why];
}

/* --- judgements --- */

static struct proof_span *span_at(struct proof_vcpu *v, uint64_t ticks)
{
	return &v->spans[v->vcpu->epochs.n > 1 ? epochs_at(&v->vcpu->epochs, ticks) : 0];
}

static void add_inside(struct proof_span *s, const struct window_inside *in)
{
	s->inside += in->n;
	if (in->down < s->down)
		s->down = in->down;
	if (in->up < s->up)
		s->up = in->up;
}

static void on_inside(void *arg, const struct window_inside *in)
{
	struct track *t = arg;

	add_inside(span_at(t->sum, in->entry), in);
	add_inside(&t->sum->all, in);
	t->proof->result.inside += in->n;
}

static void keep_worst(struct proof *p, const struct proof_violation *v)
{
	size_t at = p->result.n_worst;

	if (at == PROOF_WORST && p->worst[at - 1].distance >= v->distance)
		return;
	if (at < PROOF_WORST)
		p->result.n_worst++;
	else
		at--;
	for (; at && p->worst[at - 1].distance < v->distance; at--)
		p->worst[at] = p->worst[at - 1];
	p->worst[at] = *v;
}

static void on_violation(void *arg, const struct window_event *e, uint64_t distance, uint64_t n)
{
	struct track *t = arg;

	span_at(t->sum, e->ticks)->violations += n;
	t->sum->all.violations += n;
	t->proof->result.violations += n;
	keep_worst(t->proof,
		   &(struct proof_violation){distance, n, *e, t->sum->machine, t->sum->vcpu->id});
}

static void on_unjudged(void *arg, enum proof_reason why, uint64_t n)
{
	struct track *t = arg;

	t->sum->unjudged[why] += n;
	t->proof->result.unjudged[why] += n;
}

static const struct windows_ops ops = {on_inside, on_violation, on_unjudged};

/* --- set-up --- */

static int add_vcpu(struct proof *p, const struct input_machine *m, const struct input_vcpu *v)
{
	size_t i = p->result.n_vcpus++;
	struct proof_vcpu *sum = &p->vcpus[i];
	struct track *t = &p->tracks[i];

	sum->machine = (uint16_t)(m - p->in->machines.v);
	sum->vcpu = v;
	sum->n_spans = v->epochs.n ?: 1;
	sum->spans = calloc(sum->n_spans, sizeof(*sum->spans));
	if (!sum->spans)
		return -ENOMEM;
	for (size_t k = 0; k < sum->n_spans; k++)
		sum->spans[k] = (struct proof_span){
			.from_ticks = v->epochs.n ? v->epochs.v[k].from_ticks : 0,
			.down = UINT64_MAX,
			.up = UINT64_MAX,
		};
	sum->all = (struct proof_span){.down = UINT64_MAX, .up = UINT64_MAX};
	t->proof = p;
	t->sum = sum;
	t->why_not = !m->aligned || !v->epochs.n ? PROOF_NO_CLOCK
		     : v->tid <= 0		 ? PROOF_NO_VCPU
						 : PROOF_REASONS;
	windows_init(&t->windows, &ops, t);
	return 0;
}

static int add_vcpus(struct proof *p)
{
	size_t n;
	int r = threads_init(&p->threads, p->in, &n);

	if (r)
		return r;
	p->tracks = calloc(n + 1, sizeof(*p->tracks));
	p->vcpus = calloc(n + 1, sizeof(*p->vcpus));
	if (!p->tracks || !p->vcpus)
		return -ENOMEM;
	array_for_each(m, &p->in->machines)
		array_for_each(v, &m->vcpus)
			if (!r && v->id != INPUT_NO_VCPU)
				r = add_vcpu(p, m, v);
	p->result.vcpus = p->vcpus;
	p->result.worst = p->worst;
	return r;
}

static int add_lanes(struct proof *p, const struct timeline *t)
{
	const struct timeline_lane *lanes = timeline_lanes(t, &p->n_lanes);

	p->lanes = calloc(p->n_lanes + 1, sizeof(*p->lanes));
	if (!p->lanes)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_lanes; i++) {
		struct lane *l = &p->lanes[i];

		for (size_t k = 0; k < p->result.n_vcpus && lanes[i].vcpu; k++)
			if (p->vcpus[k].vcpu == lanes[i].vcpu)
				l->track = &p->tracks[k];
		l->is_guest = p->in->machines.v[lanes[i].machine].is_guest;
		l->can_judge = l->track && l->track->why_not == PROOF_REASONS;
	}
	return 0;
}

static void find_kinds(struct proof *p)
{
	const struct input_machine *host = p->in->machines.v;

	if (!p->in->machines.n || host->is_guest || !host->source)
		return;
	p->entry = source_kind_find(host->source, "kvm", "kvm_entry");
	p->exit = source_kind_find(host->source, "kvm", "kvm_exit");
	if (!p->entry || !p->exit)
		return;
	p->entry_pid = source_field_find(p->entry, "common_pid");
	p->exit_pid = source_field_find(p->exit, "common_pid");
	p->result.has_windows = p->entry_pid && p->exit_pid;
}

static int begin(void *state, const struct timeline *t)
{
	struct proof *p = state;
	int r;

	p->in = timeline_input(t);
	find_kinds(p);
	r = add_vcpus(p);
	return r ? r : add_lanes(p, t);
}

/* --- the pass --- */

static struct track *track_of(const struct proof *p, const struct source_field *pid,
			      const struct event *ev)
{
	size_t i = threads_find(&p->threads, (int)source_field_u64(pid, ev->data));

	return i == SIZE_MAX ? NULL : &p->tracks[i];
}

static void host_event(struct proof *p, const struct event *ev)
{
	bool is_entry = ev->kind == p->entry;
	struct track *t = track_of(p, is_entry ? p->entry_pid : p->exit_pid, ev);

	if (t && is_entry)
		windows_entry(&t->windows, ev->ticks, ev->cpu);
	else if (t)
		windows_exit(&t->windows, ev->ticks, ev->cpu);
}

static void host_gap(struct proof *p, const struct event *ev)
{
	if (ev->machine) /* a text log's: no windows come from there */
		return;
	for (size_t i = 0; i < p->result.n_vcpus; i++)
		windows_lost(&p->tracks[i].windows, ev->cpu, ev->ticks, ev->end_ticks);
}

static void not_judged(struct proof *p, struct track *t, const struct event *ev)
{
	if (t)
		on_unjudged(t, t->why_not != PROOF_REASONS ? t->why_not : PROOF_DOUBTFUL, 1);
	else
		p->result.unjudged[p->in->machines.v[ev->machine].aligned ? PROOF_NO_VCPU
									  : PROOF_NO_CLOCK]++;
}

static inline void guest_event(struct proof *p, struct lane *l, const struct event *ev)
{
	if (ev->type != EVENT_RECORD)
		return;
	l->events++;
	if (!l->can_judge || ev->doubtful)
		not_judged(p, l->track, ev);
	else if (windows_is_open(&l->track->windows))
		windows_add(&l->track->windows, ev->ticks, ev->width);
	else
		windows_guest(&l->track->windows,
			      &(struct window_event){ev->ticks, ev->raw_ticks, ev->width, ev->cpu,
						     ev->kind});
}

static int batch(void *state, const struct event *ev, size_t n)
{
	struct proof *p = state;

	for (const struct event *end = ev + n; ev < end; ev++) {
		struct lane *l = &p->lanes[ev->lane];

		if (l->is_guest)
			guest_event(p, l, ev);
		else if (!p->result.has_windows)
			continue;
		else if (ev->type == EVENT_LOST)
			host_gap(p, ev);
		else if (ev->kind == p->entry || ev->kind == p->exit)
			host_event(p, ev);
	}
	return 0;
}

static int end(void *state)
{
	struct proof *p = state;

	for (size_t i = 0; i < p->n_lanes; i++) {
		p->result.events += p->lanes[i].events;
		if (p->lanes[i].track)
			p->lanes[i].track->sum->events += p->lanes[i].events;
	}
	for (size_t i = 0; i < p->result.n_vcpus; i++) {
		struct track *t = &p->tracks[i];

		windows_end(&t->windows);
		t->sum->windows = t->windows.n_windows;
		t->sum->unpaired = t->windows.n_unpaired;
	}
	return 0;
}

const struct consumer proof_consumer = {"proof", begin, batch, end};

int proof_new(struct proof **ret)
{
	struct proof *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*ret = p;
	return 0;
}

void proof_free(struct proof *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->result.n_vcpus; i++)
		free(p->vcpus[i].spans);
	free(p->tracks);
	free(p->vcpus);
	free(p->lanes);
	threads_free(&p->threads);
	free(p);
}

const struct proof_result *proof_result(const struct proof *p)
{
	return &p->result;
}
