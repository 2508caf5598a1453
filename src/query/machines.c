// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables machines and vcpus: what is known of a session without reading its events. */
#include <errno.h>

#include "query/tables.h"

enum machine_column {
	MACHINE_NAME,
	MACHINE_GUEST,
	MACHINE_PID,
	MACHINE_VCPUS,
	MACHINE_KERNEL,
	MACHINE_CLOCK,
	MACHINE_ALIGNED,
	MACHINE_WHY,
	MACHINE_LOST,
	MACHINE_FILE,
};

enum vcpu_column {
	VCPU_VM,
	VCPU_ID,
	VCPU_TID,
	VCPU_GUEST_CPU,
	VCPU_CHANGES,
	VCPU_FROM,
	VCPU_FROM_NS,
	VCPU_OFFSET,
	VCPU_RATIO,
	VCPU_FRAC,
};

/* clang-format off */
#define COLUMN(id, name, type, help) {name, help, type, .base = id, .in_file = true}
static const struct query_column machine_columns[] = {
	COLUMN(MACHINE_NAME, "machine", QUERY_TEXT, "as in the other tables"),
	COLUMN(MACHINE_GUEST, "guest", QUERY_INT, "1: a guest"),
	COLUMN(MACHINE_PID, "pid", QUERY_INT, "of its VMM"),
	COLUMN(MACHINE_VCPUS, "vcpus", QUERY_INT, "how many"),
	COLUMN(MACHINE_KERNEL, "kernel", QUERY_TEXT, "its uname"),
	COLUMN(MACHINE_CLOCK, "clock", QUERY_TEXT, "of its stamps"),
	COLUMN(MACHINE_ALIGNED, "aligned", QUERY_INT, "1: its clock can be told in the host's"),
	COLUMN(MACHINE_WHY, "why_not", QUERY_TEXT, "why it cannot"),
	COLUMN(MACHINE_LOST, "lost", QUERY_INT, "events that its recorder counted as lost"),
	COLUMN(MACHINE_FILE, "file", QUERY_TEXT, "where its events are"),
};
#define VM	COLUMN(VCPU_VM, "vm", QUERY_TEXT, "whose it is")
#define ID	COLUMN(VCPU_ID, "vcpu", QUERY_INT, "KVM's id; NULL: all of the guest")
#define OFFSET	COLUMN(VCPU_OFFSET, "tsc_offset", QUERY_INT, "guest TSC less host TSC, after the ratio")
#define RATIO	COLUMN(VCPU_RATIO, "tsc_ratio", QUERY_INT, "guest / host is tsc_ratio / 2^tsc_frac")
#define FRAC	COLUMN(VCPU_FRAC, "tsc_frac", QUERY_INT, "0: not scaled")
static const struct query_column vcpu_columns[] = {
	VM, ID,
	COLUMN(VCPU_TID, "tid", QUERY_INT, "its thread on the host"),
	COLUMN(VCPU_GUEST_CPU, "guest_cpu", QUERY_INT, "which CPU of the guest it is"),
	OFFSET, RATIO, FRAC,
	COLUMN(VCPU_CHANGES, "changes", QUERY_INT, "how often the offset changed; here is the last"),
};
static const struct query_column offset_columns[] = {
	VM, ID,
	COLUMN(VCPU_FROM_NS, "ts_ns", QUERY_INT, "from here on; NULL: the first one known"),
	COLUMN(VCPU_FROM, "ticks", QUERY_INT, "the same in host TSC ticks"),
	OFFSET, RATIO, FRAC,
};
/* clang-format on */

static void text(struct query_session *s, const char *p, struct query_value *ret)
{
	if (p && *p)
		query_value_text(s, p, strlen(p), ret);
}

static void known(int64_t v, bool is_known, struct query_value *ret)
{
	if (is_known)
		query_value_int(v, ret);
}

static int machine_value(struct query_session *s, const struct query_table *t, const void *row,
			 size_t column, struct query_value *ret)
{
	const struct input_machine *m = row;
	const struct source_facts *f = m->source ? source_facts(m->source) : NULL;

	switch (t->columns.v[column].base) {
	case MACHINE_NAME:
		query_value_text(s, m->name, strlen(m->name), ret);
		break;
	case MACHINE_GUEST:
		query_value_int(m->is_guest, ret);
		break;
	case MACHINE_PID:
		known(m->pid, m->pid > 0, ret);
		break;
	case MACHINE_VCPUS:
		known((int64_t)m->vcpus.n, m->is_guest && m->vcpus.n, ret);
		break;
	case MACHINE_KERNEL:
		text(s, f ? f->uname : NULL, ret);
		break;
	case MACHINE_CLOCK:
		text(s, f ? f->clock : NULL, ret);
		break;
	case MACHINE_ALIGNED:
		query_value_int(m->aligned, ret);
		break;
	case MACHINE_WHY:
		text(s, m->aligned ? NULL : m->why_unaligned, ret);
		break;
	case MACHINE_LOST:
		query_value_ticks(m->lost, ret);
		break;
	default:
		text(s, f ? f->path : NULL, ret);
	}
	return 0;
}

