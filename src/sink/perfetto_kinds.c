// SPDX-License-Identifier: GPL-2.0-or-later
/* Which event of a kernel is which of Perfetto's; all others are described, field by field. */
#include "sink/perfetto_vcpu.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"

#define NAMED_FIELDS 7

/* Field numbers: protos/perfetto/trace/ftrace/{sched,irq,power,task,workqueue,raw_syscalls,ftrace}.proto.
 * Its kvm.proto is for ARM64, so events of x86's KVM are described. */
static const struct {
	const char *system, *name;
	uint32_t number;
	struct {
		const char *name;
		uint32_t number;
	} fields[NAMED_FIELDS];
} known[] = {
	{"ftrace", "print", 3, {{"ip", 1}, {"buf", 2}}},
	{"sched",
	 "sched_switch",
	 4,
	 {{"prev_comm", 1},
	  {"prev_pid", 2},
	  {"prev_prio", 3},
	  {"prev_state", 4},
	  {"next_comm", 5},
	  {"next_pid", 6},
	  {"next_prio", 7}}},
	{"power", "cpu_frequency", 11, {{"state", 1}, {"cpu_id", 2}}},
	{"power", "cpu_idle", 13, {{"state", 1}, {"cpu_id", 2}}},
	{"sched",
	 "sched_wakeup",
	 17,
	 {{"comm", 1}, {"pid", 2}, {"prio", 3}, {"success", 4}, {"target_cpu", 5}}},
	{"sched",
	 "sched_waking",
	 20,
	 {{"comm", 1}, {"pid", 2}, {"prio", 3}, {"success", 4}, {"target_cpu", 5}}},
	{"irq", "softirq_entry", 24, {{"vec", 1}}},
	{"irq", "softirq_exit", 25, {{"vec", 1}}},
	{"irq", "softirq_raise", 26, {{"vec", 1}}},
	{"irq", "irq_handler_entry", 36, {{"irq", 1}, {"name", 2}}},
	{"irq", "irq_handler_exit", 37, {{"irq", 1}, {"ret", 2}}},
	{"workqueue", "workqueue_execute_end", 57, {{"work", 1}, {"function", 2}}},
	{"workqueue", "workqueue_execute_start", 58, {{"work", 1}, {"function", 2}}},
	{"sched",
	 "sched_wakeup_new",
	 114,
	 {{"comm", 1}, {"pid", 2}, {"prio", 3}, {"success", 4}, {"target_cpu", 5}}},
	{"task",
	 "task_newtask",
	 235,
	 {{"pid", 1}, {"comm", 2}, {"clone_flags", 3}, {"oom_score_adj", 4}}},
	{"task",
	 "task_rename",
	 236,
	 {{"pid", 1}, {"oldcomm", 2}, {"newcomm", 3}, {"oom_score_adj", 4}}},
	{"sched", "sched_process_exec", 237, {{"filename", 1}, {"pid", 2}, {"old_pid", 3}}},
	{"sched", "sched_process_exit", 238, {{"comm", 1}, {"pid", 2}, {"tgid", 3}, {"prio", 4}}},
	{"sched",
	 "sched_process_fork",
	 239,
	 {{"parent_comm", 1}, {"parent_pid", 2}, {"child_comm", 3}, {"child_pid", 4}}},
	{"sched", "sched_process_free", 240, {{"comm", 1}, {"pid", 2}, {"prio", 3}}},
	{"raw_syscalls", "sys_enter", 329, {{"id", 1}, {"args", 2}}},
	{"raw_syscalls", "sys_exit", 330, {{"id", 1}, {"ret", 2}}},
	{"sched",
	 "sched_migrate_task",
	 491,
	 {{"comm", 1}, {"pid", 2}, {"prio", 3}, {"orig_cpu", 4}, {"dest_cpu", 5}}},
};

static bool is_number(const struct source_field *f)
{
	return f->type == FIELD_UINT || f->type == FIELD_INT;
}

static bool is_text(const struct source_field *f)
{
	return f->type == FIELD_STRING || f->type == FIELD_DYN_STRING ||
	       f->type == FIELD_REL_STRING;
}

/* What the reader expects there: its fields' types are those of all kernels so far. */
static bool take_known(const struct source_field *f, const char *name, struct perfetto_field *ret)
{
	bool text = strstr(name, "comm") || !strcmp(name, "name") || !strcmp(name, "buf") ||
		    !strcmp(name, "filename");

	if (!strcmp(name, "args"))
		ret->put = PUT_WORDS;
	else
		ret->put = text ? PUT_TEXT : PUT_NUMBER;
	ret->f = f;
	return ret->put == PUT_WORDS ? f->type == FIELD_BYTES && f->size == 48
	       : text		     ? is_text(f)
				     : is_number(f);
}

/* source_field_find() leaves out those of no fixed place. */
static const struct source_field *find(const struct source_kind *kind, const char *name)
{
	for (size_t i = 0; i < kind->n_fields; i++)
		if (!strcmp(kind->fields[i].name, name))
			return &kind->fields[i];
	return NULL;
}

