// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables exits and states, of insight/exits. */
#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "insight/exits.h"
#include "query/derived.h"

#define TEXT_BYTES 64

struct exit_row {
	struct vcpu_exit e;
	char handler[TEXT_BYTES], guest_comm[TEXT_BYTES];
};

struct state_row {
	struct vcpu_slice s;
	char handler[TEXT_BYTES], by_comm[TEXT_BYTES];
};

struct pass {
	struct query_scan *scan;
	struct derived_rows rows;
	uint64_t from, to; /* of rows that are wanted */
	bool wants_states; /* else exits */
	struct exits *exits;
	struct seen {
		bool guest; /* a time in the guest, where everything is known */
		bool task;  /* its task in the guest */
		bool wanted, done;
	} * seen; /* by index of the vCPU */
	size_t n_vcpus;
	size_t n_open; /* wanted ones that are not done */
};

/* SQL's column ids. */
enum exits_column {
	COL_TS_NS,
	COL_TICKS,
	COL_VM,
	COL_VCPU,
	COL_CPU,
	COL_REASON,
	COL_DURATION_NS,
	COL_DURATION,
	COL_END,
	COL_ISA,
	COL_CODE,
	COL_USER,
	COL_USER_CODE,
	COL_HANDLER,
	COL_KVM_NS, /* states from here on, as enum vcpu_state */
	COL_VMM_NS,
	COL_PREEMPTED_NS,
	COL_WAITING_NS,
	COL_HALTED_NS,
	COL_BLOCKED_NS,
	COL_UNKNOWN_NS,
	COL_TASK,
	COL_TASK_PID,
	COL_ADDRESS_KIND,
	COL_ADDRESS,
	COL_WRITE,
	COL_RIP,
	COL_INFO1,
	COL_INFO2,
	COL_USER_EXITS,
	COL_COMPLETE,
	COL_EVENT_TICKS,
	COL_STATE,
	COL_WITHIN,
	COL_BY,
	COL_BY_PID,
};

/* --- how far a pass must reach --- */

/* Behind the exits in a pass, which know their vCPUs when it has begun. */
static int pass_begin(void *state, const struct timeline *t)
{
	struct pass *p = state;
	const struct query_filter *f = &p->scan->filter;
	const struct exits_result *e = exits_result(p->exits);

	p->n_open = 0;
	p->n_vcpus = e->n_vcpus;
	free(p->seen);
	p->seen = calloc(e->n_vcpus + 1, sizeof(*p->seen));
	if (!p->seen)
		return -ENOMEM;
	for (size_t i = 0; i < e->n_vcpus; i++) {
		const struct exits_vcpu *v = &e->vcpus[i];
		const struct input_machine *m = &p->scan->session->in->machines.v[v->machine];
		struct seen *s = &p->seen[i];

		s->wanted = v->vcpu->tid > 0 && (!f->vm || !fnmatch(f->vm, m->name, 0)) &&
			    (!f->f.has_vcpu || f->f.vcpu == v->vcpu->id);
		s->task = !m->source;
		p->n_open += s->wanted;
	}
	return 0;
}

static int probe_slice(void *state, const struct vcpu_slice *s)
{
	struct pass *p = state;

	p->seen[s->index].guest |= s->state == VCPU_GUEST;
	return 0;
}

static int probe_exit(void *state, const struct vcpu_exit *e)
{
	struct pass *p = state;

	p->seen[e->index].task |= e->guest_pid >= 0;
	return 0;
}

static const struct exits_ops probe_ops = {.slice = probe_slice, .vm_exit = probe_exit};

/* --- rows --- */

static int give_slice(void *state, const struct vcpu_slice *s)
{
	struct pass *p = state;
	struct seen *seen = &p->seen[s->index];
	struct state_row *row;
	int r;

	if (s->state == VCPU_GUEST && s->from_ticks > p->to && seen->wanted && !seen->done) {
		seen->done = true;
		if (!--p->n_open)
			return -ECANCELED;
	}
	if (!p->wants_states || s->to_ticks < p->from || s->from_ticks > p->to)
		return 0;
	row = derived_rows_add(&p->rows, &r);
	if (!row)
		return r;
	row->s = *s;
	snprintf(row->handler, sizeof(row->handler), "%s", s->handler);
	snprintf(row->by_comm, sizeof(row->by_comm), "%s", s->by_comm);
	return 0;
}

