// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mono.h"
#include "base/text.h"
#include "capture/record_impl.h"
#include "clock/conv.h"
#include "vm/facts.h"

#define PAIRS_MAX    7200
#define MEASURE_NS   50000000
#define CLOCKSOURCE  "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define WHY_NO_AGENT "no agent answered"

static int copy(char **to, const char *from)
{
	char *s = strdup(from);

	if (!s)
		return -ENOMEM;
	free(*to);
	*to = s;
	return 0;
}

/* Without KVM's word: two pairs, far enough apart for 1 ppm. */
static uint64_t measure_khz(void)
{
	struct timespec ts = {0, MEASURE_NS};
	struct session_pair a, b;

	clockpair_read(&a);
	nanosleep(&ts, NULL);
	clockpair_read(&b);
	return clockpair_khz(&a, &b);
}

static int set_conversion(struct session *s)
{
	struct tick_conv c;
	struct kvm_probe kvm;

	if (facts_kvm(&kvm) || !kvm.tsc_khz)
		kvm.tsc_khz = measure_khz();
	s->tsc_khz = kvm.tsc_khz;
	if (conv_from_khz(s->tsc_khz, &c))
		return log_err_r(-ERANGE, "the TSC counts %llu kHz, which is out of range",
				 (unsigned long long)s->tsc_khz);
	/* trace-cmd reads the multiplier into an int. */
	while (c.mult > INT32_MAX && c.shift) {
		c.mult >>= 1;
		c.shift--;
	}
	s->mult = c.mult;
	s->shift = c.shift;
	return 0;
}

int record_session_begin(struct record *r)
{
	struct session *s = &r->session;
	struct session_machine *host = array_add(&s->machines);
	char text[64] = "";
	int e;

	if (!host || copy(&host->name, "host") || copy(&s->tool, "onetsc " ONETSC_VERSION) ||
	    copy(&s->command, r->cfg->command))
		return -ENOMEM;
	e = file_read_line(AT_FDCWD, CLOCKSOURCE, text, sizeof(text));
	if (e || copy(&s->clocksource, text))
		log_debug("cannot read %s", CLOCKSOURCE);
	if (!e && strcmp(text, "tsc"))
		log_warn(
			"the host's clocksource is \"%s\", not tsc: its TSCs may drift apart, and KVM "
			"may rewrite TSC offsets at any time",
			text);
	r->pair_every_ms = 1000;
	return set_conversion(s);
}

struct datfile_links record_links(const struct record *r)
{
	return (struct datfile_links){.mult = r->session.mult, .shift = r->session.shift};
}

/* Every second one goes; the first stays. */
static void thin(struct session_pairs *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i += 2)
		p->v[kept++] = p->v[i];
	p->n = kept;
}

int record_session_pair(struct record *r, bool now)
{
	struct session_pair *p;

	if (!now && mono_ms() < r->pair_ms)
		return 0;
	if (r->session.pairs.n >= PAIRS_MAX) {
		thin(&r->session.pairs);
		r->pair_every_ms *= 2;
	}
	p = array_add(&r->session.pairs);
	if (!p)
		return -ENOMEM;
	clockpair_read(p);
	r->pair_ms = mono_ms() + r->pair_every_ms;
	return 0;
}

static int copy_cpus(struct session_cpus *to, const struct session_cpus *from)
{
	to->n = 0;
	array_for_each(c, from) {
		struct session_cpu *add = array_add(to);

		if (!add)
			return -ENOMEM;
		*add = *c;
	}
	return 0;
}

static int update_file(struct session_machine *m, const struct datfile *f)
{
	if (!m->file && copy(&m->file, f->name))
		return -ENOMEM;
	m->trace_id = f->trace_id;
	return copy_cpus(&m->cpus, &f->stats);
}

/* A guest's own CPU number of the vCPU with that id, which is the i-th; -1 unknown. */
static int guest_cpu(const struct guest_part *p, const struct cpu_apics *ids, unsigned id, size_t i)
{
	int cpu = -1;

	if (p->in_order)
		return i < p->file.cpus ? (int)i : cpu;
	array_for_each(a, ids)
		if (a->apic_id == id && cpu < 0)
			cpu = (int)a->cpu;
	return cpu;
}

static int update_first(struct session_machine *m, const struct guest_part *p,
			const struct cpu_apics *ids)
{
	m->cpus_in_order |= p->in_order;
	for (size_t i = 0; i < m->vcpus.n; i++)
		m->vcpus.v[i].guest_cpu = guest_cpu(p, ids, m->vcpus.v[i].id, i);
	return update_file(m, &p->file);
}

