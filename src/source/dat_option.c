// SPDX-License-Identifier: GPL-2.0-or-later
/* Options: facts about the machine, its guests and its clock. in holds exactly one option's bytes. */
#include "source/dat.h"

#include <stdlib.h>

#include "base/log.h"

static char *text_copy(const struct dat_in *in)
{
	size_t n = strnlen((const char *)in->p, dat_in_left(in));

	while (n && (in->p[n - 1] == '\n' || in->p[n - 1] == ' '))
		n--;
	return strndup((const char *)in->p, n);
}

static int set_uname(struct dat *d, struct dat_in *in)
{
	char *s = text_copy(in);

	if (!s)
		return -ENOMEM;
	free((char *)d->s.facts.uname);
	d->s.facts.uname = s;
	return 0;
}

/* "local global [x86-tsc] …": the bracketed word. */
static int set_clock(struct dat *d, struct dat_in *in)
{
	_cleanup_free_ char *s = text_copy(in);
	char *a = s ? strchr(s, '[') : NULL;
	char *b = a ? strchr(a, ']') : NULL;

	if (!s)
		return -ENOMEM;
	if (!b)
		return 0;
	*b = 0;
	a = strdup(a + 1);
	if (!a)
		return -ENOMEM;
	free((char *)d->s.facts.clock);
	d->s.facts.clock = a;
	return 0;
}

/* Behind key in the text, or 0. */
static uint64_t number_after(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 10) : 0;
}

const char *dat_keep_name(struct dat *d, const char *name)
{
	char **slot = array_add(&d->names);

	if (slot)
		*slot = strdup(name);
	return slot ? *slot : NULL;
}

/* "\nBuffer: NAME\n": the statistics behind it are that instance's (add_buffer_stat(),
 * trace-record.c of trace-cmd 3.1.6). */
static int begin_stats(struct dat *d, char *name)
{
	name[strcspn(name, "\n")] = 0;
	d->stats_of = dat_keep_name(d, name);
	return d->stats_of ? 0 : -ENOMEM;
}

/* per_cpu/cpuN/stats behind "CPU: N". Overruns need no care: these events were the oldest ones, and
 * the next page says so. */
static int add_stat(struct dat *d, struct dat_in *in)
{
	_cleanup_free_ char *s = text_copy(in);
	char *name = s ? strstr(s, "Buffer: ") : NULL;
	struct dat_stat *stat;

	if (!s)
		return -ENOMEM;
	if (name)
		return begin_stats(d, name + strlen("Buffer: "));
	if (strncmp(s, "CPU: ", 5))
		return 0;
	stat = array_add(&d->stats);
	if (!stat)
		return -ENOMEM;
	stat->buffer = d->stats_of ?: "";
	stat->cpu = number_after(s, "CPU: ");
	stat->events = number_after(s, "entries: ") + number_after(s, "read events: ");
	if (!strstr(s, "read events: "))
		stat->events = UINT64_MAX; /* nobody knows */
	stat->dropped = number_after(s, "dropped events: ");
	return 0;
}

static int stat_cmp(const void *a, const void *b)
{
	const struct dat_stat *x = a, *y = b;

	if (x->cpu != y->cpu)
		return x->cpu < y->cpu ? -1 : 1;
	return strcmp(x->buffer, y->buffer);
}

void dat_stats_sort(struct dat *d)
{
	if (d->stats.n)
		qsort(d->stats.v, d->stats.n, sizeof(*d->stats.v), stat_cmp);
}

const struct dat_stat *dat_stat_find(const struct dat *d, const char *buffer, unsigned cpu)
{
	struct dat_stat key = {.buffer = buffer, .cpu = cpu};

	return d->stats.n ? bsearch(&key, d->stats.v, d->stats.n, sizeof(key), stat_cmp) : NULL;
}

static int add_guest(struct dat *d, struct dat_in *in)
{
	const char *name = dat_in_str(in);
	struct source_guest_cpu *cpus;
	struct source_guest *g;
	uint64_t id;
	uint32_t n;

	if (!name || !dat_in_u64(in, &id) || !dat_in_u32(in, &n) || n > dat_in_left(in) / 8)
		return -ENODATA;
	cpus = calloc((size_t)n + 1, sizeof(*cpus));
	g = cpus ? array_add(&d->guests) : NULL;
	if (!g) {
		free(cpus);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		if (!dat_in_u32(in, &cpus[i].cpu) || !dat_in_u32(in, &cpus[i].tid))
			break;
	*g = (struct source_guest){.trace_id = id, .cpus = cpus, .n_cpus = n};
	g->name = strdup(name);
	return g->name ? 0 : -ENOMEM;
}

/* One CPU's samples: n times, n offsets, n scalings, each in an array of its own. The fractions of
 * all CPUs follow behind the last CPU (3.x; absent in older files). */
static int take_shift(struct dat_in *in, struct source_shift *ret)
{
	struct source_shift_sample *v;
	uint32_t n;

	if (!dat_in_u32(in, &n) || n > dat_in_left(in) / 24)
		return -ENODATA;
	v = calloc((size_t)n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&v[i].ticks, in->p + (size_t)i * 8, 8);
		memcpy(&v[i].offset, in->p + ((size_t)n + i) * 8, 8);
		memcpy(&v[i].scaling, in->p + (2 * (size_t)n + i) * 8, 8);
	}
	in->p += (size_t)n * 24;
	*ret = (struct source_shift){.samples = v, .n = n};
	return 0;
}

static void take_fractions(struct dat_in *in, struct source_shift *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!dat_in_u64(in, &((struct source_shift_sample *)s->samples)[i].fraction))
			return;
}