static int give_exit(void *state, const struct vcpu_exit *e)
{
	struct pass *p = state;
	struct exit_row *row;
	int r;

	if (p->wants_states || e->entry_ticks < p->from || e->exit_ticks > p->to)
		return 0;
	row = derived_rows_add(&p->rows, &r);
	if (!row)
		return r;
	row->e = *e;
	snprintf(row->handler, sizeof(row->handler), "%s", e->handler);
	snprintf(row->guest_comm, sizeof(row->guest_comm), "%s", e->guest_comm);
	return 0;
}

static const struct exits_ops give_ops = {.slice = give_slice, .vm_exit = give_exit};

static const struct consumer pass_consumer = {.name = "query", .begin = pass_begin};

static int run_exits(struct pass *p, struct timeline *t, const struct exits_ops *ops)
{
	int r = exits_new(ops, p, &p->exits);

	if (r)
		return r;
	exits_limit(p->exits, p->scan->filter.vm);
	r = timeline_run(
		t, (struct timeline_use[]){{&exits_consumer, p->exits}, {&pass_consumer, p}}, 2);
	if (!r || r == -ECANCELED) /* rows point to texts of the exits */
		r = ops == &give_ops ? derived_rows_flush(&p->rows) : 0;
	exits_free(p->exits);
	p->exits = NULL;
	return r;
}

static int probe(struct query_scan *scan, struct timeline *t, bool *ret_enough)
{
	struct pass p = {.scan = scan};
	int r = run_exits(&p, t, &probe_ops);

	*ret_enough = true;
	for (size_t i = 0; !r && i < p.n_vcpus; i++)
		*ret_enough &= !p.seen[i].wanted || (p.seen[i].guest && p.seen[i].task);
	free(p.seen);
	return r;
}

static int run_pass(struct query_scan *scan, struct pull *pull, bool wants_states)
{
	const struct timeline_filter *ask = &scan->filter.f;
	struct timeline_filter f = {.vm = scan->filter.vm};
	struct pass p = {.scan = scan,
			 .from = ask->from_ticks,
			 .to = ask->to_ticks ?: UINT64_MAX,
			 .wants_states = wants_states};
	_cleanup_timeline_ struct timeline *t = NULL;
	int r = derived_rows_init(
		&p.rows, pull, wants_states ? sizeof(struct state_row) : sizeof(struct exit_row));

	if (!r)
		r = derived_lookback(scan, p.from, probe, &f.from_ticks);
	if (!r)
		r = timeline_new(scan->session->in, &f, &t);
	if (!r)
		r = run_exits(&p, t, &give_ops);
	derived_rows_free(&p.rows);
	free(p.seen);
	return r;
}

static int exits_run(void *scan, struct pull *pull)
{
	return run_pass(scan, pull, false);
}

static int states_run(void *scan, struct pull *pull)
{
	return run_pass(scan, pull, true);
}

/* --- columns --- */

/* clang-format off */
#define COLUMN(id, name, type, help) {name, help, type, .base = id, .in_file = true}
#define HIDDEN(id, name, type, help) {name, help, type, .base = id, .hidden = true, .in_file = true}
#define START	{"ts_ns", "when it began: ns since the first event", QUERY_INT, ROLE_TS, COL_TS_NS, \
		 .in_file = true}, \
		{"ticks", "the same in host TSC ticks", QUERY_INT, ROLE_TICKS, COL_TICKS, .in_file = true}
#define WHOSE	{"vm", "the guest", QUERY_TEXT, ROLE_VM, COL_VM, .in_file = true}, \
		{"vcpu", "KVM's id", QUERY_INT, ROLE_VCPU, COL_VCPU, .in_file = true}, \
		COLUMN(COL_CPU, "cpu", QUERY_INT, "of the host, where its thread is or last was")
#define END	{"end_ticks", "when it ended", QUERY_INT, ROLE_END, COL_END, true, true}
#define WHY	COLUMN(COL_REASON, "reason", QUERY_TEXT, "of the exit, \"npf\"")
#define USER	COLUMN(COL_USER, "user_reason", QUERY_TEXT, "of the (first) exit to user space, \"IO\"")
#define HANDLER	COLUMN(COL_HANDLER, "handler", QUERY_TEXT, "in the VMM, or its address")
#define CODES	HIDDEN(COL_CODE, "reason_code", QUERY_INT, "the number of the reason"), \
		HIDDEN(COL_ISA, "isa", QUERY_INT, "1 Intel, 2 AMD"), \
		HIDDEN(COL_USER_CODE, "user_code", QUERY_INT, "the number of user_reason")
