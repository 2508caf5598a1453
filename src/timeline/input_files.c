// SPDX-License-Identifier: GPL-2.0-or-later
/* An input from files given side by side, made by trace-cmd or by onetsc: the options in them say
 * which is the host's and whose guests the others are. */
#include "timeline/input_parts.h"

#include "base/log.h"
#include "base/text.h"

#define CLOCK_TSC "x86-tsc"

struct file_set {
	struct source **v;
	size_t n;
	struct source *host; /* one of them, or NULL */
};

static const struct source_guest *guest_entry(const struct source *host, const struct source *guest)
{
	const struct source_facts *h = source_facts(host), *g = source_facts(guest);

	for (size_t i = 0; i < h->n_guests; i++)
		if (g->trace_id && h->guests[i].trace_id == g->trace_id)
			return &h->guests[i];
	return NULL;
}

static bool is_host_of(const struct source *host, const struct source *guest)
{
	const struct source_facts *h = source_facts(host), *g = source_facts(guest);

	return guest_entry(host, guest) || (h->trace_id && h->trace_id == g->host_trace_id);
}

static struct source *find_host(const struct file_set *f)
{
	for (size_t i = 0; i < f->n; i++)
		for (size_t k = 0; k < f->n; k++)
			if (i != k && is_host_of(f->v[i], f->v[k]))
				return f->v[i];
	for (size_t i = 0; i < f->n; i++)
		if (!source_facts(f->v[i])->host_trace_id)
			return f->v[i];
	return f->n == 1 ? f->v[0] : NULL;
}

/* "dir/guest-web1.dat" is "guest-web1". A name in the host's file that is only a number is a vsock
 * address. */
static char *machine_name(const struct source *s, const struct source_guest *g)
{
	const char *path = source_facts(s)->path, *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path, *dot = strchr(name, '.');

	if (g && g->name[strspn(g->name, "0123456789")])
		return strdup(g->name);
	return dot && dot != name ? strndup(name, (size_t)(dot - name)) : strdup(name);
}

static int add_tid(struct input_machine *m, int tid)
{
	pid_t *t = array_add(&m->tids);

	if (!t)
		return -ENOMEM;
	*t = tid;
	return 0;
}

static unsigned vcpu_of_thread(const struct offset_scan *scan, const struct source_guest_cpu *c)
{
	array_for_each(t, &scan->threads)
		if (t->pid == (int)c->tid)
			return t->vcpu;
	return c->cpu; /* never ran while the host was traced */
}

