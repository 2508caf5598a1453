// SPDX-License-Identifier: GPL-2.0-or-later
/* The table sched: who ran where from when to when, on the host and in guests, of sched_switch. */
#include <errno.h>
#include <string.h>

#include "query/derived.h"

#define TASK_BYTES  32
#define READY_SLOTS (1u << 16) /* by pid */
/* How long a thread waited is told up to so long, so that a window knows it too. */
#define READY_MAX_NS 5000000000u

struct sched_row {
	uint64_t from, to, waited; /* to 0, waited UINT64_MAX: not known */
	uint16_t machine, cpu;
	int pid, prio;
	char comm[TASK_BYTES], state[8];
	bool has_prio;
};

struct sched_kinds { /* of a machine */
	const struct source_kind *sched_switch, *wakeup, *wakeup_new;
	const struct source_field *prev_pid, *prev_state, *next_pid, *next_comm, *next_prio;
	const struct source_field *woken_pid, *new_pid;
	struct ready {
		int pid;
		uint64_t ticks; /* 0: none */
	} * ready;
};

struct pass {
	struct query_scan *scan;
	struct derived_rows rows;
	uint64_t from, to, horizon;
	struct sched_kinds *kinds; /* by machine */
	struct running {
		bool known; /* row is who runs */
		struct sched_row row;
	} * running; /* by lane */
	const struct timeline_lane *lanes;
	size_t n_lanes;
	bool probes, stopped;
	size_t n_early; /* running since to or before */
};

static const struct source_field *number_field(const struct source_kind *k, const char *name)
{
	const struct source_field *f = k ? source_field_find(k, name) : NULL;

	return f && f->type <= FIELD_INT ? f : NULL;
}

static int find_kinds(struct sched_kinds *k, struct source *s)
{
	if (!s)
		return 0;
	k->sched_switch = source_kind_find(s, "sched", "sched_switch");
	k->prev_pid = number_field(k->sched_switch, "prev_pid");
	k->prev_state = number_field(k->sched_switch, "prev_state");
	k->next_pid = number_field(k->sched_switch, "next_pid");
	k->next_prio = number_field(k->sched_switch, "next_prio");
	k->next_comm = k->sched_switch ? source_field_find(k->sched_switch, "next_comm") : NULL;
	if (!k->prev_pid || !k->prev_state || !k->next_pid)
		k->sched_switch = NULL;
	k->wakeup = source_kind_find(s, "sched", "sched_wakeup");
	k->wakeup_new = source_kind_find(s, "sched", "sched_wakeup_new");
	k->woken_pid = number_field(k->wakeup, "pid");
	k->new_pid = number_field(k->wakeup_new, "pid");
	if (k->sched_switch)
		k->ready = calloc(READY_SLOTS, sizeof(*k->ready));
	return k->sched_switch && !k->ready ? -ENOMEM : 0;
}

static void free_kinds(struct pass *p)
{
	for (size_t i = 0; p->kinds && i < p->scan->session->in->machines.n; i++)
		free(p->kinds[i].ready);
	free(p->kinds);
	free(p->running);
	p->kinds = NULL;
	p->running = NULL;
}

static int pass_begin(void *state, const struct timeline *t)
{
	struct pass *p = state;
	const struct input *in = timeline_input(t);
	int r = 0;

	p->lanes = timeline_lanes(t, &p->n_lanes);
	p->running = calloc(p->n_lanes + 1, sizeof(*p->running));
	p->kinds = calloc(in->machines.n + 1, sizeof(*p->kinds));
	if (!p->running || !p->kinds)
		return -ENOMEM;
	for (size_t i = 0; i < in->machines.n && !r; i++)
		r = find_kinds(&p->kinds[i], in->machines.v[i].source);
	return r;
}

static void set_ready(struct sched_kinds *k, int pid, uint64_t ticks)
{
	k->ready[(unsigned)pid % READY_SLOTS] = (struct ready){pid, ticks};
}

