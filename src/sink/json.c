// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/sink.h"

#include <errno.h>

#include "base/log.h"

struct sink_json {
	const struct input *in;
	const struct timeline *t;
	const struct timeline_lane *lanes;
	struct out *out;
	bool is_document; /* events are elements of an array */
	bool any;
};

int sink_json_new(const struct input *in, struct out *out, struct sink_json **ret)
{
	struct sink_json *s = calloc(1, sizeof(*s));

	if (!s)
		return log_err_r(-ENOMEM, "cannot print: %m");
	s->in = in;
	s->out = out;
	*ret = s;
	return 0;
}

void sink_json_set_document(struct sink_json *s)
{
	s->is_document = true;
}

void sink_json_free(struct sink_json *s)
{
	free(s);
}

static int json_begin(void *state, const struct timeline *t)
{
	struct sink_json *s = state;
	size_t n;

	s->t = t;
	s->lanes = timeline_lanes(t, &n);
	return 0;
}

static void put_key(struct out *o, const char *key)
{
	out_puts(o, ",\"");
	out_puts(o, key);
	out_puts(o, "\":");
}

/* Many JSON readers keep 53 bits of a number. */
static void put_big(struct out *o, const char *key, uint64_t v)
{
	put_key(o, key);
	out_char(o, '"');
	out_u64(o, v);
	out_char(o, '"');
}

static void put_number(struct out *o, const struct source_field *f, uint64_t v)
{
	bool big = f->size == 8 || f->is_pointer;

	if (big)
		out_char(o, '"');
	if (f->is_pointer) {
		out_puts(o, "0x");
		out_hex(o, v);
	} else {
		if (f->type == FIELD_INT && (int64_t)v < 0) {
			out_char(o, '-');
			v = 0 - v;
		}
		out_u64(o, v);
	}
	if (big)
		out_char(o, '"');
}

static void put_hex(struct out *o, const uint8_t *p, size_t n)
{
	out_char(o, '"');
	for (size_t i = 0; i < n; i++) {
		out_char(o, "0123456789abcdef"[p[i] >> 4]);
		out_char(o, "0123456789abcdef"[p[i] & 15]);
	}
	out_char(o, '"');
}

static void put_field(struct out *o, const struct source_field *f, const struct event *ev)
{
	const void *p;
	size_t n;

	out_json(o, f->name, strlen(f->name));
	out_char(o, ':');
	if (f->type == FIELD_UINT || f->type == FIELD_INT) {
		put_number(o, f, source_field_u64(f, ev->data));
		return;
	}
	p = source_field_bytes(f, ev->data, ev->size, &n);
	if (!p)
		out_puts(o, "null");
	else if (f->type == FIELD_STRING || f->type == FIELD_DYN_STRING ||
		 f->type == FIELD_REL_STRING)
		out_json(o, p, n);
	else
		put_hex(o, p, n);
}

void sink_json_fields(struct out *o, const struct event *ev)
{
	const struct source_kind *k = ev->kind;
	bool first = true;

	out_char(o, '{');
	for (size_t i = 0; i < k->n_fields; i++) {
		if (k->fields[i].is_common)
			continue;
		if (!first)
			out_char(o, ',');
		first = false;
		put_field(o, &k->fields[i], ev);
	}
	out_char(o, '}');
}

static void put_where(const struct sink_json *s, struct out *o, const struct event *ev)
{
	const struct input_machine *m = &s->in->machines.v[ev->machine];

	out_puts(o, "{\"ticks\":\"");
	out_u64(o, ev->ticks);
	out_char(o, '"');
	if (s->in->conv.mult) {
		bool before = ev->ticks < timeline_first_ticks(s->t);
		uint64_t d = before ? timeline_first_ticks(s->t) - ev->ticks
				    : ev->ticks - timeline_first_ticks(s->t);

		put_key(o, "ns");
		if (before)
			out_char(o, '-');
		out_u64(o, conv_to_ns(&s->in->conv, d));
	}
	put_key(o, "machine");
	out_json(o, m->name, strlen(m->name));
	if (ev->cpu != SOURCE_NO_CPU) {
		put_key(o, "cpu");
		out_u64(o, ev->cpu);
	}
	if (s->lanes[ev->lane].vcpu && s->lanes[ev->lane].vcpu->id != INPUT_NO_VCPU) {
		put_key(o, "vcpu");
		out_u64(o, s->lanes[ev->lane].vcpu->id);
	}
	if (!m->aligned)
		out_puts(o, ",\"unaligned\":true");
}

static void put_lost(const struct sink_json *s, struct out *o, const struct event *ev)
{
	put_where(s, o, ev);
	if (ev->end_ticks != UINT64_MAX)
		put_big(o, "end_ticks", ev->end_ticks);
	put_key(o, "lost");
	if (ev->lost == UINT64_MAX)
		out_puts(o, "null");
	else
		out_u64(o, ev->lost);
	out_char(o, '}');
}

static void put_event(const struct sink_json *s, struct out *o, const struct event *ev)
{
	int pid = source_record_pid(ev->kind, ev->data);

	put_where(s, o, ev);
	put_big(o,
		source_facts(s->in->machines.v[ev->machine].source)->quantum_ns ? "raw_ns"
										: "raw_ticks",
		ev->raw_ticks);
	if (ev->width) {
		put_key(o, "width");
		out_u64(o, ev->width);
	}
	if (ev->err_ticks)
		put_big(o, "error_ticks", ev->err_ticks);
	if (ev->doubtful)
		out_puts(o, ",\"doubtful\":true");
	if (pid >= 0) {
		put_key(o, "pid");
		out_u64(o, (uint64_t)pid);
	}
	if (ev->comm) {
		put_key(o, "comm");
		out_json(o, ev->comm, strlen(ev->comm));
	}
	put_key(o, "system");
	out_json(o, ev->kind->system, strlen(ev->kind->system));
	put_key(o, "event");
	out_json(o, ev->kind->name, strlen(ev->kind->name));
	put_key(o, "fields");
	sink_json_fields(o, ev);
	out_char(o, '}');
}

/* Nothing of a thread's own: all share the sink. */
static int json_worker_new(void *state, void **ret)
{
	*ret = state;
	return 0;
}

static void json_worker_free(void *worker)
{
}

static int json_work(void *worker, const struct event *ev, size_t n, void **part)
{
	const struct sink_json *s = worker;
	struct out *o = out_part(part);

	if (!o)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (s->is_document && i)
			out_puts(o, ",\n");
		if (ev[i].type == EVENT_LOST)
			put_lost(s, o, &ev[i]);
		else
			put_event(s, o, &ev[i]);
		if (!s->is_document)
			out_char(o, '\n');
	}
	return o->err;
}

static int json_emit(void *state, void *part)
{
	struct sink_json *s = state;

	if (s->is_document && s->any)
		out_puts(s->out, ",\n");
	s->any = true;
	return out_part_put(s->out, part);
}

static int json_end(void *state)
{
	struct sink_json *s = state;

	return out_flush(s->out);
}

const struct consumer sink_json_consumer = {
	.name = "json",
	.wants_tasks = true,
	.begin = json_begin,
	.worker_new = json_worker_new,
	.worker_free = json_worker_free,
	.work = json_work,
	.emit = json_emit,
	.part_free = out_part_free,
	.end = json_end,
};
