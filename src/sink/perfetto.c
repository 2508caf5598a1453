// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/perfetto_lane.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "sink/clock.h"
#include "sink/perfetto_vcpu.h"

#define FLUSH_EVENTS \
	65536 /* after so many all lanes are written, so that many CPUs fill no memory */

static int make_clock(struct sink_perfetto *s)
{
	struct fit_lookup *l = NULL;
	int r = clock_fit_new(s->in, false, &l);

	s->walk.l = l;
	if (!r || r == -ENOMEM)
		return r;
	if (s->in->conv.mult)
		return 0;
	return log_err_r(-ENODATA,
			 "\"%s\" does not tell the frequency of its clock, and Perfetto's time is "
			 "in ns",
			 s->in->title);
}

/* Later parts of a guest's recording are of the same machine. */
static uint32_t machine_id(const struct input *in, size_t i)
{
	const struct input_machine *m = &in->machines.v[i];

	if (m->same)
		return (uint32_t)(m->same - in->machines.v);
	return (uint32_t)i;
}

static int make_machines(struct sink_perfetto *s)
{
	s->machines = calloc(s->in->machines.n, sizeof(*s->machines));
	if (!s->machines)
		return -ENOMEM;
	for (size_t i = 0; i < s->in->machines.n; i++) {
		const struct input_machine *m = &s->in->machines.v[i];
		struct perfetto_machine *p = &s->machines[i];

		p->id = machine_id(s->in, i);
		p->skip = !m->aligned;
		if (!m->source)
			continue;
		p->kinds = calloc(source_facts(m->source)->n_kinds + 1, sizeof(*p->kinds));
		if (!p->kinds)
			return -ENOMEM;
		p->n_kinds = source_facts(m->source)->n_kinds;
	}
	return 0;
}

int sink_perfetto_new(const struct input *in, struct out *out, struct sink_perfetto **ret)
{
	struct sink_perfetto *s = calloc(1, sizeof(*s));
	int r = s ? 0 : -ENOMEM;

	if (!r) {
		s->in = in;
		s->out = out;
		s->next_described = PERFETTO_DESCRIBED;
		r = make_clock(s);
	}
	if (!r)
		r = make_machines(s);
	if (!r)
		r = threads_init(&s->threads, in, &s->n_vcpus);
	if (!r) {
		s->vcpus = calloc(s->n_vcpus + 1, sizeof(*s->vcpus));
		r = s->vcpus ? 0 : -ENOMEM;
	}
	if (r == -ENOMEM)
		log_errno(r, "cannot export: %m");
	if (r)
		sink_perfetto_free(s);
	else
		*ret = s;
	return r;
}

void sink_perfetto_free(struct sink_perfetto *s)
{
	if (!s)
		return;
	fit_lookup_free((struct fit_lookup *)s->walk.l);
	for (size_t i = 0; s->machines && i < s->in->machines.n; i++)
		perfetto_kinds_free(&s->machines[i]);
	for (size_t i = 0; i < s->n_lanes; i++)
		perfetto_lane_free(&s->lanes[i]);
	free(s->machines);
	free(s->lanes);
	perfetto_tracks_free(s);
	for (size_t i = 0; s->vcpus && i < s->n_vcpus; i++)
		free(s->vcpus[i].flows);
	free(s->vcpus);
	threads_free(&s->threads);
	pb_free(&s->packet);
	pb_free(&s->interned);
	free(s);
}

uint64_t perfetto_ns(struct sink_perfetto *s, uint64_t ticks)
{
	int64_t ns;

	if (!s->walk.l)
		return conv_to_ns(&s->in->conv, ticks);
	ns = fit_walk_ns(&s->walk, ticks);
	return ns < 0 ? 0 : (uint64_t)ns;
}

struct pb *perfetto_packet(struct sink_perfetto *s, unsigned machine)
{
	struct pb *p = &s->packet;

	p->n = 0;
	pb_u64(p, PACKET_SEQUENCE_ID, 1 + machine);
	if (s->machines[machine].id)
		pb_u64(p, PACKET_MACHINE_ID, s->machines[machine].id);
	return p;
}