static void drop_shifts(struct dat *d)
{
	array_for_each(s, &d->shifts)
		free((void *)s->samples);
	array_free(&d->shifts);
}

#define SHIFT_INTERPOLATE 1u /* TRACECMD_TSYNC_FLAG_INTERPOLATE: only the PTP protocol sets it */

static int set_shifts(struct dat *d, struct dat_in *in)
{
	uint32_t flags, n;
	int r;

	drop_shifts(d);
	if (!dat_in_u64(in, &d->s.facts.host_trace_id) || !dat_in_u32(in, &flags) ||
	    !dat_in_u32(in, &n) || n > DAT_CPUS_MAX)
		return -ENODATA;
	d->s.facts.shifts_estimated = flags & SHIFT_INTERPOLATE;
	for (uint32_t i = 0; i < n; i++) {
		struct source_shift shift = {0}, *slot;

		r = take_shift(in, &shift);
		if (r)
			return r;
		slot = array_add(&d->shifts);
		if (!slot) {
			free((void *)shift.samples);
			return -ENOMEM;
		}
		*slot = shift;
	}
	array_for_each(s, &d->shifts)
		take_fractions(in, s);
	return 0;
}

static int set_conv(struct dat *d, struct dat_in *in)
{
	uint32_t mult, shift;

	if (!dat_in_u32(in, &mult) || !dat_in_u32(in, &shift))
		return -ENODATA;
	if (shift > 63) /* the product is cut to 64 bits after the shift */
		return -EBADMSG;
	d->s.facts.mult = mult;
	d->s.facts.shift = shift;
	return 0;
}

/* v6: where the instance's own "flyrecord" is; it can be read when the number of CPUs is known. */
static int add_buffer_v6(struct dat *d, uint64_t offset, const char *name)
{
	struct dat_buffer *b = array_add(&d->buffers);

	if (!b)
		return -ENOMEM;
	b->offset = offset;
	b->name = dat_keep_name(d, name);
	return b->name ? 0 : -ENOMEM;
}

static int use_buffer_clock(struct dat *d, const char *clock)
{
	/* v7 writes "tsc2nsec" for x86-tsc with a TSC2NSEC option; the stamps are ticks */
	if (!strcmp(clock, "tsc2nsec"))
		clock = "x86-tsc";
	if (*d->s.facts.clock)
		return 0;
	free((char *)d->s.facts.clock);
	d->s.facts.clock = strdup(clock);
	return d->s.facts.clock ? 0 : -ENOMEM;
}

static int add_buffer(struct dat *d, struct dat_in *in)
{
	const char *name, *clock;
	uint64_t section, at, size, *at_section;
	uint32_t page, n, cpu;
	struct dat_in head;
	uint16_t id, flags;
	int r;

	if (!dat_in_u64(in, &section))
		return -ENODATA;
	name = dat_in_str(in);
	if (!name)
		return -ENODATA;
	if (d->version < 7)
		return add_buffer_v6(d, section, name);
	clock = dat_in_str(in);
	if (!clock || !dat_in_u32(in, &page) || !dat_in_u32(in, &n) || n > dat_in_left(in) / 20)
		return -ENODATA;
	r = use_buffer_clock(d, clock);
	if (r)
		return r;
	if (!dat_page_is_sane(page))
		return -EBADMSG;
	at_section = array_add(&d->found);
	if (!at_section)
		return -ENOMEM;
	*at_section = section;
	if (section > d->maps.v[0]->n)
		section = d->maps.v[0]->n;
	head = (struct dat_in){d->maps.v[0]->p, d->maps.v[0]->p + section,
			       d->maps.v[0]->p + d->maps.v[0]->n, 0};
	if (!dat_in_u16(&head, &id) || !dat_in_u16(&head, &flags))
		flags = 0; /* nothing of the data is in the file either */
	name = dat_keep_name(d, name);
	if (!name)
		return -ENOMEM;
	for (uint32_t i = 0; i < n && !r; i++) {
		if (!dat_in_u32(in, &cpu) || !dat_in_u64(in, &at) || !dat_in_u64(in, &size))
			return -ENODATA;
		r = dat_lane_add(d, name, cpu,
				 &(struct dat_place){.map = d->maps.v[0],
						     .offset = at,
						     .n = size,
						     .page_bytes = page,
						     .compressed = flags & 1});
	}
	return r;
}

int dat_option(struct dat *d, unsigned id, struct dat_in *in)
{
	switch (id) {
	case DAT_CPUSTAT:
		return add_stat(d, in);
	case DAT_UNAME:
		return set_uname(d, in);
	case DAT_TRACECLOCK:
		return set_clock(d, in);
	case DAT_CPUCOUNT:
		return dat_in_u32(in, &d->cpus) ? 0 : -ENODATA;
	case DAT_TRACEID:
		return dat_in_u64(in, &d->s.facts.trace_id) ? 0 : -ENODATA;
	case DAT_TIME_SHIFT:
		return set_shifts(d, in);
	case DAT_GUEST:
		return add_guest(d, in);
	case DAT_TSC2NSEC:
		return set_conv(d, in);
	case DAT_BUFFER:
		return add_buffer(d, in);
	case DAT_HEADER_INFO:
	case DAT_FTRACE_EVENTS:
	case DAT_EVENT_FORMATS:
	case DAT_KALLSYMS:
	case DAT_PRINTK:
	case DAT_CMDLINES:
		return dat_in_u64(in, &d->section_at[id]) ? 0 : -ENODATA;
	default:
		return 0;
	}
}
