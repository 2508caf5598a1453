// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/tracedat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "sink/ringpack.h"
#include "source/texts.h"

#define PAGE_BYTES  4096u
#define CHUNK_BYTES (64u << 10)		/* of pages before they are written */
#define NAME_BYTES  200u		/* of a machine's name in a file's */
#define TRACE_ID    0x6f6e657473630000u /* of machines without one: "onetsc" and their number */

/* The same for all kernels of 64 bits: what ring_buffer_print_page_header() and
 * ring_buffer_print_entry_header() say. */
static const char header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				  "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				  "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
				  "\tfield: char data;\toffset:16;\tsize:%u;\tsigned:1;\n";
static const char header_event[] = "# compressed entry header\n"
				   "\ttype_len    :    5 bits\n"
				   "\ttime_delta  :   27 bits\n"
				   "\tarray       :   32 bits\n"
				   "\n"
				   "\tpadding     : type == 29\n"
				   "\ttime_extend : type == 30\n"
				   "\ttime_stamp : type == 31\n"
				   "\tdata max type_len  == 28\n";

struct tracedat_cpu {
	struct ringpack pack;
	uint8_t *chunk; /* NULL before the first event */
	uint32_t n;	/* whole pages in it, in bytes */
};

struct tracedat_file { /* of a machine; writer NULL: it has none */
	char name[NAME_BYTES + 16];
	struct datwriter *writer;
	struct source_texts texts;
	struct tracedat_cpu *cpus;
	unsigned n_cpus;
	uint32_t page_bytes, chunk_bytes;
	uint64_t left_out;
};

struct sink_tracedat {
	const struct input *in;
	int dirfd;
	struct tracedat_file *files; /* by machine */
};

int sink_tracedat_new(const struct input *in, const char *path, struct sink_tracedat **ret)
{
	struct sink_tracedat *s = calloc(1, sizeof(*s));

	if (!s)
		return log_err_r(-ENOMEM, "cannot export: %m");
	s->in = in;
	s->files = calloc(in->machines.n, sizeof(*s->files));
	s->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!s->files || s->dirfd < 0) {
		int r = s->files ? -errno : -ENOMEM;

		sink_tracedat_free(s);
		return log_err_r(r, "cannot write into \"%s\": %m", path);
	}
	*ret = s;
	return 0;
}

void sink_tracedat_free(struct sink_tracedat *s)
{
	if (!s)
		return;
	for (size_t i = 0; s->files && i < s->in->machines.n; i++) {
		struct tracedat_file *f = &s->files[i];

		for (unsigned c = 0; c < f->n_cpus; c++)
			free(f->cpus[c].chunk);
		free(f->cpus);
		source_texts_free(&f->texts);
		datwriter_free(f->writer);
	}
	if (s->dirfd >= 0)
		close(s->dirfd);
	free(s->files);
	free(s);
}

static bool is_taken(const struct sink_tracedat *s, size_t machine)
{
	for (size_t i = 0; i < machine; i++)
		if (!strcmp(s->files[i].name, s->files[machine].name))
			return true;
	return false;
}