static const struct query_column exits_columns[] = {
	START, WHOSE, WHY,
	COLUMN(COL_DURATION_NS, "duration_ns", QUERY_INT, "to the re-entry; NULL: not seen"),
	COLUMN(COL_KVM_NS, "kvm_ns", QUERY_INT, "of it in KVM"),
	COLUMN(COL_VMM_NS, "vmm_ns", QUERY_INT, "in the VMM"),
	COLUMN(COL_PREEMPTED_NS, "preempted_ns", QUERY_INT, "taken off its CPU"),
	COLUMN(COL_WAITING_NS, "waiting_ns", QUERY_INT, "woken, not yet on a CPU"),
	COLUMN(COL_HALTED_NS, "halted_ns", QUERY_INT, "until there was something to do"),
	COLUMN(COL_BLOCKED_NS, "blocked_ns", QUERY_INT, "until something else"),
	COLUMN(COL_TASK, "task", QUERY_TEXT, "in the guest"),
	COLUMN(COL_TASK_PID, "task_pid", QUERY_INT, NULL),
	USER, HANDLER,
	COLUMN(COL_ADDRESS_KIND, "address_kind", QUERY_TEXT, "pio, mmio, msr, gpa"),
	COLUMN(COL_ADDRESS, "address", QUERY_INT, NULL),
	COLUMN(COL_WRITE, "write", QUERY_INT, "1: a write"),
	COLUMN(COL_RIP, "guest_rip", QUERY_INT, NULL),
	HIDDEN(COL_DURATION, "duration_ticks", QUERY_INT, "duration_ns in ticks"),
	END,
	HIDDEN(COL_UNKNOWN_NS, "unknown_ns", QUERY_INT, "events are lost"),
	HIDDEN(COL_EVENT_TICKS, "event_ticks", QUERY_INT, "of kvm_exit"),
	HIDDEN(COL_COMPLETE, "complete", QUERY_INT, "1: the re-entry was seen"),
	HIDDEN(COL_INFO1, "info1", QUERY_INT, NULL),
	HIDDEN(COL_INFO2, "info2", QUERY_INT, NULL),
	HIDDEN(COL_USER_EXITS, "user_exits", QUERY_INT, "how many to user space"),
	CODES,
};
static const struct query_column states_columns[] = {
	START, WHOSE,
	COLUMN(COL_STATE, "state", QUERY_TEXT, "guest, KVM, VMM, preempted, waiting, halted, blocked, unknown"),
	COLUMN(COL_DURATION_NS, "duration_ns", QUERY_INT, NULL),
	COLUMN(COL_WITHIN, "within", QUERY_TEXT, "off its CPU: where it was, guest, KVM or VMM"),
	WHY, USER, HANDLER,
	COLUMN(COL_BY, "by_comm", QUERY_TEXT, "preempted: who got the CPU; waiting: who had it"),
	COLUMN(COL_BY_PID, "by_pid", QUERY_INT, NULL),
	HIDDEN(COL_DURATION, "duration_ticks", QUERY_INT, "duration_ns in ticks"),
	END, CODES,
};
/* clang-format on */

static void text(struct query_session *s, const char *p, struct query_value *ret)
{
	if (p && *p)
		query_value_text(s, p, strlen(p), ret);
}

static void number(uint64_t v, bool known, struct query_value *ret)
{
	if (known)
		query_value_int((int64_t)v, ret);
}

/* What both tables have. */
struct common {
	uint64_t from, to;
	const struct input_vcpu *vcpu;
	uint16_t machine, cpu;
	uint32_t isa, reason, user_reason;
	const char *reason_text, *user_text, *handler;
	bool complete;
};

static void value_common(struct query_session *s, const struct common *c, unsigned column,
			 struct query_value *ret)
{
	const char *vm = s->in->machines.v[c->machine].name;

	switch (column) {
	case COL_TS_NS:
		query_value_ts(s, c->from, ret);
		break;
	case COL_TICKS:
		query_value_ticks(c->from, ret);
		break;
	case COL_END:
		query_value_ticks(c->to, ret);
		break;
	case COL_DURATION:
		number(c->to - c->from, c->complete, ret);
		break;
	case COL_DURATION_NS:
		if (c->complete)
			query_value_span(s, c->to - c->from, ret);
		break;
	case COL_VM:
		query_value_text(s, vm, strlen(vm), ret);
		break;
	case COL_VCPU:
		number(c->vcpu->id, c->vcpu->id != INPUT_NO_VCPU, ret);
		break;
	case COL_CPU:
		number(c->cpu, c->cpu != SOURCE_NO_CPU, ret);
		break;
	case COL_REASON:
		text(s, c->reason_text, ret);
		break;
	case COL_CODE:
		number(c->reason, c->reason != EXIT_NO_REASON, ret);
		break;
	case COL_ISA:
		number(c->isa, c->isa, ret);
		break;
	case COL_USER:
		text(s, c->user_text, ret);
		break;
	case COL_USER_CODE:
		number(c->user_reason, c->user_reason != EXIT_NO_REASON, ret);
		break;
	case COL_HANDLER:
		text(s, c->handler, ret);
		break;
	default:
		break;
	}
}