static uint64_t waited(const struct pass *p, struct sched_kinds *k, int pid, uint64_t ticks)
{
	struct ready *at = &k->ready[(unsigned)pid % READY_SLOTS];
	uint64_t since = at->pid == pid ? at->ticks : 0;

	if (!pid || !since)
		return UINT64_MAX;
	at->ticks = 0;
	return ticks - since <= p->horizon ? ticks - since : UINT64_MAX;
}

/* TASK_STATE of kernels since 4.14: what the event's own text shows. */
static void name_state(uint64_t state, char *ret)
{
	static const char letters[] = "SDTtXZPI";
	size_t n = 0;

	for (unsigned i = 0; i < 8 && n < 6; i++)
		if (state & 1u << i)
			ret[n++] = letters[i];
	if (!n)
		ret[n++] = 'R';
	if (state & 0x100)
		ret[n++] = '+';
	ret[n] = 0;
}

static int give_row(struct pass *p, const struct sched_row *row)
{
	struct sched_row *to;
	int r;

	if (p->probes || row->from > p->to || (row->to && row->to < p->from))
		return 0;
	to = derived_rows_add(&p->rows, &r);
	if (to)
		*to = *row;
	return r;
}

static struct sched_row row_of(const struct pass *p, struct sched_kinds *k, const struct event *ev)
{
	struct sched_row row = {.from = ev->ticks, .machine = ev->machine, .cpu = ev->cpu};
	const void *comm = NULL;
	size_t n = 0;

	row.pid = (int)source_field_u64(k->next_pid, ev->data);
	row.waited = waited(p, k, row.pid, ev->ticks);
	row.has_prio = k->next_prio != NULL;
	if (k->next_prio)
		row.prio = (int)source_field_u64(k->next_prio, ev->data);
	if (k->next_comm)
		comm = source_field_bytes(k->next_comm, ev->data, ev->size, &n);
	if (comm)
		memcpy(row.comm, comm, n < sizeof(row.comm) ? n : sizeof(row.comm) - 1);
	return row;
}

static int on_switch(struct pass *p, struct sched_kinds *k, const struct event *ev)
{
	struct running *now = &p->running[ev->lane];
	uint64_t state = source_field_u64(k->prev_state, ev->data);
	int prev = (int)source_field_u64(k->prev_pid, ev->data), r = 0;

	if (now->known) {
		now->row.to = ev->ticks ?: 1;
		name_state(state, now->row.state);
		p->n_early -= now->row.from <= p->to;
		r = give_row(p, &now->row);
	}
	if (prev && !(state & 0xff)) /* it could have run on */
		set_ready(k, prev, ev->ticks);
	now->known = true;
	now->row = row_of(p, k, ev);
	p->n_early += now->row.from <= p->to;
	return r;
}

static int on_event(struct pass *p, const struct event *ev)
{
	struct sched_kinds *k = &p->kinds[ev->machine];

	if (ev->ticks > p->to && !p->n_early) {
		p->stopped = true;
		return -ECANCELED;
	}
	if (ev->type == EVENT_LOST) { /* a switch may be among them */
		p->n_early -= p->running[ev->lane].known && p->running[ev->lane].row.from <= p->to;
		p->running[ev->lane].known = false;
		return 0;
	}
	if (!k->sched_switch)
		return 0;
	if (ev->kind == k->sched_switch)
		return on_switch(p, k, ev);
	if (ev->kind == k->wakeup && k->woken_pid)
		set_ready(k, (int)source_field_u64(k->woken_pid, ev->data), ev->ticks);
	else if (ev->kind == k->wakeup_new && k->new_pid)
		set_ready(k, (int)source_field_u64(k->new_pid, ev->data), ev->ticks);
	return 0;
}

static int pass_batch(void *state, const struct event *ev, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = on_event(state, &ev[i]);
	return r;
}

