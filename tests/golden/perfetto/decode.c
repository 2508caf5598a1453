// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads a Perfetto trace by the published field numbers, strictly, and prints what it counts, a line each:
 *   switch MACHINE                       sched_switch, single and in columns
 *   event MACHINE NAME                   other events of a kernel (field number where it has no description)
 *   slice PARENT/TRACK NAME ... ns N     slices of a track and the sum of their times
 *   moment, counter, flow, lost, machine, clock
 * behind its number. Fails when a byte is not as it must be: a field that we do not write, a wrong wire type or
 * length, text that is not UTF-8, a slice that ends without a begin or runs backwards, stamps that go back.
 * Usage: decode FILE */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "wire.h"

/* --- tracks -------------------------------------------------------------------------------- */

#define MAX 4096

static struct track {
	uint64_t uuid, parent;
	char *name;
	bool counter;
	unsigned depth;
	uint64_t since[32], last;
	const char *open[32];
} tracks[MAX];
static size_t n_tracks;

static struct sequence {
	uint64_t id, ns, uuid;
	bool started;
	char *names[8192];
	uint8_t what[8192];
} * sequences[MAX];
static size_t n_sequences;

static uint64_t flows_open[1 << 20];

static struct track *track_of(uint64_t uuid, const uint8_t *at)
{
	for (size_t i = 0; i < n_tracks; i++)
		if (tracks[i].uuid == uuid)
			return &tracks[i];
	die(at, "track %llx is not known", (unsigned long long)uuid);
}

static struct sequence *sequence_of(uint64_t id)
{
	for (size_t i = 0; i < n_sequences; i++)
		if (sequences[i]->id == id)
			return sequences[i];
	if (n_sequences == MAX)
		die(file_start, "too many sequences");
	sequences[n_sequences] = calloc(1, sizeof(struct sequence));
	sequences[n_sequences]->id = id;
	return sequences[n_sequences++];
}

static void track_descriptor(struct bytes m)
{
	struct track *t = &tracks[n_tracks++];
	struct field f;

	if (n_tracks == MAX)
		die(m.p, "too many tracks");
	while (next(&m, &f)) {
		allow(&f, &m, " 1v 2b 5v 8b 11v 12v 15v ");
		if (f.number == 1)
			t->uuid = f.v;
		else if (f.number == 2)
			t->name = text(f.b);
		else if (f.number == 5)
			t->parent = f.v;
		t->counter |= f.number == 8;
	}
	if (!t->uuid || !t->name)
		die(m.p, "a track without a number or name");
	if (t->parent)
		track_of(t->parent, m.p);
}

static void interned(struct sequence *s, struct bytes m)
{
	struct field f, g;

	while (next(&m, &f)) {
		uint64_t iid = 0;
		char *name = NULL;

		allow(&f, &m, " 2b 3b 29b ");
		for (struct bytes e = f.b; next(&e, &g);) {
			allow(&g, &e, " 1v 2b ");
			if (g.number == 1)
				iid = g.v;
			else
				name = text(g.b);
		}
		if (!iid || iid >= 8192 || !name || s->names[iid])
			die(m.p, "a name with number %llu", (unsigned long long)iid);
		s->names[iid] = name;
		s->what[iid] = (uint8_t)f.number;
	}
}

static const char *name_of(const struct sequence *s, uint64_t iid, unsigned what, const uint8_t *at)
{
	if (iid >= 8192 || !s->names[iid] || s->what[iid] != what)
		die(at, "name %llu is not known", (unsigned long long)iid);
	return s->names[iid];
}

static void annotation(const struct sequence *s, struct bytes m)
{
	unsigned names = 0, values = 0;
	struct field f;

	while (next(&m, &f)) {
		allow(&f, &m, " 1v 3v 4v 6b 7v 10b 17v ");
		names += f.number == 1 || f.number == 10;
		values += f.number != 1 && f.number != 10;
		if (f.number == 1 || f.number == 17)
			name_of(s, f.v, f.number == 1 ? 3 : 29, m.p);
		else if (f.wire == 2)
			free(text(f.b));
	}
	if (names != 1 || values != 1)
		die(m.p, "an annotation with %u names and %u values", names, values);
}

static void flow(const struct field *f, const uint8_t *at)
{
	if (f->v >= sizeof(flows_open) / sizeof(*flows_open))
		die(at, "flow %llu", (unsigned long long)f->v);
	if (f->number == 47)
		flows_open[f->v] = 1;
	else if (!flows_open[f->v])
		die(at, "flow %llu ends before it begins", (unsigned long long)f->v);
	count(0, "flow %s", f->number == 47 ? "from" : "to");
}

static const char *parent_name(const struct track *t)
{
	return t->parent ? track_of(t->parent, file_start)->name : "";
}