/* A guest chose its name, perhaps. */
static void name_file(struct sink_tracedat *s, size_t machine)
{
	static const char fine[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+";
	const char *from = s->in->machines.v[machine].name;
	char *to = s->files[machine].name;
	size_t n = 0;

	for (; from[n] && n < NAME_BYTES; n++)
		to[n] = strchr(fine, from[n]) && !(n == 0 && from[n] == '.') ? from[n] : '_';
	snprintf(to + n, 16, ".dat");
	if (is_taken(s, machine))
		snprintf(to + n, 16, "-%u.dat", (uint16_t)machine);
}

static int count_cpus(const struct input_machine *m, struct tracedat_file *f)
{
	const struct source_facts *facts = source_facts(m->source);
	unsigned n = 1;

	for (size_t i = 0; i < facts->n_lanes; i++)
		if (facts->lanes[i].cpu != SOURCE_NO_CPU && facts->lanes[i].cpu >= n)
			n = facts->lanes[i].cpu + 1;
	f->cpus = calloc(n, sizeof(*f->cpus));
	if (!f->cpus)
		return -ENOMEM;
	f->n_cpus = n;
	f->page_bytes = f->texts.page_bytes > PAGE_BYTES ? f->texts.page_bytes : PAGE_BYTES;
	f->chunk_bytes = f->page_bytes > CHUNK_BYTES ? f->page_bytes : CHUNK_BYTES;
	return 0;
}

/* --- what the head of a file says ---------------------------------------------------------- */

struct head {
	struct dat_meta meta;
	char page[512];
	struct dat_guest *guests;
	int64_t *offsets; /* all 0: stamps are host ticks */
};

static uint64_t trace_id(const struct input *in, size_t machine)
{
	const struct source *s = in->machines.v[machine].source;

	return (s ? source_facts(s)->trace_id : 0) ?: TRACE_ID + machine;
}

static void head_free(struct head *h)
{
	for (size_t i = 0; i < h->meta.n_guests; i++)
		free((void *)h->guests[i].vcpus);
	free(h->guests);
	free(h->offsets);
}

static int add_guest(const struct input *in, size_t machine, const struct tracedat_file *f,
		     struct dat_guest *g)
{
	struct dat_vcpu *vcpus = calloc(f->n_cpus, sizeof(*vcpus));

	if (!vcpus)
		return -ENOMEM;
	*g = (struct dat_guest){in->machines.v[machine].name, trace_id(in, machine), vcpus, 0};
	for (unsigned c = 0; c < f->n_cpus; c++) {
		const struct input_vcpu *v = input_vcpu_of_cpu(&in->machines.v[machine], c);

		if (v && v->tid > 0)
			vcpus[g->n++] = (struct dat_vcpu){c, (uint32_t)v->tid};
	}
	return 0;
}

/* The host's file names the guests that have one. */
static int add_guests(const struct sink_tracedat *s, struct head *h)
{
	int r = 0;

	h->guests = calloc(s->in->machines.n, sizeof(*h->guests));
	if (!h->guests)
		return -ENOMEM;
	h->meta.guests = h->guests;
	for (size_t i = 0; i < s->in->machines.n && !r; i++)
		if (s->in->machines.v[i].is_guest && s->files[i].n_cpus)
			r = add_guest(s->in, i, &s->files[i], &h->guests[h->meta.n_guests++]);
	return r;
}

static struct dat_text text_of(const char *s)
{
	return (struct dat_text){.s = s, .n = strlen(s)};
}

static int head_make(const struct sink_tracedat *s, size_t machine, struct head *h)
{
	const struct input_machine *m = &s->in->machines.v[machine];
	const struct tracedat_file *f = &s->files[machine];
	struct tick_conv conv = s->in->conv;

	for (; conv.mult > INT32_MAX && conv.shift; conv.shift--)
		conv.mult >>= 1;
	snprintf(h->page, sizeof(h->page), header_page, f->page_bytes - RINGPACK_HEAD);
	h->offsets = calloc(f->n_cpus, sizeof(*h->offsets));
	if (!h->offsets)
		return -ENOMEM;
	h->meta = (struct dat_meta){
		.header_page = text_of(h->page),
		.header_event = text_of(header_event),
		.ftrace = f->texts.ftrace.v,
		.n_ftrace = f->texts.ftrace.n,
		.events = f->texts.events.v,
		.n_events = f->texts.events.n,
		.kallsyms = f->texts.kallsyms,
		.printk = f->texts.printk,
		.cmdlines = f->texts.cmdlines,
		.cpus = f->n_cpus,
		.page_bytes = f->page_bytes,
		.clock = text_of("[x86-tsc]"),
		.uname = text_of(source_facts(m->source)->uname),
		.trace_id = trace_id(s->in, machine),
		.mult = conv.mult,
		.shift = conv.shift,
	};
	if (!m->is_guest)
		return add_guests(s, h);
	h->meta.host_trace_id = trace_id(s->in, 0);
	h->meta.cpu_offset = h->offsets;
	h->meta.shift_at[0] = s->in->begin_ticks;
	h->meta.shift_at[1] = s->in->end_ticks;
	return 0;
}

/* --- the files ----------------------------------------------------------------------------- */

/* Finds out what there is to write for a machine; nothing is said of those that only others tell of. */
static int prepare(struct sink_tracedat *s, size_t machine)
{
	const struct input_machine *m = &s->in->machines.v[machine];
	struct tracedat_file *f = &s->files[machine];
	int r;

	if (!m->source)
		return 0;
	if (m->is_text || !m->aligned) {
		log_warn("\"%s\" is left out: %s", input_machine_title(m),
			 m->is_text ? "a text log has no place in a trace.dat"
				    : "its clock cannot be told in the host's");
		return 0;
	}
	name_file(s, machine);
	r = source_texts(m->source, &f->texts);
	return r ? r : count_cpus(m, f);
}

static int tracedat_begin(void *state, const struct timeline *t)
{
	struct sink_tracedat *s = state;
	int r = 0;

	for (size_t i = 0; i < s->in->machines.n && !r; i++)
		r = prepare(s, i);
	if (r)
		return log_err_r(r, "cannot export: %m");
	for (size_t i = 0; i < s->in->machines.n && !r; i++) {
		struct tracedat_file *f = &s->files[i];
		struct head h = {0};

		if (!f->n_cpus)
			continue;
		r = head_make(s, i, &h);
		if (r)
			log_errno(r, "cannot export: %m");
		else
			r = datwriter_create(s->dirfd, f->name, &h.meta, &f->writer);
		head_free(&h);
	}
	return r;
}

static int write_chunk(struct tracedat_file *f, unsigned cpu)
{
	struct tracedat_cpu *c = &f->cpus[cpu];
	int r = fd_write_all(datwriter_cpu_fd(f->writer, cpu), c->chunk, c->n);

	c->n = 0;
	return r ? log_err_r(r, "cannot write \"%s\": %m", f->name) : 0;
}

/* The open page is whole; the next one is behind it. */
static int close_page(struct tracedat_file *f, unsigned cpu)
{
	struct tracedat_cpu *c = &f->cpus[cpu];
	int r = 0;

	if (!ringpack_close(&c->pack))
		return 0;
	c->n += f->page_bytes;
	if (c->n + f->page_bytes > f->chunk_bytes)
		r = write_chunk(f, cpu);
	c->pack.page = c->chunk + c->n;
	return r;
}

static int open_cpu(struct tracedat_file *f, struct tracedat_cpu *c)
{
	c->chunk = malloc(f->chunk_bytes);
	if (!c->chunk)
		return log_err_r(-ENOMEM, "cannot export: %m");
	c->pack.page = c->chunk;
	c->pack.page_bytes = f->page_bytes;
	return 0;
}

static int add_event(struct sink_tracedat *s, const struct event *ev)
{
	struct tracedat_file *f = &s->files[ev->machine];
	struct tracedat_cpu *c = ev->cpu < f->n_cpus ? &f->cpus[ev->cpu] : NULL;
	int r = 0;

	if (!c)
		return 0;
	if (!c->chunk)
		r = open_cpu(f, c);
	if (r)
		return r;
	if (ev->type == EVENT_LOST) {
		r = close_page(f, ev->cpu);
		ringpack_lost(&c->pack, ev->lost);
		return r;
	}
	if (ev->kind->id == UINT32_MAX || !ringpack_fits(&c->pack, ev->size)) {
		f->left_out++;
		return 0;
	}
	if (ringpack_add(&c->pack, ev->ticks, ev->data, ev->size))
		return 0;
	r = close_page(f, ev->cpu);
	if (!r && !ringpack_add(&c->pack, ev->ticks, ev->data, ev->size))
		f->left_out++;
	return r;
}

static int tracedat_batch(void *state, const struct event *ev, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = add_event(state, &ev[i]);
	return r;
}

static int finish(struct sink_tracedat *s, size_t machine)
{
	struct tracedat_file *f = &s->files[machine];
	struct head h = {0};
	int r = 0;

	for (unsigned c = 0; c < f->n_cpus && !r; c++) {
		r = close_page(f, c);
		if (!r && f->cpus[c].n)
			r = write_chunk(f, c);
	}
	if (r)
		return r;
	r = head_make(s, machine, &h);
	if (r)
		log_errno(r, "cannot export: %m");
	else
		r = datwriter_finish(f->writer, &h.meta);
	head_free(&h);
	if (f->left_out)
		log_warn("\"%s\": %llu broken records were left out", f->name,
			 (unsigned long long)f->left_out);
	return r;
}

static int tracedat_end(void *state)
{
	struct sink_tracedat *s = state;
	int r = 0;

	for (size_t i = 0; i < s->in->machines.n && !r; i++)
		if (s->files[i].writer)
			r = finish(s, i);
	return r;
}

const struct consumer sink_tracedat_consumer = {
	.name = "trace.dat",
	.begin = tracedat_begin,
	.batch = tracedat_batch,
	.end = tracedat_end,
};