static void machine_rows(struct query_session *s, const void **ret, size_t *ret_n)
{
	*ret = s->in->machines.v;
	*ret_n = s->in->machines.n;
}

static void value_epoch(const struct query_session *s, const struct query_vcpu_row *row,
			unsigned column, struct query_value *ret)
{
	const struct tsc_epochs *e = &row->vcpu->epochs;
	const struct tsc_epoch *at = row->epoch < e->n ? &e->v[row->epoch] : NULL;

	if (!at)
		return;
	if (column == VCPU_FROM && row->epoch)
		query_value_ticks(at->from_ticks, ret);
	else if (column == VCPU_FROM_NS && row->epoch)
		query_value_ts(s, at->from_ticks, ret);
	else if (column == VCPU_OFFSET)
		query_value_int(at->map.offset, ret);
	else if (column == VCPU_RATIO)
		query_value_ticks(at->map.ratio, ret);
	else if (column == VCPU_FRAC)
		query_value_int(at->map.frac, ret);
}

static int vcpu_value(struct query_session *s, const struct query_table *t, const void *row,
		      size_t column, struct query_value *ret)
{
	const struct query_vcpu_row *r = row;
	const struct input_vcpu *v = r->vcpu;

	switch (t->columns.v[column].base) {
	case VCPU_VM:
		query_value_text(s, r->machine->name, strlen(r->machine->name), ret);
		break;
	case VCPU_ID:
		known(v->id, v->id != INPUT_NO_VCPU, ret);
		break;
	case VCPU_TID:
		known(v->tid, v->tid > 0, ret);
		break;
	case VCPU_GUEST_CPU:
		known(v->guest_cpu, v->guest_cpu >= 0, ret);
		break;
	case VCPU_CHANGES:
		query_value_int((int64_t)r->epoch, ret);
		break;
	default:
		value_epoch(s, r, t->columns.v[column].base, ret);
	}
	return 0;
}

static void vcpu_rows(struct query_session *s, const void **ret, size_t *ret_n)
{
	*ret = s->vcpus.v;
	*ret_n = s->vcpus.n;
}

static void offset_rows(struct query_session *s, const void **ret, size_t *ret_n)
{
	*ret = s->offsets.v;
	*ret_n = s->offsets.n;
}

static int add_vcpu(struct query_session *s, const struct input_machine *m,
		    const struct input_vcpu *v)
{
	struct query_vcpu_row *row = array_add(&s->vcpus);

	if (!row)
		return -ENOMEM;
	*row = (struct query_vcpu_row){m, v, v->epochs.n ? v->epochs.n - 1 : 0};
	for (size_t e = 0; e < v->epochs.n; e++) {
		row = array_add(&s->offsets);
		if (!row)
			return -ENOMEM;
		*row = (struct query_vcpu_row){m, v, e};
	}
	return 0;
}

static int make_rows(struct query_session *s)
{
	int r = 0;

	array_for_each(m, &s->in->machines)
		array_for_each(v, &m->vcpus)
			if (!r)
				r = add_vcpu(s, m, v);
	return r;
}

static const struct query_table_ops machine_ops = {
	.row_bytes = sizeof(struct input_machine),
	.fixed = machine_rows,
	.value = machine_value,
};
static const struct query_table_ops vcpu_ops = {
	.row_bytes = sizeof(struct query_vcpu_row),
	.fixed = vcpu_rows,
	.value = vcpu_value,
};

static const struct query_table_ops offset_ops = {
	.row_bytes = sizeof(struct query_vcpu_row),
	.fixed = offset_rows,
	.value = vcpu_value,
};

static int add(struct query_session *s, const char *name, const char *help,
	       const struct query_table_ops *ops, const struct query_column *columns, size_t n)
{
	struct query_table *t = query_table_add(s, name, help, ops);

	return t ? query_table_columns(t, columns, n) : -ENOMEM;
}

int query_machines_make(struct query_session *s)
{
	int r = make_rows(s);

	if (!r)
		r = add(s, "machines", "the host and its guests", &machine_ops, machine_columns,
			ARRAY_SIZE(machine_columns));
	if (!r)
		r = add(s, "vcpus", "vCPUs of the guests", &vcpu_ops, vcpu_columns,
			ARRAY_SIZE(vcpu_columns));
	if (!r)
		r = add(s, "offsets", "TSC offsets that vCPUs had, one after the other",
			&offset_ops, offset_columns, ARRAY_SIZE(offset_columns));
	return r;
}