static void track_begin(struct track *t, uint64_t ns, const char *name, const uint8_t *at)
{
	if (!name || t->depth == 32)
		die(at, "a slice without a name, or too deep");
	t->open[t->depth] = name;
	t->since[t->depth++] = ns;
}

static void track_end(struct track *t, uint64_t ns, const uint8_t *at)
{
	if (!t->depth--)
		die(at, "\"%s\": an end without a begin", t->name);
	count(ns - t->since[t->depth], "slice %s/%s %s", parent_name(t), t->name,
	      t->open[t->depth]);
}

static void track_event(struct sequence *s, struct bytes m, uint64_t ns)
{
	struct track *t = track_of(s->uuid, m.p);
	const char *name = NULL;
	struct field f;
	uint64_t type = 0;
	bool has_value = false;

	while (next(&m, &f)) {
		allow(&f, &m, " 4b 9v 10v 23b 30v 47f 48f ");
		if (f.number == 4)
			annotation(s, f.b);
		else if (f.number == 9)
			type = f.v;
		else if (f.number == 10)
			name = name_of(s, f.v, 2, m.p);
		else if (f.number == 23)
			name = text(f.b);
		else if (f.number > 30)
			flow(&f, m.p);
		has_value |= f.number == 30;
	}
	if (ns < t->last)
		die(m.p, "\"%s\": a stamp goes back", t->name);
	t->last = ns;
	if (type == 1)
		track_begin(t, ns, name, m.p);
	else if (type == 2)
		track_end(t, ns, m.p);
	else if (type == 3 && name)
		count(0, "moment %s/%s %s", parent_name(t), t->name, name);
	else if (type == 4 && has_value && t->counter)
		count(0, "counter %s/%s", parent_name(t), t->name);
	else
		die(m.p, "an event of type %llu", (unsigned long long)type);
}

/* --- events of kernels --------------------------------------------------------------------- */

static char *described[65536]; /* names by field number, from 65536 on */
static unsigned described_machine[65536];

static void descriptor(struct bytes m, unsigned machine)
{
	uint64_t id = 0;
	char *name = NULL, *group = NULL;
	struct field f, g, h;

	while (next(&m, &f)) {
		allow(&f, &m, " 1v 2b 3b ");
		if (f.number == 1)
			id = f.v;
		if (f.number == 3)
			group = text(f.b);
		for (struct bytes d = f.b; f.number == 2 && next(&d, &g);) {
			allow(&g, &d, " 1b 2b ");
			if (g.number == 1)
				name = text(g.b);
			for (struct bytes e = g.b; g.number == 2 && next(&e, &h);) {
				allow(&h, &e, " 1b 3v 4v 5v ");
				if (h.number == 1)
					free(text(h.b));
				if (h.number == 3 && (!h.v || h.v > 31))
					die(e.p, "field %u of a described event", (unsigned)h.v);
			}
		}
	}
	if (id < 65536 || id >= 131072 || !name || !group || described[id - 65536])
		die(m.p, "a description of event %llu", (unsigned long long)id);
	free(group);
	described[id - 65536] = name;
	described_machine[id - 65536] = machine;
}

static void ftrace_event(struct bytes m, unsigned machine, uint64_t *last)
{
	static const char *const fields = " 1v 2v 5v ";
	unsigned events = 0, place = 0;
	struct field f;

	while (next(&m, &f)) {
		if (f.wire == 0) {
			allow(&f, &m, fields);
			place++;
			if (f.number == 1 && (f.v < *last || place != 1))
				die(m.p, "a stamp goes back");
			if (f.number == 1)
				*last = f.v;
			continue;
		}
		if (f.wire != 2 || events++)
			die(m.p, "more than one event in one");
		if (f.number >= 65536 && (f.number >= 131072 || !described[f.number - 65536] ||
					  described_machine[f.number - 65536] != machine))
			die(m.p, "event %u is not described", f.number);
		if (f.number == 4)
			count(0, "switch %u", machine);
		else if (f.number >= 65536)
			count(0, "event %u %s", machine, described[f.number - 65536]);
		else
			count(0, "event %u #%u", machine, f.number);
		for (struct field g; next(&f.b, &g);)
			;
	}
	if (events != 1 || place < 2)
		die(m.p, "an event without event, stamp or thread");
}

static uint64_t column(struct bytes m, uint64_t *sum, uint64_t below)
{
	uint64_t n = 0;

	for (*sum = 0; m.p < m.end; n++) {
		uint64_t v = varint(&m);

		*sum += v;
		if (v >= below)
			die(m.p, "name %llu of %llu", (unsigned long long)v,
			    (unsigned long long)below);
	}
	return n;
}