/* Those that still run. */
static int pass_end(void *state)
{
	struct pass *p = state;
	int r = 0;

	for (size_t i = 0; i < p->n_lanes && !r; i++)
		if (p->running[i].known)
			r = give_row(p, &p->running[i].row);
	return r;
}

static const struct consumer pass_consumer = {
	.name = "query", .begin = pass_begin, .batch = pass_batch, .end = pass_end};

static int probe(struct query_scan *scan, struct timeline *t, bool *ret_enough)
{
	struct pass p = {.scan = scan, .to = UINT64_MAX, .probes = true};
	int r = timeline_run(t, &(struct timeline_use){&pass_consumer, &p}, 1);

	*ret_enough = true;
	for (size_t i = 0; i < p.n_lanes && !r; i++)
		*ret_enough &= p.running[i].known || !p.kinds[p.lanes[i].machine].sched_switch;
	free_kinds(&p);
	return r;
}

static int run_pass(struct pass *p)
{
	static const char *const events[] = {"sched:sched_switch", "sched:sched_wakeup",
					     "sched:sched_wakeup_new"};
	const struct query_filter *ask = &p->scan->filter;
	struct timeline_filter f = {
		.machine = ask->machine, .events = events, .n_events = ARRAY_SIZE(events)};
	_cleanup_timeline_ struct timeline *t = NULL;
	int r = derived_lookback(p->scan, p->from, probe, &f.from_ticks);

	if (ask->wants_waits)
		f.from_ticks = f.from_ticks > p->horizon ? f.from_ticks - p->horizon : 0;
	if (!r)
		r = timeline_new(p->scan->session->in, &f, &t);
	if (!r)
		r = timeline_run(t, &(struct timeline_use){&pass_consumer, p}, 1);
	if (!r || (r == -ECANCELED && p->stopped))
		r = derived_rows_flush(&p->rows);
	return r;
}

static int sched_run(void *state, struct pull *pull)
{
	struct query_scan *scan = state;
	const struct tick_conv *c = &scan->session->in->conv;
	struct pass p = {.scan = scan,
			 .from = scan->filter.f.from_ticks,
			 .to = scan->filter.f.to_ticks ?: UINT64_MAX,
			 .horizon = c->mult ? conv_from_ns(c, READY_MAX_NS).hi : READY_MAX_NS};
	int r = derived_rows_init(&p.rows, pull, sizeof(struct sched_row));

	if (!r)
		r = run_pass(&p);
	free_kinds(&p);
	derived_rows_free(&p.rows);
	return r;
}

/* --- columns --- */

enum sched_column {
	COL_TS_NS,
	COL_TICKS,
	COL_DURATION_NS,
	COL_MACHINE,
	COL_CPU,
	COL_VM,
	COL_VCPU,
	COL_PID,
	COL_COMM,
	COL_PRIO,
	COL_STATE,
	COL_WAITED_NS,
	COL_DURATION,
	COL_END,
};

/* clang-format off */
#define COLUMN(id, name, type, help) {name, help, type, .base = id, .in_file = true}
static const struct query_column columns[] = {
	{"ts_ns", "when it began to run: ns since the first event", QUERY_INT, ROLE_TS, COL_TS_NS, .in_file = true},
	{"ticks", "the same in host TSC ticks", QUERY_INT, ROLE_TICKS, COL_TICKS, .in_file = true},
	COLUMN(COL_DURATION_NS, "duration_ns", QUERY_INT, "how long; NULL: the end was not seen"),
	{"machine", "\"host\" or a guest", QUERY_TEXT, ROLE_MACHINE, COL_MACHINE, .in_file = true},
	COLUMN(COL_CPU, "cpu", QUERY_INT, "of that machine"),
	COLUMN(COL_VM, "vm", QUERY_TEXT, "guest; on the host: whose vCPU the thread is"),
	COLUMN(COL_VCPU, "vcpu", QUERY_INT, "KVM's id, as vm"),
	COLUMN(COL_PID, "pid", QUERY_INT, "who ran; 0: the CPU was idle"),
	COLUMN(COL_COMM, "comm", QUERY_TEXT, "its name"),
	COLUMN(COL_PRIO, "prio", QUERY_INT, NULL),
	COLUMN(COL_STATE, "end_state", QUERY_TEXT, "why it stopped: R or R+ it could have run on, S, D …"),
	{"waited_ns", "before: since it could have run; NULL: unknown, or over 5 s", QUERY_INT, ROLE_WAITED,
	 COL_WAITED_NS, .in_file = true, .is_derived = true},
	{"duration_ticks", "duration_ns in ticks", QUERY_INT, ROLE_NONE, COL_DURATION, true, true},
	{"end_ticks", "when it stopped", QUERY_INT, ROLE_END, COL_END, true, true},
};
/* clang-format on */

