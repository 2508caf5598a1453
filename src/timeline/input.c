// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/input.h"

#include <stdarg.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/text.h"
#include "timeline/input_parts.h"

#define THREADS_MAX 8 /* that open files: starting more takes longer than what they would do */

static bool name_taken(const struct input *in, const char *name)
{
	array_for_each(m, &in->machines)
		if (m->name && !strcmp(m->name, name))
			return true;
	return false;
}

struct input_machine *input_machine_add(struct input *in, const char *name, bool is_guest)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct input_machine *m;

	strbuf_puts(&b, name);
	for (unsigned i = 2; !b.failed && name_taken(in, b.s); i++) {
		b.n = 0;
		strbuf_printf(&b, "%s-%u", name, i);
	}
	if (b.failed || in->machines.n >= UINT16_MAX)
		return NULL;
	m = array_add(&in->machines);
	if (!m)
		return NULL;
	m->name = TAKE_PTR(b.s);
	m->is_guest = is_guest;
	m->aligned = !is_guest;
	return m;
}

void input_set_unaligned(struct input_machine *m, const char *fmt, ...)
{
	va_list ap;

	free(m->why_unaligned);
	va_start(ap, fmt);
	if (vasprintf(&m->why_unaligned, fmt, ap) < 0)
		m->why_unaligned = NULL;
	va_end(ap);
	m->aligned = false;
}

static void tell_unaligned(const struct input *in)
{
	array_for_each(m, &in->machines)
		if (!m->aligned && m->source)
			log_warn(
				"\"%s\": %s; its events are shown by their own clock, not in order "
				"with the host's",
				m->name, m->why_unaligned ?: "its clock cannot be told");
}

int input_align(struct input_machine *m, const struct offset_scan *scan,
		const struct offset_known *known)
{
	for (size_t i = 0; i < m->vcpus.n; i++) {
		struct input_vcpu *v = &m->vcpus.v[i];
		int r = offset_epochs(m, v, scan, &known[i]);

		if (r == -EBADMSG) {
			m->conflict = true;
		} else if (r == -EINVAL) {
			m->conflict = true;
			log_err("\"%s\" vCPU %u: a TSC ratio of %llu >> %u is not possible",
				m->name, v->id, (unsigned long long)known[i].ratio, known[i].frac);
		} else if (r && r != -ENODATA) {
			return r;
		}
		m->aligned |= v->epochs.n != 0;
	}
	return 0;
}

/* The guest numbers its CPUs anew each time it boots. */
static const struct input_vcpu *vcpu_of_part(const struct input_machine *m, unsigned cpu)
{
	array_for_each(p, &m->places) {
		if (p->guest_cpu < 0 || (unsigned)p->guest_cpu != cpu)
			continue;
		array_for_each(v, &m->same->vcpus)
			if (v->id == p->id)
				return v;
	}
	return NULL;
}

const char *input_machine_title(const struct input_machine *m)
{
	bool is_qemu = m->source && source_facts(m->source)->quantum_ns;

	return is_qemu ? source_facts(m->source)->path : m->name ?: "?";
}

const struct input_vcpu *input_vcpu_of_cpu(const struct input_machine *m, unsigned cpu)
{
	if (m->part_of)
		return m->same ? vcpu_of_part(m, cpu) : NULL;
	array_for_each(v, &m->vcpus)
		if (v->guest_cpu >= 0 && (unsigned)v->guest_cpu == cpu)
			return v;
	return m->same ? input_vcpu_of_cpu(m->same, cpu) : NULL;
}

static int add_by_hand(struct input *in, const struct input_options *o, struct crew *crew)
{
	int r = input_add_texts(in, o, crew);

	for (size_t i = 0; i < o->n_offsets && !r; i++)
		r = input_set_offset(in, o->offsets[i]);
	return r ? r : input_place_texts(in);
}

/* When no machine is added any more: their addresses move. */
static void link_parts(struct input *in)
{
	array_for_each(m, &in->machines) {
		if (!m->part_of)
			continue;
		m->same = &in->machines.v[m->part_of];
		m->aligned = m->same->aligned;
		m->estimated = m->same->estimated;
		if (!m->aligned && m->same->why_unaligned)
			input_set_unaligned(m, "%s", m->same->why_unaligned);
	}
}

static int open_paths(struct input *in, const char *const *paths, size_t n, struct crew *crew)
{
	struct stat st;

	if (!n)
		return 0;
	if (n == 1 && !stat(paths[0], &st) && S_ISDIR(st.st_mode))
		return input_from_session(in, paths[0], crew);
	return input_from_files(in, paths, n, crew);
}

int input_open(const char *const *paths, size_t n, struct input **ret)
{
	return input_open_with(paths, n, &(struct input_options){0}, ret);
}

static int fill(struct input *in, const char *const *paths, size_t n, const struct input_options *o)
{
	unsigned threads = o->threads ?: crew_default();
	struct crew *crew;
	int r = crew_new(threads < THREADS_MAX ? threads : THREADS_MAX, &crew);

	if (r)
		return r;
	r = open_paths(in, paths, n, crew);
	if (!r)
		r = add_by_hand(in, o, crew);
	crew_free(crew);
	return r;
}

int input_open_with(const char *const *paths, size_t n, const struct input_options *o,
		    struct input **ret)
{
	_cleanup_input_ struct input *in = calloc(1, sizeof(*in));
	const char *title = n ? paths[0] : o->texts[0];
	int r = -ENOMEM;

	if (in)
		in->title = n ? strdup(title) : strndup(title, strcspn(title, ","));
	if (in && in->title) {
		in->threads = o->threads;
		r = fill(in, paths, n, o);
	}
	if (r == -ENOMEM)
		log_errno(r, "cannot open \"%s\": %m", title);
	if (r)
		return r;
	link_parts(in);
	tell_unaligned(in);
	*ret = TAKE_PTR(in);
	return 0;
}

void input_free(struct input *in)
{
	if (!in)
		return;
	array_for_each(m, &in->machines) {
		array_for_each(v, &m->vcpus)
			epochs_free(&v->epochs);
		array_free(&m->vcpus);
		array_free(&m->tids);
		array_free(&m->places);
		source_free(m->source);
		fit_lookup_free(m->clock);
		free(m->name);
		free(m->why_unaligned);
	}
	array_free(&in->machines);
	array_free(&in->pairs);
	free(in->title);
	free(in);
}