static int vcpu_cmp(const void *a, const void *b)
{
	const struct input_vcpu *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int add_vcpu(struct input_machine *m, unsigned id, unsigned tid, unsigned cpu)
{
	struct input_vcpu *v = array_add(&m->vcpus);

	if (!v)
		return -ENOMEM;
	v->id = id;
	v->tid = (pid_t)tid;
	v->guest_cpu = (int)cpu;
	return tid ? add_tid(m, (int)tid) : 0;
}

static int add_vcpus(struct input_machine *m, const struct source_guest *g,
		     const struct offset_scan *scan)
{
	const struct source_facts *f = source_facts(m->source);
	int r = 0;

	for (size_t i = 0; g && i < g->n_cpus && !r; i++)
		r = add_vcpu(m, vcpu_of_thread(scan, &g->cpus[i]), g->cpus[i].tid, g->cpus[i].cpu);
	for (size_t i = 0; !g && i < f->n_lanes && !r; i++)
		if (!input_vcpu_of_cpu(m, f->lanes[i].cpu))
			r = add_vcpu(m, f->lanes[i].cpu, 0, f->lanes[i].cpu);
	if (m->vcpus.n)
		qsort(m->vcpus.v, m->vcpus.n, sizeof(*m->vcpus.v), vcpu_cmp);
	return r;
}

static bool has_tid(const struct input_machine *m, int tid)
{
	array_for_each(t, &m->tids)
		if (*t == tid)
			return true;
	return false;
}

/* Offset writes come from any thread of a VMM. When the only vCPU threads in the host's file are
 * this VM's, every writer is. */
static int claim_writers(struct input_machine *m, const struct offset_scan *scan)
{
	int r = 0;

	array_for_each(t, &scan->threads)
		if (!has_tid(m, t->pid))
			return 0;
	for (size_t i = 0; i < scan->writes.n && m->tids.n && !r; i++)
		if (!has_tid(m, scan->writes.v[i].pid))
			r = add_tid(m, scan->writes.v[i].pid);
	return r;
}

/* TIME_SHIFT: KVM's offset with the sign turned, ratio and fraction as KVM has them
 * (kvm_clock_host(), trace-timesync-kvm.c of trace-cmd 3.1.6). */
static struct offset_known known_of_cpu(const struct source_facts *f, int cpu)
{
	struct offset_known k = {.ratio = 1, .end_ticks = UINT64_MAX};
	const struct source_shift_sample *first, *last;

	if (cpu < 0 || (size_t)cpu >= f->n_shifts || !f->shifts[cpu].n)
		return k;
	first = &f->shifts[cpu].samples[0];
	last = &f->shifts[cpu].samples[f->shifts[cpu].n - 1];
	k.has_start = k.has_end = true;
	k.start = (int64_t)(0 - (uint64_t)first->offset);
	k.end = (int64_t)(0 - (uint64_t)last->offset);
	if (last->scaling > 1 && last->fraction && last->fraction < 64) {
		k.ratio = last->scaling;
		k.frac = (uint8_t)last->fraction;
	}
	return k;
}

static bool has_offset(const struct input_vcpu *v, int64_t offset)
{
	array_for_each(e, &v->epochs)
		if (e->map.offset == offset)
			return true;
	return false;
}

/* trace-cmd read these from KVM. One that no write explains: a write was lost. */
static void check_sample(struct input_machine *m, const struct input_vcpu *v,
			 const struct offset_known *k)
{
	bool start = has_offset(v, k->start);

	if (start && has_offset(v, k->end))
		return;
	m->conflict = true;
	log_err("\"%s\" vCPU %u: TSC offset %lld, read while recording, is in no recorded write; "
		"its events may be misplaced",
		m->name, v->id, (long long)(start ? k->end : k->start));
}

/* Writes seen are the truth; TIME_SHIFT was sampled at moments of its own. */
static int align_vcpu(struct input_machine *m, struct input_vcpu *v, const struct offset_scan *scan)
{
	struct offset_known shift = known_of_cpu(source_facts(m->source), v->guest_cpu);
	struct offset_known none = {.ratio = shift.ratio, .frac = shift.frac};
	int r = offset_epochs(m, v, scan, &none);

	if (!r && shift.has_start && !source_facts(m->source)->shifts_estimated)
		check_sample(m, v, &shift);
	if (r != -ENODATA || !shift.has_start)
		return r;
	shift.has_start = shift.start == shift.end;
	return offset_epochs(m, v, scan, &shift);
}

static int align_guest(struct input_machine *m, const struct source *host,
		       const struct offset_scan *scan)
{
	const struct source_facts *f = source_facts(m->source);
	const char *host_clock = host ? source_facts(host)->clock : CLOCK_TSC;

	if (strcmp(f->clock, host_clock)) {
		input_set_unaligned(m, "its clock is \"%s\", the host's \"%s\"", f->clock,
				    host_clock);
		return 0;
	}
	if (host && !is_host_of(host, m->source)) {
		input_set_unaligned(m, "neither it nor \"%s\" says that it is a guest of it",
				    source_facts(host)->path);
		return 0;
	}
	array_for_each(v, &m->vcpus) {
		int r = align_vcpu(m, v, scan);

		if (r == -EBADMSG || r == -EINVAL)
			m->conflict = true;
		else if (r && r != -ENODATA)
			return r;
		m->aligned |= v->epochs.n != 0;
	}
	m->estimated = f->shifts_estimated || strcmp(host_clock, CLOCK_TSC);
	if (!m->aligned)
		input_set_unaligned(m, "no TSC offset of it is in the files");
	else if (m->estimated)
		log_warn("\"%s\": its clock was only estimated while recording (PTP), with an "
			 "error that is not known",
			 m->name);
	return 0;
}

static int add_guest(struct input *in, struct source **slot, const struct source *host,
		     const struct offset_scan *scan)
{
	const struct source_guest *g = host ? guest_entry(host, *slot) : NULL;
	_cleanup_free_ char *name = machine_name(*slot, g);
	struct input_machine *m = name ? input_machine_add(in, name, true) : NULL;
	int r;

	if (!m)
		return -ENOMEM;
	m->source = TAKE_PTR(*slot);
	r = add_vcpus(m, g, scan);
	if (!r)
		r = claim_writers(m, scan);
	return r ? r : align_guest(m, host, scan);
}

static int add_host(struct input *in, struct file_set *f, struct crew *crew,
		    struct offset_scan *scan)
{
	_cleanup_free_ char *name = f->host ? machine_name(f->host, NULL) : strdup("host");
	struct input_machine *m = name ? input_machine_add(in, name, false) : NULL;
	int r;

	if (!m)
		return -ENOMEM;
	if (!f->host)
		return 0;
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i] == f->host)
			m->source = TAKE_PTR(f->v[i]);
	r = f->n > 1 ? offset_scan(m->source, true, crew, scan) : 0;
	return r;
}

