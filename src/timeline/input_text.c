// SPDX-License-Identifier: GPL-2.0-or-later
/* What is added to an input by hand: text logs, each a machine of its own that shares the vCPUs of
 * the machine it tells of, and TSC offsets. */
#include "timeline/input_parts.h"

#include <errno.h>

#include "base/log.h"
#include "base/text.h"
#include "source/textlog.h"

/* The first guest of that name among the first n machines. */
static struct input_machine *find_guest(const struct input *in, const char *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (in->machines.v[i].is_guest && !strcmp(in->machines.v[i].name, name))
			return &in->machines.v[i];
	return NULL;
}

/* --- texts ------------------------------------------------------------------------ */

struct input_machine *input_machine_add_same(struct input *in, const char *name, bool is_guest)
{
	struct input_machine *m = input_machine_add(in, name, is_guest);
	char *same = m ? strdup(name) : NULL;

	if (!same)
		return NULL;
	free(m->name);
	m->name = same;
	return m;
}

static int add_text(struct input *in, const char *text)
{
	_cleanup_textlog_spec_ struct textlog_spec spec = {0};
	_cleanup_source_ struct source *s = NULL;
	_cleanup_free_ char *name = NULL;
	struct input_machine *m = in->machines.v;
	bool is_guest;
	int r = textlog_spec_parse(text, &spec);

	if (r)
		return r;
	if (spec.is_qemu)
		return input_add_qemu(in, &spec);
	is_guest = spec.machine != NULL;
	name = strdup(spec.machine ?: m->name);
	if (!name)
		return -ENOMEM;
	r = textlog_open(&spec, &s);
	if (r)
		return r;
	if (is_guest || m->source)
		m = input_machine_add_same(in, name, is_guest);
	if (!m)
		return -ENOMEM;
	m->source = TAKE_PTR(s);
	return 0;
}