static int update_later(struct session_machine *m, size_t i, const struct guest_part *p,
			const struct cpu_apics *ids)
{
	struct session_part *to = i <= m->parts.n ? &m->parts.v[i - 1] : array_add(&m->parts);

	if (!to || (!to->file && copy(&to->file, p->file.name)))
		return -ENOMEM;
	to->trace_id = p->file.trace_id;
	to->begin_tsc = p->begin_tsc;
	to->end_tsc = p->end_tsc;
	m->cpus_in_order |= p->in_order;
	to->vcpus.n = 0;
	for (size_t k = 0; k < m->vcpus.n; k++) {
		struct session_place *v = array_add(&to->vcpus);

		if (!v)
			return -ENOMEM;
		v->id = m->vcpus.v[k].id;
		v->guest_cpu = guest_cpu(p, ids, v->id, k);
	}
	return copy_cpus(&to->cpus, &p->file.stats);
}

static int update_parts(struct session_machine *m, struct guest *g)
{
	size_t n = guest_parts(g);
	int e = 0;

	for (size_t i = 0; !e && i < n; i++) {
		struct cpu_apics ids = {0};

		e = guest_apics(g, i, &ids);
		if (!e)
			e = i ? update_later(m, i, guest_part(g, i), &ids)
			      : update_first(m, guest_part(g, i), &ids);
		array_free(&ids);
	}
	return e;
}

static int update_why(struct session_machine *m, struct rec_guest *g)
{
	struct guest_status st;

	if (!g->link)
		return copy(&m->why_missing,
			    "the VM has no vsock device, and no --guest was given");
	guest_status(g->link, &st);
	if (st.state == GUEST_DONE || st.state == GUEST_RECORDING) {
		free(m->why_missing);
		m->why_missing = NULL;
		return 0;
	}
	return copy(&m->why_missing, st.why[0] ? st.why : WHY_NO_AGENT);
}

int record_session_update(struct record *r)
{
	struct datfile *f = hostrec_file(r->host, HOSTREC_MAIN);
	int e = f ? update_file(&r->session.machines.v[0], f) : 0;

	f = hostrec_file(r->host, HOSTREC_OFFSETS);
	if (!e && f && !r->session.offsets_file)
		e = copy(&r->session.offsets_file, f->name);
	for (size_t i = 0; !e && i < r->guests.n; i++) {
		struct rec_guest *g = &r->guests.v[i];
		struct session_machine *m = &r->session.machines.v[i + 1];

		if (g->link)
			e = update_parts(m, g->link);
		if (!e)
			e = update_why(m, g);
	}
	return e;
}

int record_session_save(struct record *r)
{
	int e = record_session_update(r);

	if (e)
		return log_err_r(e, "cannot write \"%s/session.json\": %m", r->dir);
	r->dirty = false;
	return session_save(&r->session, r->dir);
}

/* --- the end --- */
/* host = guest - offset for all of the recording: only then a plain TIME_SHIFT says the truth. */
static bool is_constant(const struct session_machine *m)
{
	array_for_each(v, &m->vcpus)
		if (!v->has_start || !v->has_end || v->start_offset != v->end_offset ||
		    v->ratio != 1 || v->frac)
			return false;
	return m->vcpus.n > 0;
}

static bool is_zero(const struct session_machine *m)
{
	array_for_each(v, &m->vcpus)
		if (v->end_offset)
			return false;
	return true;
}

static int part_cpu(const struct session_machine *m, size_t part, size_t vcpu)
{
	return part ? m->parts.v[part - 1].vcpus.v[vcpu].guest_cpu : m->vcpus.v[vcpu].guest_cpu;
}

static int finish_part(struct record *r, struct session_machine *m, size_t part, struct datfile *f)
{
	_cleanup_free_ int64_t *offsets = calloc(f->cpus, sizeof(*offsets));
	struct datfile_links l = record_links(r);

	if (!offsets)
		return -ENOMEM;
	if (is_constant(m) && !is_zero(m)) {
		/* CPUs that no vCPU is known of get the first one's: KVM keeps them equal. */
		for (unsigned c = 0; c < f->cpus; c++)
			offsets[c] = -m->vcpus.v[0].end_offset;
		for (size_t i = 0; i < m->vcpus.n; i++) {
			int cpu = part_cpu(m, part, i);

			if (cpu >= 0 && (unsigned)cpu < f->cpus)
				offsets[cpu] = -m->vcpus.v[i].end_offset;
		}
		l.host_trace_id = r->session.machines.v[0].trace_id;
		l.cpu_offset = offsets;
		l.shift_at[0] = r->session.begin_tsc + (uint64_t)m->vcpus.v[0].end_offset;
		l.shift_at[1] = r->session.end_tsc + (uint64_t)m->vcpus.v[0].end_offset;
	}
	return datfile_finish(f, &l);
}