/* Ticks of the other clocks are nanoseconds already, but for counter and uptime. */
static void set_conv(struct input *in)
{
	const struct source_facts *f;

	array_for_each(m, &in->machines) {
		f = m->source ? source_facts(m->source) : NULL;
		if (!f || in->conv.mult)
			continue;
		if (f->mult)
			in->conv = (struct tick_conv){f->mult, f->shift};
		else if (strcmp(f->clock, CLOCK_TSC) && strcmp(f->clock, "counter") &&
			 strcmp(f->clock, "uptime") && *f->clock)
			in->conv = (struct tick_conv){1, 0};
	}
}

static int fill(struct input *in, struct file_set *f, struct crew *crew)
{
	struct offset_scan scan = {0};
	int r;

	f->host = find_host(f);
	r = add_host(in, f, crew, &scan);
	for (size_t i = 0; i < f->n && !r; i++)
		if (f->v[i])
			r = add_guest(in, &f->v[i], f->host, &scan);
	offset_scan_free(&scan);
	set_conv(in);
	return r;
}

struct opening { /* of a file, by any thread */
	struct job job;
	const char *path;
	struct source *source;
	struct strbuf said;
	int r;
};

static void open_one(struct job *j, unsigned worker)
{
	struct opening *o = (struct opening *)j;

	log_keep(&o->said);
	o->r = source_open(o->path, &o->source);
	log_keep(NULL);
}

/* What is said, and of which file the error is, does not depend on who is first. */
static int open_all(const char *const *paths, size_t n, struct crew *crew, struct file_set *f)
{
	struct opening *o = calloc(n, sizeof(*o));
	int r = o ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && o; i++) {
		o[i].job.run = open_one;
		o[i].path = paths[i];
		crew_submit(crew, &o[i].job, false);
	}
	for (size_t i = 0; i < n && !r; i++) {
		crew_wait(crew, &o[i].job);
		log_tell(&o[i].said);
		r = o[i].r;
		if (!r)
			f->v[i] = TAKE_PTR(o[i].source);
	}
	for (size_t i = 0; i < n && o; i++) {
		crew_cancel(crew, &o[i].job);
		source_free(o[i].source);
		strbuf_free(&o[i].said);
	}
	free(o);
	return r;
}

int input_from_files(struct input *in, const char *const *paths, size_t n, struct crew *crew)
{
	struct file_set f = {.v = calloc(n, sizeof(*f.v)), .n = n};
	int r = f.v ? open_all(paths, n, crew, &f) : -ENOMEM;

	if (!r)
		r = fill(in, &f, crew);
	for (size_t i = 0; i < n && f.v; i++)
		source_free(f.v[i]);
	free(f.v);
	return r;
}
