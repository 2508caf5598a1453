// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's own traces: stamps of the host's CLOCK_REALTIME or CLOCK_MONOTONIC, which the readings of a
 * session turn into ticks. */
#include <errno.h>
#include <inttypes.h>

#include "base/log.h"
#include "source/textlog.h"
#include "timeline/input_parts.h"

/* The VM whose QEMU wrote it: the one that is named, else the only one. NULL and 0: not known. */
static int find_vm(const struct input *in, const char *name, const struct input_machine **ret)
{
	size_t n = 0;

	*ret = NULL;
	array_for_each(m, &in->machines) {
		if (!m->is_guest || m->is_text || m->part_of || (name && strcmp(m->name, name)))
			continue;
		*ret = m;
		n++;
	}
	if (name && !n)
		return log_err_r(-EINVAL, "--text …,vm=%s: no VM has that name", name);
	if (!name && n > 1)
		*ret = NULL;
	return 0;
}

static int64_t reading(const struct session_pair *p, bool realtime)
{
	return realtime ? p->realtime_ns : p->monotonic_ns;
}

static struct fit_pair *make_pairs(const struct input *in, bool realtime)
{
	struct fit_pair *v = calloc(in->pairs.n + 1, sizeof(*v));

	for (size_t i = 0; v && i < in->pairs.n; i++) {
		const struct session_pair *p = &in->pairs.v[i];

		v[i] = (struct fit_pair){p->tsc, p->width_ticks, reading(p, realtime)};
	}
	return v;
}

/* Somebody set CLOCK_REALTIME: it moved otherwise than CLOCK_MONOTONIC between two readings. */
static void tell_steps(const struct input *in, const struct fit_freq *f)
{
	uint64_t n = 0, largest = 0;

	for (size_t i = 1; i < in->pairs.n; i++) {
		const struct session_pair *a = &in->pairs.v[i - 1], *b = &in->pairs.v[i];
		__int128 d = ((__int128)b->realtime_ns - a->realtime_ns) -
			     ((__int128)b->monotonic_ns - a->monotonic_ns);
		unsigned __int128 size = (unsigned __int128)(d < 0 ? -d : d);
		unsigned __int128 slack =
			((unsigned __int128)a->width_ticks + b->width_ticks) * 1000000000 / f->hz;

		if (size <= slack + 2)
			continue;
		n++;
		largest = size > UINT64_MAX ? UINT64_MAX
			  : size > largest  ? (uint64_t)size
					    : largest;
	}
	if (n)
		log_warn("the host's CLOCK_REALTIME was set %" PRIu64 " time%s while \"%s\" was "
			 "recorded, by up to %" PRIu64 " ns; QEMU's events there have wide bounds",
			 n, n == 1 ? "" : "s", in->title, largest);
}

/* -ENODATA: there are no readings, or they make no clock. */
static int make_clock(const struct input *in, bool realtime, struct fit_lookup **ret)
{
	_cleanup_free_ struct fit_pair *pairs = make_pairs(in, realtime);
	_cleanup_free_ struct fit_pair *steady = make_pairs(in, false);
	struct fit_freq f;
	int r = pairs && steady ? 0 : -ENOMEM;

	if (!r)
		r = fit_freq(steady, in->pairs.n, &f);
	if (!r)
		r = fit_lookup_new(pairs, in->pairs.n, &f, ret);
	if (!r && realtime)
		tell_steps(in, &f);
	return r == -EINVAL ? -ENODATA : r;
}

static uint64_t clock_at(const struct fit_lookup *l, uint64_t ticks, bool is_end)
{
	struct fit_ns f = fit_lookup_ns(l, ticks);
	__int128 ns = (__int128)f.ns + (is_end ? (__int128)f.err_ns : -(__int128)f.err_ns);

	return ns < 0 ? 0 : ns > INT64_MAX ? INT64_MAX : (uint64_t)ns;
}

/* What is not of the recording's time has wide bounds, and nothing to be merged with. */
static void cut(const struct input *in, struct input_machine *m)
{
	const struct source_facts *f = source_facts(m->source);
	uint64_t lo = in->begin_ticks ? clock_at(m->clock, in->begin_ticks, false) : 0;
	uint64_t hi = in->end_ticks ? clock_at(m->clock, in->end_ticks, true) : UINT64_MAX;
	uint64_t kept, n;

	n = textlog_cut(m->source, lo > f->quantum_ns ? lo - f->quantum_ns : 0, hi, &kept);
	if (n && !kept)
		log_warn("\"%s\": none of its %" PRIu64
			 " events is of the time of \"%s\"; time=all "
			 "shows them",
			 f->path, n, in->title);
	else if (n)
		log_info("\"%s\": %" PRIu64 " events are not of the time of \"%s\" and left "
			 "out; time=all shows them",
			 f->path, n, in->title);
}

/* What was before the TSC's 0, of an earlier boot of the host, has no tick at all. */
static void cut_unplaceable(struct input_machine *m)
{
	uint64_t kept, n;

	n = textlog_cut(m->source, clock_at(m->clock, 0, false), INT64_MAX, &kept);
	if (n)
		log_warn("\"%s\": %" PRIu64 " events are left out: the host's TSC had not begun to "
			 "count",
			 source_facts(m->source)->path, n);
}

static int place(struct input *in, struct input_machine *m, bool all_times)
{
	const struct source_facts *f = source_facts(m->source);
	int r = in->pairs.n ? make_clock(in, !strcmp(f->clock, "realtime"), &m->clock) : -ENODATA;

	if (!r && !all_times)
		cut(in, m);
	else if (!r)
		cut_unplaceable(m);
	if (r != -ENODATA)
		return r;
	input_set_unaligned(m,
			    "QEMU's stamps in \"%s\" are of the host's CLOCK_%s; what turns them "
			    "into ticks, readings of both, is only in a session of onetsc record",
			    f->path, !strcmp(f->clock, "realtime") ? "REALTIME" : "MONOTONIC");
	if (!in->conv.mult && in->machines.n == 2 && !in->machines.v[0].source)
		in->conv = (struct tick_conv){1, 0}; /* nothing else is shown */
	return 0;
}

int input_add_qemu(struct input *in, struct textlog_spec *spec)
{
	_cleanup_source_ struct source *s = NULL;
	const struct input_machine *vm;
	bool all_times = spec->all_times;
	struct input_machine *m;
	int r = find_vm(in, spec->vm, &vm);

	if (r)
		return r;
	spec->pid = vm ? (int)vm->pid : 0;
	r = textlog_open(spec, &s);
	if (r)
		return r;
	if (in->machines.v[0].source)
		textlog_take_comms(s, in->machines.v[0].source);
	m = input_machine_add_same(in, in->machines.v[0].name, false);
	if (!m)
		return -ENOMEM;
	m->is_text = true;
	m->source = TAKE_PTR(s);
	return place(in, m, all_times);
}
