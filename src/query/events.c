// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables whose rows are events: events, lost, and the columns that the tables of kinds share. */
#include <errno.h>

#include "query/tables.h"
#include "sink/eventtext.h"
#include "sink/sink.h"

/* clang-format off */
#define TS_NS	{"ts_ns", "ns since the first event", QUERY_INT, ROLE_TS, BASE_TS_NS, .in_file = true}
#define TICKS	{"ticks", "host TSC ticks", QUERY_INT, ROLE_TICKS, BASE_TICKS, .in_file = true}
#define WIDTH	.name = "width", .help = "it was there up to so many ticks later", .type = QUERY_INT, \
		.base = BASE_WIDTH, .in_file = true
#define MACHINE	{"machine", "\"host\" or a guest, as report names it", QUERY_TEXT, ROLE_MACHINE, \
		 BASE_MACHINE, .in_file = true}
#define CPU	{"cpu", "of that machine", QUERY_INT, ROLE_CPU, BASE_CPU, .in_file = true}
#define VM	{"vm", "guest that it is of; on the host: that its thread runs", QUERY_TEXT, ROLE_VM, \
		 BASE_VM, .in_file = true}
#define VCPU	{"vcpu", "KVM's id, as vm", QUERY_INT, ROLE_VCPU, BASE_VCPU, .in_file = true}
#define PID	{"pid", "thread in whose context it happened", QUERY_INT, ROLE_PID, BASE_PID, .in_file = true}
#define COMM	{"comm", "its name", QUERY_TEXT, ROLE_COMM, BASE_COMM, .in_file = true, \
		 .is_derived = true}
#define ERROR	{"error_ticks", "stamp of another clock: so many ticks sooner or later", QUERY_INT, \
		 ROLE_NONE, BASE_ERROR_TICKS, true, true}
#define DOUBTFUL {"doubtful", "1: the time is only bounded", QUERY_INT, ROLE_NONE, BASE_DOUBTFUL, true, true}
#define RAW	{"raw_ticks", "the stamp in the machine's own clock", QUERY_INT, ROLE_NONE, BASE_RAW_TICKS, \
		 true, true}
#define TEXT	.name = "text", .help = "as report shows it", .type = QUERY_TEXT, .base = BASE_TEXT, \
		.is_derived = true

static const struct query_column events_columns[] = {
	TS_NS, TICKS, {WIDTH}, MACHINE, CPU, VM, VCPU, PID, COMM,
	{"event", "\"kvm_exit\"", QUERY_TEXT, ROLE_EVENT, BASE_EVENT, .in_file = true},
	{TEXT, .in_file = true},
	{"system", "\"kvm\"", QUERY_TEXT, ROLE_SYSTEM, BASE_SYSTEM, true, true},
	ERROR, DOUBTFUL, RAW,
	{"fields", "all fields, a JSON object", QUERY_TEXT, ROLE_NONE, BASE_FIELDS, true},
};

static const struct query_column lost_columns[] = {
	TS_NS, TICKS,
	{"end_ticks", "up to here; NULL: to the end", QUERY_INT, ROLE_NONE, BASE_END_TICKS, .in_file = true},
	MACHINE, CPU,
	{"lost", "how many; NULL: not known", QUERY_INT, ROLE_NONE, BASE_LOST, .in_file = true},
};

const struct query_column query_kind_front[] = {TS_NS, TICKS, MACHINE, CPU, VM, VCPU, PID, COMM};
const struct query_column query_kind_back[] = {
	{WIDTH, .hidden = true}, ERROR, DOUBTFUL, RAW, {TEXT, .hidden = true},
};
/* clang-format on */
const size_t query_kind_n_front = ARRAY_SIZE(query_kind_front);
const size_t query_kind_n_back = ARRAY_SIZE(query_kind_back);

static int give(void *state, const struct event *ev, size_t n)
{
	return pull_give(state, ev, n);
}

static const struct consumer quiet = {.name = "query", .batch = give};
static const struct consumer knowing = {.name = "query", .batch = give, .wants_tasks = true};

