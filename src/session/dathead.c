// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/dathead.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"

/* Option ids of trace.dat (trace-cmd: enum in lib/trace-cmd/include/private/trace-cmd-private.h). */
enum {
	OPTION_DONE = 0,
	OPTION_CPUSTAT = 2,
	OPTION_TRACECLOCK = 4,
	OPTION_UNAME = 5,
	OPTION_CPUCOUNT = 8,
	OPTION_VERSION = 9,
	OPTION_TRACEID = 11,
	OPTION_TIME_SHIFT = 12,
	OPTION_GUEST = 13,
	OPTION_TSC2NSEC = 14,
};

/* A sink with a sticky error: 64 KiB at a time to fd. */
struct out {
	int fd, err;
	uint64_t flushed;
	struct strbuf buf;
};

static void out_flush(struct out *o)
{
	if (o->buf.failed)
		o->err = -ENOMEM;
	if (!o->err)
		o->err = fd_write_all(o->fd, o->buf.s, o->buf.n);
	o->flushed += o->buf.n;
	o->buf.n = 0;
}

static uint64_t out_pos(const struct out *o)
{
	return o->flushed + o->buf.n;
}

static void put(struct out *o, const void *p, size_t n)
{
	if (!n)
		return;
	strbuf_add(&o->buf, p, n);
	if (o->buf.n >= 65536)
		out_flush(o);
}

static void put16(struct out *o, uint16_t v)
{
	put(o, &v, sizeof(v));
}

static void put32(struct out *o, uint32_t v)
{
	put(o, &v, sizeof(v));
}

static void put64(struct out *o, uint64_t v)
{
	put(o, &v, sizeof(v));
}

static void put_text32(struct out *o, const struct dat_text *t)
{
	if (t->n > INT32_MAX)
		o->err = -EFBIG;
	put32(o, (uint32_t)t->n);
	put(o, t->s, t->n);
}

static void put_text64(struct out *o, const struct dat_text *t)
{
	put64(o, t->n);
	put(o, t->s, t->n);
}

static size_t events_of_system(const struct dat_meta *m, size_t from)
{
	size_t i = from + 1;

	while (i < m->n_events && !strcmp(m->events[i].system, m->events[from].system))
		i++;
	return i - from;
}

static void put_formats(struct out *o, const struct dat_meta *m)
{
	uint32_t systems = 0;

	put32(o, (uint32_t)m->n_ftrace);
	for (size_t i = 0; i < m->n_ftrace; i++)
		put_text64(o, &m->ftrace[i]);
	for (size_t i = 0; i < m->n_events; i += events_of_system(m, i))
		systems++;
	put32(o, systems);
	for (size_t i = 0, n; i < m->n_events; i += n) {
		n = events_of_system(m, i);
		put(o, m->events[i].system, strlen(m->events[i].system) + 1);
		put32(o, (uint32_t)n);
		for (size_t k = i; k < i + n; k++)
			put_text64(o, &m->events[k]);
	}
}

static void put_option(struct out *o, uint16_t id, const void *data, size_t n)
{
	if (n > INT32_MAX)
		o->err = -EFBIG;
	put16(o, id);
	put32(o, (uint32_t)n);
	put(o, data, n);
}

/* trace-cmd takes these as C strings: always with a NUL. */
static void put_option_text(struct out *o, uint16_t id, const char *s, size_t n)
{
	if (n >= INT32_MAX)
		o->err = -EFBIG;
	put16(o, id);
	put32(o, (uint32_t)n + 1);
	put(o, s, n);
	put(o, "", 1);
}

/* "CPU: N" before the kernel's own lines, as trace-cmd does; `trace-cmd report --stat` prints it. */
static void put_cpustat(struct out *o, const struct dat_meta *m)
{
	for (unsigned cpu = 0; m->cpustat && cpu < m->cpus; cpu++) {
		_cleanup_strbuf_ struct strbuf b = {0};

		strbuf_printf(&b, "CPU: %u\n", cpu);
		strbuf_add(&b, m->cpustat[cpu].s ? m->cpustat[cpu].s : "", m->cpustat[cpu].n);
		if (b.failed)
			o->err = -ENOMEM;
		else
			put_option_text(o, OPTION_CPUSTAT, b.s, b.n);
	}
}

/* trace-cmd drops a guest with a CPU number at or above the count (trace_guest_load()): the list
 * goes up to the highest number, unknown CPUs with thread 0. */
static void put_guest(struct out *o, const struct dat_guest *g)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	uint32_t cpus = 0;

	for (size_t i = 0; i < g->n; i++)
		if (g->vcpus[i].cpu < DATWRITER_CPUS_MAX && g->vcpus[i].cpu >= cpus)
			cpus = g->vcpus[i].cpu + 1;
	strbuf_add(&b, g->name, strlen(g->name) + 1);
	strbuf_add(&b, (const char *)&g->trace_id, 8);
	strbuf_add(&b, (const char *)&cpus, 4);
	for (uint32_t cpu = 0; cpu < cpus; cpu++) {
		uint32_t tid = 0;

		for (size_t i = 0; i < g->n; i++)
			if (g->vcpus[i].cpu == cpu)
				tid = g->vcpus[i].tid;
		strbuf_add(&b, (const char *)&cpu, 4);
		strbuf_add(&b, (const char *)&tid, 4);
	}
	if (b.failed)
		o->err = -ENOMEM;
	else
		put_option(o, OPTION_GUEST, b.s, b.n);
}