static void compact(struct bytes m, unsigned machine)
{
	uint64_t n[13] = {0}, names = 0, sum;
	struct field f;

	while (next(&m, &f)) {
		allow(&f, &m, " 1b 2b 3b 4b 5b 6b 7b 8b 9b 10b 11b 12b ");
		if (f.number == 5) {
			free(text(f.b));
			names++;
		} else {
			n[f.number] = column(f.b, &sum,
					     f.number == 6 || f.number == 11 ? names : UINT64_MAX);
		}
	}
	if (n[2] != n[1] || n[3] != n[1] || n[4] != n[1] || n[6] != n[1])
		die(m.p, "columns of switches are not of one length");
	for (unsigned i = 8; i < 13; i++)
		if (n[i] != n[7])
			die(m.p, "columns of wake-ups are not of one length");
	for (uint64_t i = 0; i < n[1]; i++)
		count(0, "switch %u", machine);
	for (uint64_t i = 0; i < n[7]; i++)
		count(0, "event %u #20", machine);
}

static void bundle(struct bytes m, unsigned machine)
{
	bool has_cpu = false;
	uint64_t last = 0;
	struct field f;

	while (next(&m, &f)) {
		allow(&f, &m, " 1v 2b 3v 4b 11b ");
		has_cpu |= f.number == 1 && f.v < 1024;
		if (f.number == 2)
			ftrace_event(f.b, machine, &last);
		else if (f.number == 4)
			compact(f.b, machine);
		else if (f.number == 11)
			descriptor(f.b, machine);
		else if (f.number == 3)
			count(0, "lost %u", machine);
	}
	if (!has_cpu)
		die(m.p, "a bundle without a CPU");
}

/* --- packets ------------------------------------------------------------------------------- */

/* The sequence's own clock begins at the stamp of BOOTTIME. */
static void clocks(struct sequence *s, struct bytes m)
{
	struct field f, g;

	while (next(&m, &f)) {
		uint64_t id = 0, ns = 0;

		allow(&f, &m, " 1b 2v ");
		if (f.number != 1)
			continue;
		for (struct bytes e = f.b; next(&e, &g);) {
			allow(&g, &e, " 1v 2v 3v ");
			id = g.number == 1 ? g.v : id;
			ns = g.number == 2 ? g.v : ns;
		}
		if (id == 64) {
			s->ns = ns;
			s->started = true;
		} else if (id == 6 && s->started && ns != s->ns) {
			die(m.p, "the sequence's clock does not begin with the trace's");
		}
		count(0, "clock %s", id == 64 ? "delta" : id == 6 ? "boottime" : "other");
	}
}

static void defaults(struct sequence *s, struct bytes m)
{
	struct field f, g;

	while (next(&m, &f)) {
		allow(&f, &m, " 11b 58v ");
		if (f.number == 58 && f.v != 64)
			die(m.p, "the default clock is %llu", (unsigned long long)f.v);
		for (struct bytes e = f.b; f.number == 11 && next(&e, &g);) {
			allow(&g, &e, " 11v ");
			s->uuid = g.v;
		}
	}
}

static void packet(struct bytes m)
{
	static const char *const fields = " 1b 2b 6b 8v 10v 11b 12b 13v 45b 59b 60b 98v ";
	struct bytes parts[128] = {0};
	uint64_t numbers[128] = {0};
	struct sequence *s;
	struct field f;

	while (next(&m, &f)) {
		allow(&f, &m, fields);
		if (f.wire == 0)
			numbers[f.number] = f.v;
		else
			parts[f.number] = f.b;
	}
	if (!numbers[10])
		die(m.p, "a packet without a sequence");
	s = sequence_of(numbers[10]);
	if (parts[6].p)
		clocks(s, parts[6]);
	if (parts[59].p)
		defaults(s, parts[59]);
	if (parts[12].p)
		interned(s, parts[12]);
	if (parts[60].p)
		track_descriptor(parts[60]);
	if (parts[1].p)
		bundle(parts[1], (unsigned)numbers[98]);
	if (parts[45].p)
		count(0, "machine");
	if (!parts[11].p)
		return;
	if (!s->started || numbers[13] != 2)
		die(m.p, "a track's event before the state that it needs");
	s->ns += numbers[8];
	track_event(s, parts[11], s->ns);
}

int main(int argc, char **argv)
{
	struct bytes file;
	struct field f;
	char *data;
	size_t n;

	if (argc != 2 || file_read(-100 /* AT_FDCWD */, argv[1], 1u << 30, &data, &n)) {
		fprintf(stderr, "usage: decode FILE\n");
		return 2;
	}
	file_start = (const uint8_t *)data;
	file = (struct bytes){file_start, file_start + n};
	while (next(&file, &f)) {
		if (f.number != 1 || f.wire != 2)
			die(file.p, "field %u of a trace", f.number);
		packet(f.b);
	}
	for (size_t i = 0; i < n_tracks; i++)
		if (tracks[i].depth)
			die(file.p, "\"%s\": %u slices do not end", tracks[i].name,
			    tracks[i].depth);
	print_counts();
	free(data);
	return 0;
}
