// SPDX-License-Identifier: GPL-2.0-or-later
/* An input from a session directory: session.json names the files and knows the vCPUs. */
#include "timeline/input_parts.h"

#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

/* FILE, or FILE.head when the recorder did not get to join the parts. NULL source: neither. */
static int open_file(const char *dir, const char *file, struct source **ret)
{
	_cleanup_strbuf_ struct strbuf path = {0};

	*ret = NULL;
	strbuf_printf(&path, "%s/%s", dir, file);
	if (path.failed)
		return -ENOMEM;
	if (!access(path.s, F_OK))
		return source_open(path.s, ret);
	strbuf_puts(&path, ".head");
	if (path.failed)
		return -ENOMEM;
	if (!access(path.s, F_OK))
		return source_open(path.s, ret);
	log_warn("\"%s/%s\" is missing", dir, file);
	return 0;
}

/* A file that cannot be read, which was said, does not keep the others from being read. */
static int open_machine(struct input_machine *m, const char *dir, const char *file)
{
	int r = open_file(dir, file, &m->source);

	if (r && r != -ENOMEM) {
		m->conflict = true;
		r = 0;
	}
	return r;
}

static int copy_vcpus(struct input_machine *m, const struct session_machine *sm)
{
	array_for_each(sv, &sm->vcpus) {
		struct input_vcpu *v = array_add(&m->vcpus);

		if (!v)
			return -ENOMEM;
		v->id = sv->id;
		v->tid = sv->tid;
		v->guest_cpu = sv->guest_cpu;
	}
	array_for_each(t, &sm->tids) {
		pid_t *tid = array_add(&m->tids);

		if (!tid)
			return -ENOMEM;
		*tid = *t;
	}
	return 0;
}

static int add_machine(struct input *in, const char *dir, const struct session_machine *sm)
{
	struct input_machine *m = input_machine_add(in, sm->name, sm->is_guest);

	if (!m)
		return -ENOMEM;
	m->pid = sm->pid;
	in->qemu_marks |= sm->qemu_marks;
	array_for_each(c, &sm->cpus)
		m->lost += c->overrun + c->dropped;
	if (copy_vcpus(m, sm))
		return -ENOMEM;
	if (sm->file)
		return open_machine(m, dir, sm->file);
	log_info("\"%s\" was not recorded: %s", sm->name, sm->why_missing ?: "no reason is given");
	return 0;
}

static int copy_places(struct input_machine *m, const struct session_part *p)
{
	array_for_each(place, &p->vcpus) {
		struct session_place *to = array_add(&m->places);

		if (!to)
			return -ENOMEM;
		*to = *place;
	}
	return 0;
}

/* What a guest told after it went away is a machine that shares the vCPUs of the first. */
static int add_parts(struct input *in, const char *dir, const struct session_machine *sm,
		     size_t first)
{
	for (size_t i = 0; i < sm->parts.n; i++) {
		const struct session_part *p = &sm->parts.v[i];
		struct input_machine *m = input_machine_add_same(in, sm->name, true);
		int r = m ? copy_places(m, p) : -ENOMEM;

		if (r)
			return r;
		m->part_of = first;
		m->pid = sm->pid;
		m->from_ticks = p->begin_tsc;
		m->to_ticks = p->end_tsc;
		array_for_each(c, &p->cpus)
			m->lost += c->overrun + c->dropped;
		if (!i)
			in->machines.v[first].to_ticks = p->begin_tsc;
		r = open_file(dir, p->file, &m->source);
		if (r)
			return r;
	}
	return 0;
}

static int align_guest(struct input_machine *m, const struct session_machine *sm,
		       const struct session *s, const struct offset_scan *scan)
{
	struct offset_known *known = calloc(sm->vcpus.n + 1, sizeof(*known));
	int r;

	if (!known)
		return -ENOMEM;
	for (size_t i = 0; i < sm->vcpus.n; i++) {
		const struct session_vcpu *v = &sm->vcpus.v[i];

		known[i] = (struct offset_known){
			.has_start = v->has_start,
			.start = v->start_offset,
			.has_end = v->has_end,
			.end = v->end_offset,
			.end_ticks = s->end_tsc ? s->end_tsc : UINT64_MAX,
			.ratio = v->ratio,
			.frac = (uint8_t)v->frac,
		};
	}
	r = input_align(m, scan, known);
	free(known);
	if (!r && m->source && !m->aligned)
		input_set_unaligned(m, "no TSC offset of it was read or seen written");
	return r;
}

static int align_guests(struct input *in, const char *dir, const struct session *s,
			struct crew *crew)
{
	_cleanup_source_ struct source *offsets = NULL;
	struct offset_scan scan = {0};
	int r = 0;

	if (s->offsets_file)
		r = open_file(dir, s->offsets_file, &offsets);
	if (r && r != -ENOMEM) {
		log_err("\"%s\": without \"%s\" changes of TSC offsets are not known; events may be "
			"misplaced",
			dir, s->offsets_file);
		array_for_each(m, &in->machines)
			m->conflict |= m->is_guest;
		r = 0;
	}
	if (!r && offsets)
		r = offset_scan(offsets, false, crew, &scan);
	for (size_t i = 0; i < s->machines.n && !r; i++)
		if (s->machines.v[i].is_guest)
			r = align_guest(&in->machines.v[i], &s->machines.v[i], s, &scan);
	offset_scan_free(&scan);
	return r;
}

static int copy_pairs(struct input *in, const struct session *s)
{
	array_for_each(p, &s->pairs) {
		struct session_pair *q = array_add(&in->pairs);

		if (!q)
			return -ENOMEM;
		*q = *p;
	}
	return 0;
}

int input_from_session(struct input *in, const char *path, struct crew *crew)
{
	_cleanup_session_ struct session s = {0};
	int r = session_load(path, &s);

	if (r)
		return r;
	if (!s.complete)
		log_warn("\"%s\": the recorder did not reach its end; what it left is shown", path);
	in->is_session = true;
	in->begin_ticks = s.begin_tsc;
	in->end_ticks = s.end_tsc;
	in->conv = (struct tick_conv){s.mult, s.shift};
	if (!s.mult && s.tsc_khz && conv_from_khz(s.tsc_khz, &in->conv))
		in->conv.mult = 0;
	for (size_t i = 0; i < s.machines.n && !r; i++)
		r = add_machine(in, path, &s.machines.v[i]);
	for (size_t i = 0; i < s.machines.n && !r; i++)
		r = add_parts(in, path, &s.machines.v[i], i);
	if (!r)
		r = copy_pairs(in, &s);
	return r ? r : align_guests(in, path, &s, crew);
}
