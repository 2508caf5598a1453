// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/html_parts.h"

#include <inttypes.h>

#include "base/text.h"

static void key(struct strbuf *b, const char *name, const char *value)
{
	strbuf_printf(b, ",\"%s\":", name);
	strbuf_json(b, value ?: "", strlen(value ?: ""));
}

/* 64 bits do not fit a number of the page's language. */
static void key_big(struct strbuf *b, const char *name, uint64_t v)
{
	strbuf_printf(b, ",\"%s\":\"%" PRIu64 "\"", name, v);
}

static void sep(struct strbuf *b, size_t i)
{
	if (i)
		strbuf_puts(b, ",");
}

/* When the zero of displayed time was, by the reading of the clocks that is nearest to it. */
static void put_clock(struct strbuf *b, const struct input *in, uint64_t base)
{
	const struct session_pair *best = NULL;
	uint64_t least = UINT64_MAX;

	strbuf_printf(b, "\"mult\":%u,\"shift\":%u", in->conv.mult, in->conv.shift);
	array_for_each(p, &in->pairs) {
		uint64_t away = p->tsc > base ? p->tsc - base : base - p->tsc;

		if (away < least) {
			least = away;
			best = p;
		}
	}
	if (!best || !in->conv.mult)
		return;
	least = conv_to_ns(&in->conv, least);
	if (least > INT64_MAX)
		return;
	strbuf_printf(
		b, ",\"realtime_ns\":\"%" PRId64 "\"",
		(int64_t)((uint64_t)best->realtime_ns + (best->tsc > base ? 0 - least : least)));
}

static void put_vcpus(struct strbuf *b, const struct input_machine *m)
{
	strbuf_puts(b, ",\"vcpus\":[");
	for (size_t i = 0; i < m->vcpus.n; i++) {
		const struct input_vcpu *v = &m->vcpus.v[i];

		sep(b, i);
		strbuf_printf(b, "{\"id\":%u,\"tid\":%d,\"cpu\":%d}", v->id, v->tid, v->guest_cpu);
	}
	strbuf_puts(b, "],\"tids\":[");
	for (size_t i = 0; i < m->tids.n; i++) {
		sep(b, i);
		strbuf_printf(b, "%d", m->tids.v[i]);
	}
	strbuf_puts(b, "]");
}

static void put_totals(struct strbuf *b, const struct timeline_totals *n)
{
	key_big(b, "events", n->events);
	key_big(b, "lost", n->lost);
	strbuf_printf(b, ",\"gaps\":%" PRIu64 ",\"gaps_uncounted\":%" PRIu64, n->gaps,
		      n->gaps_uncounted);
}

static void put_tasks(struct strbuf *b, const struct input_machine *m, const struct html_pids *p)
{
	bool first = true;

	strbuf_puts(b, ",\"tasks\":[");
	for (uint32_t i = 0; m->source && i < p->size; i++) {
		const char *comm = p->slots[i] == -1 ? NULL : source_comm(m->source, p->slots[i]);

		if (!comm)
			continue;
		sep(b, !first);
		first = false;
		strbuf_printf(b, "[%d,", p->slots[i]);
		strbuf_json(b, comm, strlen(comm));
		strbuf_puts(b, "]");
	}
	strbuf_puts(b, "]");
}

static long machine_index(const struct input *in, const struct input_machine *m)
{
	return m ? (long)(m - in->machines.v) : -1;
}