static int vcpu_cmp(const void *a, const void *b)
{
	const struct input_vcpu *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static struct input_vcpu *add_vcpu(struct input_machine *m, unsigned id, unsigned cpu)
{
	struct input_vcpu *v = array_add(&m->vcpus);

	if (v) {
		v->id = id;
		v->guest_cpu = (int)cpu;
	}
	return v;
}

/* vCPUs of a guest of which only texts are known: id and CPU are taken to be the same. */
static int add_vcpus(struct input_machine *owner, const struct source *text)
{
	const struct source_facts *f = source_facts(text);

	for (size_t i = 0; i < f->n_lanes; i++) {
		unsigned cpu = f->lanes[i].cpu;

		if (cpu != SOURCE_NO_CPU && !input_vcpu_of_cpu(owner, cpu) &&
		    !add_vcpu(owner, cpu, cpu))
			return -ENOMEM;
	}
	if (owner->vcpus.n)
		qsort(owner->vcpus.v, owner->vcpus.n, sizeof(*owner->vcpus.v), vcpu_cmp);
	return 0;
}

/* --- offsets seen by the host, of guests of which only texts are known ------------------ */

static bool has_tid(const struct input_machine *m, int tid)
{
	array_for_each(t, &m->tids)
		if (*t == tid)
			return true;
	return false;
}

static bool is_anothers(const struct input *in, const struct input_machine *m, int tid)
{
	array_for_each(other, &in->machines)
		if (other != m && has_tid(other, tid))
			return true;
	return false;
}

static int claim(struct input *in, struct input_machine *m, int tid)
{
	pid_t *t;

	if (has_tid(m, tid) || is_anothers(in, m, tid))
		return 0;
	t = array_add(&m->tids);
	if (!t)
		return -ENOMEM;
	*t = tid;
	return 0;
}

static struct input_vcpu *find_vcpu(struct input_machine *m, unsigned id)
{
	array_for_each(v, &m->vcpus)
		if (v->id == id)
			return v;
	return NULL;
}

/* Gives the host's vCPU threads that are nobody's to m. -EEXIST: they are more than one VM's. */
static int claim_threads(struct input *in, struct input_machine *m, const struct offset_scan *scan)
{
	array_for_each(t, &scan->threads) {
		struct input_vcpu *v = find_vcpu(m, t->vcpu);

		if (is_anothers(in, m, t->pid))
			continue;
		v = v ?: add_vcpu(m, t->vcpu, t->vcpu);
		if (!v)
			return -ENOMEM;
		if (v->tid)
			return -EEXIST;
		v->tid = t->pid;
	}
	return 0;
}

static int claim_offsets(struct input *in, struct input_machine *m, const struct offset_scan *scan)
{
	struct offset_known *known = calloc(m->vcpus.n + 1, sizeof(*known));
	int r = known ? 0 : -ENOMEM;

	for (size_t i = 0; i < scan->threads.n && !r; i++)
		r = claim(in, m, scan->threads.v[i].pid);
	for (size_t i = 0; i < scan->writes.n && !r; i++)
		r = claim(in, m, scan->writes.v[i].pid);
	for (size_t i = 0; i < m->vcpus.n && !r; i++)
		known[i] = (struct offset_known){.ratio = 1, .end_ticks = UINT64_MAX};
	r = r ?: input_align(m, scan, known);
	free(known);
	return r;
}

static int scan_offsets(struct input *in, struct input_machine *m, struct crew *crew)
{
	struct offset_scan scan = {0};
	int r = offset_scan(in->machines.v[0].source, true, crew, &scan);

	if (!r)
		r = claim_threads(in, m, &scan);
	if (!r)
		r = claim_offsets(in, m, &scan);
	offset_scan_free(&scan);
	if (r != -EEXIST)
		return r;
	array_for_each(v, &m->vcpus)
		v->tid = 0;
	return 0;
}

int input_add_texts(struct input *in, const struct input_options *o, struct crew *crew)
{
	size_t first;
	int r = 0;

	if (!in->machines.n && !input_machine_add(in, "host", false))
		return -ENOMEM;
	first = in->machines.n;
	for (size_t i = 0; i < o->n_texts && !r; i++)
		r = add_text(in, o->texts[i]);
	for (size_t i = first; i < in->machines.n && !r; i++) {
		struct input_machine *m = &in->machines.v[i];

		m->is_text = true;
		if (!m->is_guest)
			continue;
		m->same = find_guest(in, m->name, i);
		if (!m->same || m->same->is_text)
			r = add_vcpus(m->same ?: m, m->source);
	}
	for (size_t i = first; i < in->machines.n && !r; i++) {
		struct input_machine *m = &in->machines.v[i];

		if (m->is_guest && !m->same && in->machines.v[0].source)
			r = scan_offsets(in, m, crew);
	}
	return r;
}

/* --- vCPUs of lines ---------------------------------------------------------------------- */

/* The epoch that all vCPUs have in common, all the time; NULL: there is none. */
static const struct tsc_epoch *common_epoch(const struct input_machine *m)
{
	const struct tsc_epoch *e = NULL;

	array_for_each(v, &m->vcpus) {
		if (v->epochs.n != 1 || (e && memcmp(&e->map, &v->epochs.v[0].map, sizeof(e->map))))
			return NULL;
		e = &v->epochs.v[0];
	}
	return e;
}

/* Nobody asked the guest which CPU is which vCPU. Only called when it matters for no stamp. */
static void map_in_order(struct input_machine *m)
{
	int cpu = 0;

	array_for_each(v, &m->vcpus)
		if (v->guest_cpu >= 0)
			return;
	array_for_each(v, &m->vcpus)
		v->guest_cpu = cpu++;
	log_info("\"%s\": which CPU is which vCPU was not recorded; taken to be in the order of "
		 "their numbers",
		 m->name);
}

/* A vCPU for lines without one: right when all have the same offset, all the time. */
static int add_stand_in(struct input_machine *m, unsigned cpu, const struct tsc_epoch *e)
{
	struct input_vcpu *v = add_vcpu(m, INPUT_NO_VCPU, cpu);

	return v ? epochs_add(&v->epochs, 0, &e->map) : -ENOMEM;
}

static int place_lines(struct input_machine *m)
{
	const struct source_facts *f = source_facts(m->source);
	struct input_machine *owner = m->same ?: m;
	const struct tsc_epoch *e = common_epoch(owner);
	struct tsc_epoch common;
	int r = 0;

	m->aligned = owner->aligned;
	m->estimated = owner->estimated;
	if (!m->aligned) {
		input_set_unaligned(m,
				    "no TSC offset of it is known; give it with --offset %s=TICKS "
				    "(0 when the VM is zeroed)",
				    m->name);
		return 0;
	}
	if (e) {
		common = *e;
		map_in_order(owner);
	}
	for (size_t i = 0; i < f->n_lanes && !r; i++) {
		if (input_vcpu_of_cpu(m, f->lanes[i].cpu))
			continue;
		if (e) {
			r = add_stand_in(m, f->lanes[i].cpu, &common);
			continue;
		}
		input_set_unaligned(m,
				    "which vCPU wrote each line of \"%s\" is not known, and their "
				    "TSC offsets differ or changed",
				    f->path);
		break;
	}
	return r;
}

int input_place_texts(struct input *in)
{
	int r = 0;

	array_for_each(m, &in->machines)
		if (!r && m->is_text && m->is_guest)
			r = place_lines(m);
	return r;
}

/* --- offsets by hand --------------------------------------------------------------------- */

static int set_offset(struct input_machine *m, int64_t offset)
{
	int r = 0;

	if (!m->vcpus.n && !add_vcpu(m, INPUT_NO_VCPU, SOURCE_NO_CPU))
		return -ENOMEM;
	array_for_each(v, &m->vcpus) {
		struct tsc_map map =
			v->epochs.n ? v->epochs.v[v->epochs.n - 1].map : TSC_MAP_IDENTITY;

		map.offset = offset;
		epochs_free(&v->epochs);
		r = r ?: epochs_add(&v->epochs, 0, &map);
	}
	m->aligned = true;
	m->estimated = m->conflict = false;
	return r;
}

/* NAME=TICKS */
int input_set_offset(struct input *in, const char *text)
{
	const char *value = strrchr(text, '=');
	_cleanup_free_ char *name = value ? strndup(text, (size_t)(value - text)) : NULL;
	struct input_machine *m;
	int64_t offset;

	if (!value || text_to_s64(value + 1, &offset))
		return log_err_r(-EINVAL,
				 "--offset \"%s\": it takes NAME=TICKS, a guest and its TSC "
				 "offset",
				 text);
	if (!name)
		return -ENOMEM;
	m = find_guest(in, name, in->machines.n);
	if (!m)
		return log_err_r(-EINVAL, "--offset \"%s\": no guest has that name", text);
	return set_offset(m, offset);
}