/* Trace.packet */
int perfetto_packet_end(struct sink_perfetto *s)
{
	uint8_t head[1 + PB_VARINT_MAX] = {1 << 3 | PB_BYTES};
	size_t n = (size_t)(pb_poke(head + 1, s->packet.n) - head);

	if (s->packet.failed)
		return log_err_r(-ENOMEM, "cannot export: %m");
	out_put(s->out, (const char *)head, n);
	out_put(s->out, (const char *)s->packet.p, s->packet.n);
	return s->out->err;
}

static int perfetto_begin(void *state, const struct timeline *t)
{
	struct sink_perfetto *s = state;
	const struct timeline_lane *lanes = timeline_lanes(t, &s->n_lanes);

	s->lanes = calloc(s->n_lanes + 1, sizeof(*s->lanes));
	if (!s->lanes)
		return log_err_r(-ENOMEM, "cannot export: %m");
	for (size_t i = 0; i < s->n_lanes; i++) {
		s->lanes[i].machine = lanes[i].machine;
		s->lanes[i].cpu = lanes[i].cpu;
		s->lanes[i].vcpu = lanes[i].vcpu;
	}
	return perfetto_head(s, t);
}

static int add_record(struct sink_perfetto *s, const struct event *ev)
{
	struct perfetto_machine *m = &s->machines[ev->machine];
	struct perfetto_kind *k = &m->kinds[ev->kind->index];
	struct perfetto_lane *l = &s->lanes[ev->lane];
	int r = 0;

	if (m->skip) {
		s->skipped++;
		return 0;
	}
	if (s->in->machines.v[ev->machine].is_text || l->cpu == SOURCE_NO_CPU)
		return perfetto_mark_text(s, l, ev);
	if (k->role == ROLE_UNUSED)
		r = perfetto_kind_use(s, ev->machine, ev->kind, k);
	if (!r && k->irq)
		r = perfetto_irq_event(s, k, ev, l->vcpu);
	return r ? r : perfetto_lane_add(s, l, k, ev);
}

static int add_lost(struct sink_perfetto *s, const struct event *ev)
{
	struct perfetto_lane *l = &s->lanes[ev->lane];
	size_t vcpu = SIZE_MAX;
	int r;

	if (s->machines[ev->machine].skip)
		return 0;
	r = perfetto_lane_lost(s, l);
	if (!r)
		r = perfetto_mark_lost(s, l, ev);
	if (l->vcpu && l->vcpu->tid > 0)
		vcpu = threads_find(&s->threads, l->vcpu->tid);
	return r || vcpu == SIZE_MAX ? r : perfetto_irq_close(s, vcpu, ev->ticks);
}

static int flush_all(struct sink_perfetto *s)
{
	int r = 0;

	s->since_flush = 0;
	for (size_t i = 0; i < s->n_lanes && !r; i++)
		r = perfetto_lane_flush(s, &s->lanes[i]);
	return r;
}

static int perfetto_batch(void *state, const struct event *ev, size_t n)
{
	struct sink_perfetto *s = state;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++) {
		if (ev[i].type == EVENT_RECORD)
			r = add_record(s, &ev[i]);
		else
			r = add_lost(s, &ev[i]);
	}
	s->last_ticks = ev[n - 1].ticks;
	s->since_flush += n;
	return !r && s->since_flush > FLUSH_EVENTS ? flush_all(s) : r;
}

static int perfetto_end(void *state)
{
	struct sink_perfetto *s = state;
	int r = flush_all(s);

	if (!r)
		r = perfetto_vcpus_end(s, s->last_ticks);
	if (s->skipped)
		log_warn("%llu events of guests whose clock cannot be told in the host's were left "
			 "out",
			 (unsigned long long)s->skipped);
	return r;
}

const struct consumer sink_perfetto_consumer = {
	.name = "perfetto",
	.begin = perfetto_begin,
	.batch = perfetto_batch,
	.end = perfetto_end,
};