static int events_run(void *state, struct pull *p)
{
	struct query_scan *scan = state;

	return query_scan_run(scan, scan->filter.wants_tasks ? &knowing : &quiet, p);
}

static bool is_record(const struct query_session *s, const struct query_table *t, const void *row)
{
	return ((const struct event *)row)->type == EVENT_RECORD;
}

static bool is_of_kind(const struct query_session *s, const struct query_table *t, const void *row)
{
	const struct event *ev = row;

	return ev->type == EVENT_RECORD &&
	       s->by_index[ev->machine][ev->kind->index].table == t->index;
}

static bool is_lost(const struct query_session *s, const struct query_table *t, const void *row)
{
	return ((const struct event *)row)->type == EVENT_LOST;
}

void query_value_int(int64_t v, struct query_value *ret)
{
	ret->type = QUERY_INT;
	ret->i = v;
}

void query_value_ticks(uint64_t ticks, struct query_value *ret)
{
	ret->type = ticks > INT64_MAX ? QUERY_REAL : QUERY_INT;
	ret->i = (int64_t)ticks;
	ret->r = (double)ticks;
}

void query_value_span(const struct query_session *s, uint64_t ticks, struct query_value *ret)
{
	if (s->in->conv.mult)
		query_value_ticks(conv_to_ns(&s->in->conv, ticks), ret);
}

void query_value_ts(const struct query_session *s, uint64_t ticks, struct query_value *ret)
{
	bool before = ticks < s->first_ticks;

	query_value_span(s, before ? s->first_ticks - ticks : ticks - s->first_ticks, ret);
	if (before && ret->type) {
		ret->i = -ret->i;
		ret->r = -ret->r;
	}
}

const struct query_thread *query_thread_find(const struct query_session *s, int pid)
{
	size_t lo = 0, hi = s->threads.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->threads.v[mid].pid < pid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->threads.n && s->threads.v[lo].pid == pid ? &s->threads.v[lo] : NULL;
}

static void value_name(struct query_session *s, const char *name, struct query_value *ret)
{
	if (name)
		query_value_text(s, name, strlen(name), ret);
}

static void value_vm(struct query_session *s, const struct event *ev, bool vcpu,
		     struct query_value *ret)
{
	const struct input_machine *m = &s->in->machines.v[ev->machine];
	const struct input_vcpu *v = NULL;
	const struct query_thread *t;

	if (m->is_guest) {
		v = vcpu ? input_vcpu_of_cpu(m, ev->cpu) : NULL;
		m = m->same ?: m;
	} else {
		t = ev->type == EVENT_RECORD
			    ? query_thread_find(s, source_record_pid(ev->kind, ev->data))
			    : NULL;
		if (!t)
			return;
		m = t->machine;
		v = t->vcpu;
	}
	if (!vcpu)
		value_name(s, m->name, ret);
	else if (v && v->id != INPUT_NO_VCPU)
		query_value_int(v->id, ret);
}

static int value_text(struct query_session *s, const struct event *ev, struct query_value *ret)
{
	int r = s->texts ? 0 : eventtext_new(s->in, &s->texts);
	const char *text;
	size_t n;

	if (r)
		return r;
	text = eventtext_get(s->texts, ev, &n);
	query_value_text(s, text, n, ret);
	return 0;
}

/* More than the buffer holds never comes: a record is smaller than a page. */
static int value_fields(struct query_session *s, const struct event *ev, struct query_value *ret)
{
	if (!s->fields)
		s->fields = calloc(1, sizeof(*s->fields));
	if (!s->fields)
		return -ENOMEM;
	s->fields->fd = -1;
	s->fields->err = 0;
	s->fields->n = 0;
	sink_json_fields(s->fields, ev);
	if (!s->fields->err)
		query_value_text(s, s->fields->buf, s->fields->n, ret);
	return s->fields->err == -EBADF ? 0 : s->fields->err;
}