static void value_exit(struct query_session *s, const struct exit_row *r, unsigned column,
		       struct query_value *ret)
{
	static const char *const kinds[] = {"", "pio", "mmio", "msr", "gpa"};
	static const uint8_t states[] = {VCPU_KVM,    VCPU_VMM,	    VCPU_PREEMPTED, VCPU_WAITING,
					 VCPU_HALTED, VCPU_BLOCKED, VCPU_UNKNOWN};
	const struct vcpu_exit *e = &r->e;
	bool has_address = e->address_kind != EXIT_ADDRESS_NONE;

	switch (column) {
	case COL_KVM_NS ... COL_UNKNOWN_NS:
		if (e->complete)
			query_value_span(s, e->state_ticks[states[column - COL_KVM_NS]], ret);
		break;
	case COL_TASK:
		text(s, r->guest_comm, ret);
		break;
	case COL_TASK_PID:
		number((uint64_t)e->guest_pid, e->guest_pid >= 0, ret);
		break;
	case COL_ADDRESS_KIND:
		text(s, e->address_kind < ARRAY_SIZE(kinds) ? kinds[e->address_kind] : "", ret);
		break;
	case COL_ADDRESS:
		number(e->address, has_address, ret);
		break;
	case COL_WRITE:
		number(e->write, has_address, ret);
		break;
	case COL_RIP:
		number(e->guest_rip, true, ret);
		break;
	case COL_INFO1:
		number(e->info1, true, ret);
		break;
	case COL_INFO2:
		number(e->info2, true, ret);
		break;
	case COL_USER_EXITS:
		number(e->user_exits, true, ret);
		break;
	case COL_EVENT_TICKS:
		query_value_ticks(e->event_ticks, ret);
		break;
	default: /* COL_COMPLETE */
		number(e->complete, true, ret);
	}
}

static int exits_value(struct query_session *s, const struct query_table *t, const void *row,
		       size_t column, struct query_value *ret)
{
	const struct exit_row *r = row;
	const struct vcpu_exit *e = &r->e;
	struct common c = {e->exit_ticks,  e->entry_ticks, e->vcpu,    e->machine,
			   e->cpu,	   e->isa,	   e->reason,  e->user_reason,
			   e->reason_text, e->user_text,   r->handler, e->complete};
	unsigned id = t->columns.v[column].base;

	if (id <= COL_HANDLER)
		value_common(s, &c, id, ret);
	else
		value_exit(s, r, id, ret);
	return 0;
}

static int states_value(struct query_session *s, const struct query_table *t, const void *row,
			size_t column, struct query_value *ret)
{
	const struct state_row *r = row;
	const struct vcpu_slice *e = &r->s;
	struct common c = {e->from_ticks,  e->to_ticks,	 e->vcpu,    e->machine,
			   e->cpu,	   e->isa,	 e->reason,  e->user_reason,
			   e->reason_text, e->user_text, r->handler, true};

	switch (t->columns.v[column].base) {
	case COL_STATE:
		text(s, exits_state_name(e->state), ret);
		break;
	case COL_WITHIN:
		text(s, e->within == e->state ? NULL : exits_state_name(e->within), ret);
		break;
	case COL_BY:
		text(s, r->by_comm, ret);
		break;
	case COL_BY_PID:
		number((uint64_t)e->by_pid, e->by_pid >= 0, ret);
		break;
	default:
		value_common(s, &c, t->columns.v[column].base, ret);
	}
	return 0;
}

const struct query_table_ops query_exits_ops = {
	.row_bytes = sizeof(struct exit_row),
	.run = exits_run,
	.value = exits_value,
	.own_timeline = true,
};
const struct query_table_ops query_states_ops = {
	.row_bytes = sizeof(struct state_row),
	.run = states_run,
	.value = states_value,
	.own_timeline = true,
};

int query_exits_make(struct query_session *s)
{
	struct query_table *t = query_table_add(
		s, "exits", "VM exits of each vCPU and where their time went", &query_exits_ops);
	int r = t ? query_table_columns(t, exits_columns, ARRAY_SIZE(exits_columns)) : -ENOMEM;

	if (r)
		return r;
	t = query_table_add(s, "states", "what each vCPU did, without gaps", &query_states_ops);
	return t ? query_table_columns(t, states_columns, ARRAY_SIZE(states_columns)) : -ENOMEM;
}