/* Two equal samples per CPU, the form that trace-cmd's own kvm time sync writes; scaling 1 and
 * fraction 0: a constant is all that its 64-bit arithmetic can do exactly. */
static void put_time_shift(struct out *o, const struct dat_meta *m)
{
	put16(o, OPTION_TIME_SHIFT);
	put32(o, 8 + 4 + 4 + m->cpus * (4 + 2 * 8 * 4));
	put64(o, m->host_trace_id);
	put32(o, 0);
	put32(o, m->cpus);
	for (unsigned cpu = 0; cpu < m->cpus; cpu++) {
		put32(o, 2);
		put64(o, m->shift_at[0]);
		put64(o, m->shift_at[1]);
		put64(o, (uint64_t)m->cpu_offset[cpu]);
		put64(o, (uint64_t)m->cpu_offset[cpu]);
		put64(o, 1);
		put64(o, 1);
	}
	for (unsigned i = 0; i < m->cpus * 2; i++)
		put64(o, 0);
}

static void put_options(struct out *o, const struct dat_meta *m)
{
	put(o, "options  ", 10);
	if (m->clock.s)
		put_option_text(o, OPTION_TRACECLOCK, m->clock.s, m->clock.n);
	if (m->uname.s)
		put_option_text(o, OPTION_UNAME, m->uname.s, m->uname.n);
	put_option_text(o, OPTION_VERSION, "onetsc " ONETSC_VERSION,
			strlen("onetsc " ONETSC_VERSION));
	put_option(o, OPTION_TRACEID, &m->trace_id, 8);
	put_option(o, OPTION_CPUCOUNT, &m->cpus, 4);
	put_cpustat(o, m);
	for (size_t i = 0; i < m->n_guests; i++)
		put_guest(o, &m->guests[i]);
	if (m->host_trace_id && m->cpu_offset)
		put_time_shift(o, m);
	if (m->mult) {
		put16(o, OPTION_TSC2NSEC);
		put32(o, 16);
		put32(o, m->mult);
		put32(o, m->shift);
		put64(o, 0); /* an offset that trace-cmd stores and ignores */
	}
	put16(o, OPTION_DONE);
}

/* "[x86-tsc]" out of "local [x86-tsc] boot". */
static struct dat_text clock_current(const struct dat_text *clock)
{
	const char *b = memchr(clock->s, '[', clock->n);
	const char *e = b ? memchr(b, ']', clock->n - (size_t)(b - clock->s)) : NULL;

	return e ? (struct dat_text){.s = b, .n = (size_t)(e - b) + 1}
		 : (struct dat_text){.s = "[local]", .n = 7};
}

/* After the table trace-cmd reads the clock once more, if the option is there. Only a clock that it
 * counts in ns is shown as seconds: "tsc2nsec" is what it calls x86-tsc with TSC2NSEC. */
static void put_clock(struct out *o, const struct dat_meta *m)
{
	static const struct dat_text tsc2nsec = {.s = "[tsc2nsec]", .n = 10};
	struct dat_text t;

	if (!m->clock.s)
		return;
	t = m->mult ? tsc2nsec : clock_current(&m->clock);
	put_text64(o, &t);
}

int dathead_write(int fd, const struct dat_meta *m, struct dathead *ret)
{
	struct out o = {.fd = fd};

	put(&o, "\x17\x08\x44tracing6\0", 12);
	put(&o, (uint8_t[]){0 /* little endian */, 8 /* bytes of a long */}, 2);
	put32(&o, m->page_bytes);
	put(&o, "header_page", 12);
	put_text64(&o, &m->header_page);
	put(&o, "header_event", 13);
	put_text64(&o, &m->header_event);
	put_formats(&o, m);
	put_text32(&o, &m->kallsyms);
	put_text32(&o, &m->printk);
	put_text64(&o, &m->cmdlines);
	put32(&o, m->cpus);
	put_options(&o, m);
	put(&o, "flyrecord", 10);
	ret->table_at = out_pos(&o);
	for (unsigned cpu = 0; cpu < m->cpus * 2; cpu++)
		put64(&o, 0);
	put_clock(&o, m);
	ret->end = out_pos(&o);
	out_flush(&o);
	strbuf_free(&o.buf);
	return o.err;
}

uint64_t dathead_place(const struct dathead *head, uint32_t page_bytes, struct dat_place *places,
		       unsigned n)
{
	uint64_t at = (head->end + page_bytes - 1) & ~(uint64_t)(page_bytes - 1);

	for (unsigned cpu = 0; cpu < n; cpu++) {
		places[cpu].at = at;
		at += places[cpu].bytes;
	}
	return at;
}

int dathead_write_table(int fd, const struct dathead *head, const struct dat_place *places,
			unsigned n)
{
	const char *p = (const char *)places;
	size_t left = n * sizeof(*places);
	uint64_t at = head->table_at;

	_Static_assert(sizeof(*places) == 16, "as on disk");
	while (left) {
		ssize_t w = pwrite(fd, p, left, (off_t)at);

		if (w < 0 && errno != EINTR)
			return -errno;
		if (w > 0) {
			p += w;
			at += (uint64_t)w;
			left -= (size_t)w;
		}
	}
	return 0;
}
