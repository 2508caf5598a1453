// SPDX-License-Identifier: GPL-2.0-or-later
/* What stands before the first event: the clocks, the machines' names, the threads of VMMs. */
#include "sink/perfetto_impl.h"

#include <stdio.h>

/* ClockSnapshot.clocks */
static void put_clock(struct pb *p, unsigned id, uint64_t ns)
{
	size_t mark = pb_begin(p, 1);

	pb_u64(p, 1, id);
	pb_u64(p, 2, ns);
	pb_end(p, mark);
}

/* Without readings of the clocks there is only the trace's own time. */
static int put_clocks(struct sink_perfetto *s)
{
	int r = 0;

	array_for_each(pair, &s->in->pairs) {
		struct pb *p = perfetto_packet(s, 0);
		size_t mark = pb_begin(p, PACKET_CLOCK_SNAPSHOT);

		if (r || !s->walk.l || pair->boottime_ns < 0)
			continue;
		put_clock(p, CLOCK_ID_BOOTTIME, (uint64_t)pair->boottime_ns);
		put_clock(p, CLOCK_ID_MONOTONIC, (uint64_t)pair->monotonic_ns);
		put_clock(p, CLOCK_ID_REALTIME, (uint64_t)pair->realtime_ns);
		pb_u64(p, 2, CLOCK_ID_BOOTTIME); /* primary_trace_clock */
		pb_end(p, mark);
		r = perfetto_packet_end(s);
	}
	return r;
}

/* "Linux NODE RELEASE MACHINE", as trace-cmd and we write it. The release tells the reader what the bits of a
 * task's state mean, the machine what the numbers of system calls do. */
static int put_system(struct sink_perfetto *s, size_t i)
{
	const struct input_machine *m = &s->in->machines.v[i];
	char system[65] = "", node[65] = "", release[65] = "", machine[65] = "";
	struct pb *p = perfetto_packet(s, (unsigned)i);
	size_t mark = pb_begin(p, PACKET_SYSTEM_INFO), uts;

	sscanf(source_facts(m->source)->uname, "%64s %64s %64s %64s", system, node, release,
	       machine);
	uts = pb_begin(p, 1);
	pb_puts(p, 1, *system ? system : "Linux");
	pb_puts(p, 3, release);
	pb_puts(p, 4, *machine ? machine : "x86_64");
	pb_end(p, uts);
	pb_u64(p, 8, source_facts(m->source)->n_lanes); /* num_cpus */
	pb_puts(p, 17, m->name);			/* machine_name: readers from v57 */
	pb_end(p, mark);
	return perfetto_packet_end(s);
}

static void put_thread(struct pb *p, const struct input *in, int tid, int pid)
{
	const char *comm =
		in->machines.v[0].source ? source_comm(in->machines.v[0].source, tid) : NULL;
	size_t mark = pb_begin(p, 2);

	pb_u64(p, 1, (uint64_t)tid);
	if (comm)
		pb_puts(p, 2, comm);
	pb_u64(p, 3, (uint64_t)pid);
	pb_end(p, mark);
}

/* ProcessTree: the VMM's process, named after its VM, and its threads. The reader takes the name up to the first
 * blank. */
static int put_vmm(struct sink_perfetto *s, const struct input_machine *m)
{
	const char *comm = s->in->machines.v[0].source
				   ? source_comm(s->in->machines.v[0].source, m->pid)
				   : NULL;
	struct pb *p = perfetto_packet(s, 0);
	size_t mark = pb_begin(p, PACKET_PROCESS_TREE), process = pb_begin(p, 1);
	char name[300];

	snprintf(name, sizeof(name), "%s[%s]", comm ?: "vmm", m->name);
	for (char *blank = name; (blank = strchr(blank, ' '));)
		*blank = '_';
	pb_u64(p, 1, (uint64_t)m->pid);
	pb_puts(p, 3, name);
	pb_end(p, process);
	put_thread(p, s->in, m->pid, m->pid);
	array_for_each(tid, &m->tids)
		if (*tid > 0 && *tid != m->pid)
			put_thread(p, s->in, *tid, m->pid);
	array_for_each(v, &m->vcpus)
		if (v->tid > 0 && v->tid != m->pid)
			put_thread(p, s->in, v->tid, m->pid);
	pb_end(p, mark);
	return perfetto_packet_end(s);
}

int perfetto_head(struct sink_perfetto *s, const struct timeline *t)
{
	const struct input *in = s->in;
	int r = put_clocks(s);

	for (size_t i = 0; i < in->machines.n && !r; i++) {
		const struct input_machine *m = &in->machines.v[i];

		if (m->source && !m->same && !s->machines[i].skip)
			r = put_system(s, i);
		if (!r && m->is_guest && m->pid > 0 && !m->same)
			r = put_vmm(s, m);
	}
	return r;
}