static int finish_guest(struct record *r, struct session_machine *m, struct guest *g)
{
	size_t n = g ? guest_parts(g) : 0;
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		int e = finish_part(r, m, i, &guest_part(g, i)->file);

		first = first ? first : e;
	}
	return first;
}

/* trace-cmd wants CPUs 0..n-1 without holes; thread 0 = unknown. */
static int fill_vcpus(const struct session_machine *m, size_t part, struct dat_guest *to)
{
	struct dat_vcpu *list;
	uint32_t n = 0;
	int cpu;

	for (size_t i = 0; i < m->vcpus.n; i++) {
		cpu = part_cpu(m, part, i);
		if (cpu >= 0 && (uint32_t)cpu >= n)
			n = (uint32_t)cpu + 1;
	}
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (uint32_t c = 0; c < n; c++)
		list[c].cpu = c;
	for (size_t i = 0; i < m->vcpus.n; i++) {
		cpu = part_cpu(m, part, i);
		if (cpu >= 0)
			list[cpu].tid = (uint32_t)m->vcpus.v[i].tid;
	}
	*to = (struct dat_guest){m->name, part ? m->parts.v[part - 1].trace_id : m->trace_id, list,
				 n};
	return 0;
}

struct dat_guests ARRAY(struct dat_guest);

static int fill_guests(const struct session *s, struct dat_guests *to)
{
	array_for_each(m, &s->machines) {
		if (!m->file || !m->vcpus.n)
			continue;
		for (size_t i = 0; i <= m->parts.n; i++) {
			struct dat_guest *g = array_add(to);
			int e = g ? fill_vcpus(m, i, g) : -ENOMEM;

			if (e)
				return e;
		}
	}
	return 0;
}

static int finish_host(struct record *r, struct datfile *f)
{
	struct dat_guests guests = {0};
	struct datfile_links l = record_links(r);
	int e = fill_guests(&r->session, &guests);

	l.guests = guests.v;
	l.n_guests = guests.n;
	if (!e)
		e = datfile_finish(f, &l);
	array_for_each(g, &guests)
		free((void *)g->vcpus);
	array_free(&guests);
	return e;
}

static bool sudo_id(const char *name, uint64_t *ret)
{
	const char *text = getenv(name);

	return text && !text_to_u64(text, ret) && *ret && *ret < UINT32_MAX;
}

/* What sudo recorded is for the user who typed it: reading needs no privileges. */
static void give_to_user(const struct record *r)
{
	_cleanup_dir_ DIR *d = NULL;
	uint64_t uid, gid;
	struct dirent *e;
	int fd;

	if (geteuid() || !sudo_id("SUDO_UID", &uid) || !sudo_id("SUDO_GID", &gid))
		return;
	fd = openat(r->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd < 0 ? NULL : fdopendir(fd);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.' &&
		    fchownat(r->dirfd, e->d_name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW))
			log_debug("cannot give \"%s\" to user %llu: %m", e->d_name,
				  (unsigned long long)uid);
	if (fchown(r->dirfd, (uid_t)uid, (gid_t)gid))
		log_debug("cannot give \"%s\" to user %llu: %m", r->dir, (unsigned long long)uid);
}

int record_session_finish(struct record *r)
{
	struct datfile *host = hostrec_file(r->host, HOSTREC_MAIN);
	struct datfile *offsets = hostrec_file(r->host, HOSTREC_OFFSETS);
	struct datfile_links l = record_links(r);
	int first = record_session_update(r), e;

	if (host && meta_gather_names(r->tracefs, meta_store, &host->meta))
		log_debug("thread names are incomplete");
	for (size_t i = 0; i < r->guests.n; i++) {
		e = finish_guest(r, &r->session.machines.v[i + 1], r->guests.v[i].link);
		first = first ? first : e;
	}
	e = offsets ? datfile_finish(offsets, &l) : 0;
	first = first ? first : e;
	e = host ? finish_host(r, host) : 0;
	first = first ? first : e;
	r->session.complete = !first && !r->cut;
	e = session_save(&r->session, r->dir);
	give_to_user(r);
	return first ? first : e;
}
