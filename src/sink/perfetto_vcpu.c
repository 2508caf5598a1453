// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/perfetto_vcpu.h"

#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "insight/exits.h"

static int vm_track(struct sink_perfetto *s, unsigned machine, struct perfetto_track **ret)
{
	struct perfetto_machine *m = &s->machines[machine];
	char name[300];
	int r = 0;

	if (!m->track) {
		snprintf(name, sizeof(name), "VM %s", s->in->machines.v[machine].name);
		r = perfetto_track_new(
			s, &(struct perfetto_track_spec){.name = name, .rank = machine}, &m->track);
	}
	*ret = m->track;
	return r;
}

static int make_tracks(struct sink_perfetto *s, unsigned machine, unsigned id,
		       struct perfetto_vcpu *v)
{
	struct perfetto_track_spec spec = {0};
	struct perfetto_track *vm;
	char name[64];
	int r = vm_track(s, machine, &vm);

	snprintf(name, sizeof(name), "vCPU %u", id);
	spec = (struct perfetto_track_spec){.name = name, .parent = vm, .rank = id};
	if (!r)
		r = perfetto_track_new(s, &spec, &v->states);
	spec = (struct perfetto_track_spec){.name = "exits", .parent = v->states, .rank = 1};
	if (!r)
		r = perfetto_track_new(s, &spec, &v->exits);
	spec = (struct perfetto_track_spec){.name = "interrupts", .parent = v->states, .rank = 2};
	if (!r)
		r = perfetto_track_new(s, &spec, &v->irqs);
	spec = (struct perfetto_track_spec){.name = "exits per 10 ms",
					    .parent = v->states,
					    .rank = 3,
					    .counter = true,
					    .unit = "exits"};
	return r ? r : perfetto_track_new(s, &spec, &v->rate);
}

int perfetto_vcpu_get(struct sink_perfetto *s, unsigned machine, unsigned id, size_t index,
		      struct perfetto_vcpu **ret)
{
	struct perfetto_vcpu *v = &s->vcpus[index];

	*ret = v;
	return v->rate ? 0 : make_tracks(s, machine, id, v);
}

/* Few names, so that the reader can sum over them; details are arguments. */
static void state_name(const struct vcpu_slice *c, char *buf, size_t n)
{
	switch (c->state) {
	case VCPU_KVM:
		snprintf(buf, n, "KVM%s%s", *c->reason_text ? " " : "", c->reason_text);
		return;
	case VCPU_VMM:
		snprintf(buf, n, "VMM %s", *c->handler ? c->handler : c->user_text);
		return;
	case VCPU_PREEMPTED:
		snprintf(buf, n, "preempted by %s", *c->by_comm ? c->by_comm : "?");
		return;
	case VCPU_WAITING:
		snprintf(buf, n, "waiting%s%s", c->by_pid > 0 ? " for " : "",
			 c->by_pid > 0 ? c->by_comm : ": CPU was idle");
		return;
	default:
		snprintf(buf, n, "%s", exits_state_name(c->state));
	}
}

static int add_slice(void *state, const struct vcpu_slice *c)
{
	struct sink_perfetto *s = state;
	struct perfetto_arg args[4];
	struct perfetto_extra extra = {.args = args};
	struct perfetto_vcpu *v;
	char name[300];
	int r = perfetto_vcpu_get(s, c->machine, c->vcpu->id, c->index, &v);

	if (r)
		return r;
	state_name(c, name, sizeof(name));
	if (c->state >= VCPU_PREEMPTED && c->within != c->state)
		args[extra.n_args++] = (struct perfetto_arg){"within", ARG_TEXT,
							     .text = exits_state_name(c->within)};
	if (c->state != VCPU_GUEST && c->state != VCPU_KVM && *c->reason_text)
		args[extra.n_args++] =
			(struct perfetto_arg){"exit", ARG_TEXT, .text = c->reason_text};
	if (*c->user_text)
		args[extra.n_args++] =
			(struct perfetto_arg){"user_exit", ARG_TEXT, .text = c->user_text};
	if (c->by_pid > 0)
		args[extra.n_args++] =
			(struct perfetto_arg){"by_tid", ARG_U64, .v = (uint64_t)c->by_pid};
	return perfetto_track_slice(v->states, c->from_ticks, c->to_ticks, name, &extra);
}

/* Steps without exits are told as 0 at their first, so that the line does not slope. */
static int count_exit(struct sink_perfetto *s, struct perfetto_vcpu *v, uint64_t ticks)
{
	uint64_t step = perfetto_ns(s, ticks) / RATE_NS;
	int r = 0;

	if (step == v->rate_at) {
		v->rate_n++;
		return 0;
	}
	if (v->rate_n)
		r = perfetto_track_count_ns(v->rate, v->rate_at * RATE_NS, v->rate_n);
	if (!r && v->rate_n && step > v->rate_at + 1)
		r = perfetto_track_count_ns(v->rate, (v->rate_at + 1) * RATE_NS, 0);
	v->rate_at = step;
	v->rate_n = 1;
	return r;
}

static int add_exit(void *state, const struct vcpu_exit *e)
{
	static const char *const kinds[] = {NULL, "port", "mmio", "msr", "gpa"};
	struct sink_perfetto *s = state;
	struct perfetto_arg args[5];
	struct perfetto_extra extra = {.args = args};
	struct perfetto_vcpu *v;
	int r = perfetto_vcpu_get(s, e->machine, e->vcpu->id, e->index, &v);

	if (!r)
		r = count_exit(s, v, e->exit_ticks);
	if (r)
		return r;
	if (e->address_kind && e->address_kind < ARRAY_SIZE(kinds)) {
		args[extra.n_args++] =
			(struct perfetto_arg){kinds[e->address_kind], ARG_HEX, .v = e->address};
		args[extra.n_args++] = (struct perfetto_arg){"access", ARG_TEXT,
							     .text = e->write ? "write" : "read"};
	}
	if (*e->handler)
		args[extra.n_args++] = (struct perfetto_arg){"vmm", ARG_TEXT, .text = e->handler};
	if (*e->guest_comm)
		args[extra.n_args++] =
			(struct perfetto_arg){"guest_task", ARG_TEXT, .text = e->guest_comm};
	if (!e->complete)
		args[extra.n_args++] = (struct perfetto_arg){"incomplete", ARG_U64, .v = 1};
	return perfetto_track_slice(v->exits, e->exit_ticks, e->entry_ticks,
				    *e->reason_text ? e->reason_text : "?", &extra);
}

int perfetto_vcpus_end(struct sink_perfetto *s, uint64_t ticks)
{
	int r = 0;

	for (size_t i = 0; i < s->n_vcpus && !r; i++) {
		struct perfetto_vcpu *v = &s->vcpus[i];

		r = perfetto_irq_close(s, i, ticks);
		if (!r && v->rate_n)
			r = perfetto_track_count_ns(v->rate, v->rate_at * RATE_NS, v->rate_n);
	}
	return r;
}

const struct exits_ops perfetto_exits_ops = {.slice = add_slice, .vm_exit = add_exit};