static void value_of_field(struct query_session *s, const struct source_field *f,
			   const struct event *ev, struct query_value *ret)
{
	if (!f)
		return;
	if (f->type == FIELD_UINT || f->type == FIELD_INT) {
		query_value_int((int64_t)source_field_u64(f, ev->data), ret);
		return;
	}
	ret->p = source_field_bytes(f, ev->data, ev->size, &ret->n);
	if (!ret->p)
		return;
	ret->type = QUERY_BLOB;
	if (f->type == FIELD_STRING || f->type == FIELD_DYN_STRING || f->type == FIELD_REL_STRING)
		query_value_text(s, ret->p, ret->n, ret);
}

static void value_of_record(struct query_session *s, const struct event *ev, enum query_base base,
			    struct query_value *ret)
{
	int pid = source_record_pid(ev->kind, ev->data);

	switch (base) {
	case BASE_PID:
		if (pid >= 0)
			query_value_int(pid, ret);
		break;
	case BASE_COMM:
		value_name(s, ev->comm, ret);
		break;
	case BASE_SYSTEM:
		value_name(s, ev->kind->system, ret);
		break;
	case BASE_EVENT:
		value_name(s, ev->kind->name, ret);
		break;
	case BASE_ERROR_TICKS:
		query_value_ticks(ev->err_ticks, ret);
		break;
	case BASE_DOUBTFUL:
		query_value_int(ev->doubtful, ret);
		break;
	case BASE_WIDTH:
		query_value_ticks(ev->width, ret);
		break;
	default:
		query_value_ticks(ev->raw_ticks, ret);
	}
}

static int event_value(struct query_session *s, const struct query_table *t, const void *row,
		       size_t column, struct query_value *ret)
{
	const struct query_column *c = &t->columns.v[column];
	const struct event *ev = row;

	switch (c->base) {
	case BASE_TS_NS:
		query_value_ts(s, ev->ticks, ret);
		return 0;
	case BASE_TICKS:
		query_value_ticks(ev->ticks, ret);
		return 0;
	case BASE_MACHINE:
		value_name(s, s->in->machines.v[ev->machine].name, ret);
		return 0;
	case BASE_CPU:
		if (ev->cpu != SOURCE_NO_CPU)
			query_value_int(ev->cpu, ret);
		return 0;
	case BASE_VM:
	case BASE_VCPU:
		value_vm(s, ev, c->base == BASE_VCPU, ret);
		return 0;
	case BASE_TEXT:
		return value_text(s, ev, ret);
	case BASE_FIELDS:
		return value_fields(s, ev, ret);
	case BASE_FIELD:
		value_of_field(s, s->by_index[ev->machine][ev->kind->index].fields[c->field], ev,
			       ret);
		return 0;
	case BASE_LOST:
		if (ev->lost != UINT64_MAX)
			query_value_ticks(ev->lost, ret);
		return 0;
	case BASE_END_TICKS:
		if (ev->end_ticks != UINT64_MAX)
			query_value_ticks(ev->end_ticks, ret);
		return 0;
	default:
		value_of_record(s, ev, c->base, ret);
		return 0;
	}
}

#define EVENT_OPS(of)                                                              \
	{                                                                          \
		.row_bytes = sizeof(struct event), .run = events_run, .wants = of, \
		.value = event_value,                                              \
	}
const struct query_table_ops query_events_ops = EVENT_OPS(is_record);
const struct query_table_ops query_kind_ops = EVENT_OPS(is_of_kind);
const struct query_table_ops query_lost_ops = EVENT_OPS(is_lost);

int query_events_make(struct query_session *s)
{
	struct query_table *t = query_table_add(s, "events", "all events of all machines, in order",
						&query_events_ops);
	int r = t ? query_table_columns(t, events_columns, ARRAY_SIZE(events_columns)) : -ENOMEM;

	if (r)
		return r;
	t = query_table_add(s, "lost", "where events are missing", &query_lost_ops);
	return t ? query_table_columns(t, lost_columns, ARRAY_SIZE(lost_columns)) : -ENOMEM;
}