static void value_vm(struct query_session *s, const struct sched_row *r, bool vcpu,
		     struct query_value *ret)
{
	const struct input_machine *m = &s->in->machines.v[r->machine];
	const struct query_thread *t = m->is_guest ? NULL : query_thread_find(s, r->pid);
	const struct input_vcpu *v = m->is_guest ? input_vcpu_of_cpu(m, r->cpu)
				     : t	 ? t->vcpu
						 : NULL;

	if (!m->is_guest && !t)
		return;
	m = t ? t->machine : m->same ?: m;
	if (!vcpu)
		query_value_text(s, m->name, strlen(m->name), ret);
	else if (v && v->id != INPUT_NO_VCPU)
		query_value_int(v->id, ret);
}

static void value_times(struct query_session *s, const struct sched_row *r, unsigned column,
			struct query_value *ret)
{
	switch (column) {
	case COL_TS_NS:
		query_value_ts(s, r->from, ret);
		break;
	case COL_TICKS:
		query_value_ticks(r->from, ret);
		break;
	case COL_WAITED_NS:
		if (r->waited != UINT64_MAX)
			query_value_span(s, r->waited, ret);
		break;
	case COL_END:
		if (r->to)
			query_value_ticks(r->to, ret);
		break;
	case COL_DURATION:
		if (r->to)
			query_value_ticks(r->to - r->from, ret);
		break;
	default: /* COL_DURATION_NS */
		if (r->to)
			query_value_span(s, r->to - r->from, ret);
	}
}

static int sched_value(struct query_session *s, const struct query_table *t, const void *row,
		       size_t column, struct query_value *ret)
{
	const struct sched_row *r = row;
	const char *machine = s->in->machines.v[r->machine].name;

	switch (t->columns.v[column].base) {
	case COL_MACHINE:
		query_value_text(s, machine, strlen(machine), ret);
		break;
	case COL_CPU:
		if (r->cpu != SOURCE_NO_CPU)
			query_value_int(r->cpu, ret);
		break;
	case COL_VM:
	case COL_VCPU:
		value_vm(s, r, t->columns.v[column].base == COL_VCPU, ret);
		break;
	case COL_PID:
		query_value_int(r->pid, ret);
		break;
	case COL_COMM:
		query_value_text(s, r->comm, strlen(r->comm), ret);
		break;
	case COL_PRIO:
		if (r->has_prio)
			query_value_int(r->prio, ret);
		break;
	case COL_STATE:
		if (r->to)
			query_value_text(s, r->state, strlen(r->state), ret);
		break;
	default:
		value_times(s, r, t->columns.v[column].base, ret);
	}
	return 0;
}

const struct query_table_ops query_sched_ops = {
	.row_bytes = sizeof(struct sched_row),
	.run = sched_run,
	.value = sched_value,
	.own_timeline = true,
};

int query_sched_make(struct query_session *s)
{
	struct query_table *t = query_table_add(
		s, "sched", "who ran where, on the host and in guests", &query_sched_ops);

	return t ? query_table_columns(t, columns, ARRAY_SIZE(columns)) : -ENOMEM;
}
