// SPDX-License-Identifier: GPL-2.0-or-later
/* One JSON document of a session: who took part, then the events (docs/json-schema.md). */
#include "sink/sink.h"

#include <string.h>

static void key(struct out *o, const char *name)
{
	out_char(o, '"');
	out_puts(o, name);
	out_puts(o, "\":");
}

static void text(struct out *o, const char *name, const char *value)
{
	out_char(o, ',');
	key(o, name);
	out_json(o, value, strlen(value));
}

/* 64 bits are strings: many readers keep 53 of a number. */
static void big(struct out *o, const char *name, uint64_t v, bool negative)
{
	key(o, name);
	out_puts(o, negative ? "\"-" : "\"");
	out_u64(o, negative ? 0 - v : v);
	out_char(o, '"');
}

static void put_offsets(struct out *o, const struct tsc_epochs *e)
{
	key(o, "offsets");
	out_char(o, '[');
	for (size_t i = 0; i < e->n; i++) {
		const struct tsc_map *m = &e->v[i].map;

		out_puts(o, i ? ",{" : "{");
		if (i)
			big(o, "from_ticks", e->v[i].from_ticks, false);
		else
			out_puts(o, "\"from_ticks\":null");
		out_char(o, ',');
		big(o, "offset", (uint64_t)m->offset, m->offset < 0);
		out_char(o, ',');
		big(o, "ratio", m->ratio, false);
		out_puts(o, ",\"frac\":");
		out_u64(o, m->frac);
		out_char(o, '}');
	}
	out_char(o, ']');
}

static void put_vcpu(struct out *o, const struct input_vcpu *v)
{
	out_char(o, '{');
	key(o, "vcpu");
	if (v->id == INPUT_NO_VCPU)
		out_puts(o, "null");
	else
		out_u64(o, v->id);
	out_char(o, ',');
	if (v->tid > 0) {
		key(o, "tid");
		out_u64(o, (uint64_t)v->tid);
		out_char(o, ',');
	}
	if (v->guest_cpu >= 0) {
		key(o, "cpu");
		out_u64(o, (uint64_t)v->guest_cpu);
		out_char(o, ',');
	}
	put_offsets(o, &v->epochs);
	out_char(o, '}');
}

static void put_machine(struct out *o, const struct input_machine *m)
{
	const struct source_facts *f = m->source ? source_facts(m->source) : NULL;

	out_char(o, '{');
	key(o, "machine");
	out_json(o, m->name, strlen(m->name));
	out_puts(o, m->is_guest ? ",\"guest\":true" : ",\"guest\":false");
	out_puts(o, m->aligned ? ",\"aligned\":true" : ",\"aligned\":false");
	if (f && *f->uname)
		text(o, "kernel", f->uname);
	if (f && *f->clock)
		text(o, "clock", f->clock);
	if (m->is_guest) {
		out_puts(o, ",\"vcpus\":[");
		array_for_each(v, &m->vcpus) {
			if (v != m->vcpus.v)
				out_char(o, ',');
			put_vcpu(o, v);
		}
		out_char(o, ']');
	}
	out_char(o, '}');
}

void sink_json_document_begin(const struct timeline *t, struct out *o)
{
	const struct input *in = timeline_input(t);

	out_puts(o, "{\"format\":\"onetsc\",\"version\":1");
	text(o, "title", in->title);
	out_char(o, ',');
	big(o, "first_ticks", timeline_first_ticks(t), false);
	if (in->conv.mult) {
		out_char(o, ',');
		big(o, "tsc_hz", conv_hz(&in->conv), false);
	}
	out_puts(o, ",\n\"machines\":[\n");
	array_for_each(m, &in->machines) {
		if (m != in->machines.v)
			out_puts(o, ",\n");
		put_machine(o, m);
	}
	out_puts(o, "],\n\"events\":[\n");
}

void sink_json_document_end(struct out *o)
{
	out_puts(o, "\n]}\n");
}