static void put_machines(struct strbuf *b, const struct timeline *t, const struct html_tasks *tasks)
{
	const struct input *in = timeline_input(t);

	strbuf_puts(b, ",\"machines\":[");
	for (size_t i = 0; i < in->machines.n; i++) {
		const struct input_machine *m = &in->machines.v[i];

		sep(b, i);
		strbuf_printf(b, "{\"guest\":%d,\"text\":%d,\"aligned\":%d,\"part_of\":%zu",
			      m->is_guest, m->is_text, m->aligned, m->part_of);
		strbuf_printf(b, ",\"same\":%ld,\"pid\":%d,\"raw_ns\":%d",
			      machine_index(in, m->same), m->pid,
			      m->source && source_facts(m->source)->quantum_ns);
		key(b, "name", m->name);
		key(b, "uname", m->source ? source_facts(m->source)->uname : "");
		key(b, "why_unaligned", m->aligned ? "" : m->why_unaligned);
		put_vcpus(b, m);
		put_totals(b, timeline_totals(t, (unsigned)i));
		put_tasks(b, m, &tasks->pids[i]);
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

static void put_lanes(struct strbuf *b, const struct timeline *t)
{
	size_t n;
	const struct timeline_lane *lanes = timeline_lanes(t, &n);

	strbuf_puts(b, ",\"lanes\":[");
	for (size_t i = 0; i < n; i++) {
		const struct input_vcpu *v = lanes[i].vcpu;

		sep(b, i);
		strbuf_printf(b, "{\"machine\":%u,\"cpu\":%d,\"vcpu\":%ld", lanes[i].machine,
			      lanes[i].cpu == SOURCE_NO_CPU ? -1 : lanes[i].cpu,
			      v && v->id != INPUT_NO_VCPU ? (long)v->id : -1L);
		key(b, "buffer", lanes[i].buffer);
		strbuf_puts(b, "}");
	}
	strbuf_puts(b, "]");
}

static const char *field_letter(const struct source_field *f)
{
	if (f->type == FIELD_UINT)
		return f->is_pointer ? "p" : "u";
	if (f->type == FIELD_INT)
		return f->is_pointer ? "p" : "i";
	return f->type <= FIELD_REL_STRING ? "s" : "b";
}

static void put_kinds(struct strbuf *b, const struct html_events *events)
{
	strbuf_puts(b, ",\"kinds\":[");
	for (size_t i = 0; i < events->all.n; i++) {
		const struct source_kind *k = events->all.v[i].kind;
		bool first = true;

		sep(b, i);
		strbuf_printf(b, "{\"machine\":%u,\"n\":%" PRIu64, events->all.v[i].machine,
			      events->all.v[i].n);
		key(b, "system", k->system);
		key(b, "name", k->name);
		strbuf_puts(b, ",\"fields\":[");
		for (size_t j = 0; j < k->n_fields; j++) {
			if (k->fields[j].is_common)
				continue;
			sep(b, !first);
			first = false;
			strbuf_printf(b, "[\"%s%u\",", field_letter(&k->fields[j]),
				      k->fields[j].size);
			strbuf_json(b, k->fields[j].name, strlen(k->fields[j].name));
			strbuf_puts(b, "]");
		}
		strbuf_puts(b, "]}");
	}
	strbuf_puts(b, "]");
}

static void put_vcpu_list(struct strbuf *b, const struct input *in, const struct html_vcpus *vcpus)
{
	const struct exits_result *r = exits_result(vcpus->exits);

	strbuf_printf(b, ",\"has_exits\":%d,\"has_sched\":%d,\"has_user\":%d,\"states\":[",
		      r->has_exits, r->has_sched, r->has_user);
	for (unsigned i = 0; i < VCPU_STATES; i++) {
		sep(b, i);
		strbuf_printf(b, "\"%s\"", exits_state_name(i));
	}
	strbuf_puts(b, "],\"vcpus\":[");
	for (size_t i = 0; i < r->n_vcpus; i++) {
		sep(b, i);
		strbuf_printf(b, "{\"machine\":%u,\"id\":%u,\"tid\":%d}", r->vcpus[i].machine,
			      r->vcpus[i].vcpu->id, r->vcpus[i].vcpu->tid);
	}
	strbuf_puts(b, "]");
}

int html_meta_put(const struct timeline *t, struct block *b, const struct html_events *events,
		  const struct html_tasks *tasks, const struct html_vcpus *vcpus)
{
	const struct input *in = timeline_input(t);
	_cleanup_strbuf_ struct strbuf s = {0};

	strbuf_puts(&s, "{");
	put_clock(&s, in, tasks->base);
	key_big(&s, "base", tasks->base);
	key_big(&s, "span", tasks->end);
	key_big(&s, "events", events->total);
	key(&s, "title", in->title);
	key(&s, "tool", "onetsc " ONETSC_VERSION);
	put_machines(&s, t, tasks);
	put_lanes(&s, t);
	put_kinds(&s, events);
	put_vcpu_list(&s, in, vcpus);
	strbuf_puts(&s, "}");
	block_begin(b, 'M');
	if (s.failed)
		block_fail(b);
	block_put(b, s.s, s.n);
	return block_end(b);
}