static int use_known(const struct source_kind *kind, size_t row, struct perfetto_kind *k)
{
	k->fields = calloc(NAMED_FIELDS, sizeof(*k->fields));
	if (!k->fields)
		return -ENOMEM;
	k->number = known[row].number;
	for (unsigned i = 0; i < NAMED_FIELDS && known[row].fields[i].name; i++) {
		const struct source_field *f = find(kind, known[row].fields[i].name);
		struct perfetto_field *to = &k->fields[k->n_fields];

		if (!f || !take_known(f, known[row].fields[i].name, to))
			continue;
		to->number = known[row].fields[i].number;
		k->n_fields++;
	}
	return 0;
}

/* The columns of CompactSched, when all of them are there. */
static bool use_sched(const struct source_kind *kind, const char *const *names, unsigned n,
		      struct perfetto_kind *k)
{
	for (unsigned i = 0; i < n; i++) {
		k->sched[i] = find(kind, names[i]);
		if (!k->sched[i])
			return false;
		if (strstr(names[i], "comm") ? k->sched[i]->type != FIELD_STRING
					     : !is_number(k->sched[i]))
			return false;
	}
	return true;
}

static uint8_t role_of(const struct source_kind *kind, struct perfetto_kind *k)
{
	static const char *const to_switch[] = {"prev_pid",  "prev_prio", "prev_state",
						"next_comm", "next_pid",  "next_prio"};
	static const char *const to_waking[] = {"comm", "pid", "prio", "target_cpu"};

	if (k->number == 4 && use_sched(kind, to_switch, ARRAY_SIZE(to_switch), k))
		return ROLE_SWITCH;
	if (k->number == 20 && use_sched(kind, to_waking, ARRAY_SIZE(to_waking), k))
		return ROLE_WAKING;
	return ROLE_PLAIN;
}

/* google.protobuf.FieldDescriptorProto.Type */
static unsigned proto_type(const struct source_field *f)
{
	if (!is_number(f))
		return 9; /* string */
	if (f->type == FIELD_INT)
		return f->size == 8 ? 3 : 5;
	return f->size == 8 ? 4 : 13;
}

/* FtraceEventBundle.generic_event_descriptors, in a bundle of its own before the first event. */
static int describe(struct sink_perfetto *s, unsigned machine, const struct source_kind *kind,
		    const struct perfetto_kind *k)
{
	struct pb *p = perfetto_packet(s, machine);
	size_t bundle = pb_begin(p, PACKET_FTRACE_EVENTS), generic, descriptor;

	pb_u64(p, 1, 0); /* cpu */
	generic = pb_begin(p, 11);
	pb_u64(p, 1, k->number);
	descriptor = pb_begin(p, 2);
	pb_puts(p, 1, kind->name);
	for (unsigned i = 0; i < k->n_fields; i++) {
		size_t field = pb_begin(p, 2);

		pb_puts(p, 1, k->fields[i].f->name);
		pb_u64(p, 3, k->fields[i].number);
		pb_u64(p, 4, 1); /* optional */
		pb_u64(p, 5, proto_type(k->fields[i].f));
		pb_end(p, field);
	}
	pb_end(p, descriptor);
	pb_puts(p, 3, kind->system);
	pb_end(p, generic);
	pb_end(p, bundle);
	return perfetto_packet_end(s);
}

static int use_unknown(struct sink_perfetto *s, unsigned machine, const struct source_kind *kind,
		       struct perfetto_kind *k)
{
	k->fields = calloc(PERFETTO_EVENT_FIELDS, sizeof(*k->fields));
	if (!k->fields)
		return -ENOMEM;
	k->number = s->next_described++;
	for (size_t i = 0; i < kind->n_fields && k->n_fields < PERFETTO_EVENT_FIELDS; i++) {
		const struct source_field *f = &kind->fields[i];

		if (f->is_common)
			continue;
		k->fields[k->n_fields] = (struct perfetto_field){f, k->n_fields + 1,
								 is_number(f) ? PUT_NUMBER
								 : is_text(f) ? PUT_TEXT
									      : PUT_HEX};
		k->n_fields++;
	}
	return describe(s, machine, kind, k);
}

int perfetto_kind_use(struct sink_perfetto *s, unsigned machine, const struct source_kind *kind,
		      struct perfetto_kind *k)
{
	size_t row = 0;
	int r;

	while (row < ARRAY_SIZE(known) &&
	       (strcmp(known[row].name, kind->name) || strcmp(known[row].system, kind->system)))
		row++;
	r = row < ARRAY_SIZE(known) ? use_known(kind, row, k) : use_unknown(s, machine, kind, k);
	if (r == -ENOMEM)
		return log_err_r(r, "cannot export: %m");
	k->flags = find(kind, "common_flags");
	if (k->flags && !is_number(k->flags))
		k->flags = NULL;
	k->irq = perfetto_irq_kind(&s->in->machines.v[machine], kind, &k->irq_field);
	k->role = role_of(kind, k);
	return r;
}

void perfetto_kinds_free(struct perfetto_machine *m)
{
	for (size_t i = 0; m->kinds && i < m->n_kinds; i++)
		free(m->kinds[i].fields);
	free(m->kinds);
}
