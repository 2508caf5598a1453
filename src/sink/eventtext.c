// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/eventtext.h"

#include <event-parse.h>
#include <pthread.h>
#include <trace-seq.h>

#include "base/log.h"
#include "base/text.h"
#include "sink/eventnames.h"
#include "sink/fmt_compile.h"
#include "sink/fmt_run.h"
#include "source/symbols.h"

/* libtraceevent trusts lengths and offsets inside records (16 bits each, and strings up to a NUL
 * somewhere behind them). It therefore gets a copy with this much zeroed room behind it. */
#define RECORD_MAX (1u << 20)
#define ROOM	   (4u << 20)
#define TEXT_MAX   (256u << 10) /* what a program prints of a record of 64 KiB */

enum way { NOT_KNOWN, BY_PROGRAM, BY_TEP, RAW };

struct machine {
	struct way_of {
		enum way way;
		bool is_plain;
		struct fmt_prog *prog;
	} * kinds; /* by index; NULL until first needed */
	size_t n_kinds;
};

struct eventtext {
	const struct input *in;
	struct machine *machines;
	struct eventnames *names;
	struct fmt_names lookups;
	struct trace_seq seq;
	bool has_seq;
	char *copy; /* RECORD_MAX + ROOM bytes, zero between calls; NULL until first needed */
	char *text; /* TEXT_MAX + FMT_ROOM bytes */
	struct strbuf raw;
	struct eventtext_counts counts;
};

/* A tep_handle is not for two threads, and its plugins have state of their own. */
static pthread_mutex_t tep_lock = PTHREAD_MUTEX_INITIALIZER;

int eventtext_new(const struct input *in, struct eventtext **ret)
{
	struct eventtext *t = calloc(1, sizeof(*t));
	int r = t ? eventnames_new(in, &t->names) : -ENOMEM;

	if (!r)
		t->machines = calloc(in->machines.n + 1, sizeof(*t->machines));
	if (!r)
		t->text = malloc(TEXT_MAX + FMT_ROOM);
	if (r || !t->machines || !t->text) {
		eventtext_free(t);
		return log_err_r(-ENOMEM, "cannot print events: %m");
	}
	t->in = in;
	t->lookups = eventnames_lookups(t->names);
	trace_seq_init(&t->seq);
	t->has_seq = true;
	*ret = t;
	return 0;
}

void eventtext_free(struct eventtext *t)
{
	if (!t)
		return;
	for (size_t i = 0; t->machines && i < t->in->machines.n; i++) {
		for (size_t k = 0; k < t->machines[i].n_kinds; k++)
			fmt_prog_free(t->machines[i].kinds[k].prog);
		free(t->machines[i].kinds);
	}
	if (t->has_seq)
		trace_seq_destroy(&t->seq);
	strbuf_free(&t->raw);
	eventnames_free(t->names);
	free(t->machines);
	free(t->copy);
	free(t->text);
	free(t);
}

static const char *plain(struct eventtext *t, size_t *ret_n)
{
	*ret_n = t->raw.failed ? 0 : t->raw.n;
	return t->raw.failed || !t->raw.s ? "" : t->raw.s;
}

/* Records that no format describes: their bytes. */
static const char *dump(struct eventtext *t, const struct event *ev, size_t *ret_n)
{
	const uint8_t *p = ev->data;
	uint16_t id = 0;

	t->raw.n = 0;
	if (ev->size >= 2)
		memcpy(&id, p, 2);
	strbuf_printf(&t->raw, "id %u, %u bytes:", id, ev->size);
	for (uint32_t i = 0; i < ev->size && i < 64; i++)
		strbuf_printf(&t->raw, " %02x", p[i]);
	if (ev->size > 64)
		strbuf_puts(&t->raw, " ...");
	return plain(t, ret_n);
}

static const struct source *source_of(const struct eventtext *t, const struct event *ev)
{
	return t->in->machines.v[ev->machine].source;
}

bool eventtext_is_told(const struct eventtext *t, const struct event *ev)
{
	struct source_format format;

	pthread_mutex_lock(&tep_lock);
	format = source_format(source_of(t, ev), ev->kind);
	pthread_mutex_unlock(&tep_lock);
	return format.event && format.has_text;
}

const char *eventtext_by_tep(struct eventtext *t, const struct event *ev, size_t *ret_n)
{
	struct tep_record record = {.ts = ev->raw_ticks,
				    .cpu = ev->cpu,
				    .size = (int)ev->size,
				    .record_size = (int)ev->size};

	if (!t->copy)
		t->copy = calloc(1, RECORD_MAX + ROOM);
	if (!t->copy || !eventtext_is_told(t, ev) || ev->size > RECORD_MAX)
		return eventtext_raw(t, ev, ret_n);
	record.data = memcpy(t->copy, ev->data, ev->size);
	trace_seq_reset(&t->seq);
	pthread_mutex_lock(&tep_lock);
	tep_print_event(source_tep(source_of(t, ev), true), &t->seq, &record, "%s", TEP_PRINT_INFO);
	pthread_mutex_unlock(&tep_lock);
	memset(t->copy, 0, ev->size);
	/* plugin_kvm.c puts a NUL behind some texts; trace-cmd's line ends there */
	*ret_n = t->seq.state == TRACE_SEQ__GOOD ? strnlen(t->seq.buffer, t->seq.len) : 0;
	while (*ret_n && t->seq.buffer[*ret_n - 1] == '\n')
		--*ret_n;
	return t->seq.buffer;
}

/* Without newlines at the end. */
static inline char *trimmed(const char *from, char *end)
{
	while (end > from && end[-1] == '\n')
		end--;
	return end;
}

static inline char *by_program(struct eventtext *t, const struct fmt_prog *g,
			       const struct event *ev, struct fmt_out to)
{
	struct fmt_run run = {
		.out = to,
		.rec = ev->data,
		.size = ev->size,
		.pid = source_record_pid(ev->kind, ev->data),
		.names = &t->lookups,
	};

	eventnames_at(t->names, ev);
	fmt_run(&run, g);
	return run.out.p;
}

/* Threads compile on their own, but one at a time: libtraceevent's formats change while it prints. */
static enum way compile(struct eventtext *t, const struct event *ev, struct fmt_prog **ret)
{
	struct source_format format;
	int r = -EBADMSG;

	pthread_mutex_lock(&tep_lock);
	source_tep(source_of(t, ev),
		   false); /* plugins tell by its handler which events are theirs */
	format = source_format(source_of(t, ev), ev->kind);
	eventnames_at(t->names, ev);
	if (format.event)
		r = fmt_compile(ev->kind, format, &t->lookups, ret);
	pthread_mutex_unlock(&tep_lock);
	return !r ? BY_PROGRAM : r == -EBADMSG ? RAW : BY_TEP;
}

static struct way_of *new_way_of(struct eventtext *t, const struct event *ev)
{
	static struct way_of no_memory = {.way = RAW};
	struct machine *m = &t->machines[ev->machine];
	struct way_of *w;

	if (!m->kinds) {
		m->n_kinds = source_facts(t->in->machines.v[ev->machine].source)->n_kinds;
		m->kinds = calloc(m->n_kinds + 1, sizeof(*m->kinds));
	}
	if (!m->kinds || ev->kind->index >= m->n_kinds) {
		m->n_kinds = m->kinds ? m->n_kinds : 0;
		return &no_memory;
	}
	w = &m->kinds[ev->kind->index];
	if (w->way == NOT_KNOWN)
		w->way = compile(t, ev, &w->prog);
	w->is_plain = w->way == BY_PROGRAM && fmt_is_plain(w->prog);
	return w;
}

static inline struct way_of *way_of(struct eventtext *t, const struct event *ev)
{
	struct machine *m = &t->machines[ev->machine];

	if (ev->kind->index < m->n_kinds && m->kinds[ev->kind->index].way != NOT_KNOWN)
		return &m->kinds[ev->kind->index];
	return new_way_of(t, ev);
}

char *eventtext_write(struct eventtext *t, const struct event *ev, char *to, char *limit,
		      bool *ret_plain)
{
	const struct way_of *w = way_of(t, ev);
	char *end;

	if (w->way != BY_PROGRAM)
		return NULL;
	end = by_program(t, w->prog, ev, (struct fmt_out){to, limit});
	if (end >= limit)
		return NULL;
	t->counts.compiled++;
	*ret_plain = w->is_plain;
	return w->is_plain ? end : trimmed(to, end);
}

const char *eventtext_get(struct eventtext *t, const struct event *ev, size_t *ret_n)
{
	const struct way_of *w = way_of(t, ev);
	char *end;

	switch (w->way) {
	case BY_PROGRAM:
		t->counts.compiled++;
		end = by_program(t, w->prog, ev, (struct fmt_out){t->text, t->text + TEXT_MAX});
		*ret_n = (size_t)(trimmed(t->text, end) - t->text);
		return t->text;
	case BY_TEP:
		t->counts.by_tep++;
		return eventtext_by_tep(t, ev, ret_n);
	default:
		t->counts.raw++;
		return eventtext_raw(t, ev, ret_n);
	}
}

void eventtext_count(const struct eventtext *t, struct eventtext_counts *sum)
{
	sum->compiled += t->counts.compiled;
	sum->by_tep += t->counts.by_tep;
	sum->raw += t->counts.raw;
}

static void raw_field(struct strbuf *b, const struct source_field *f, const struct event *ev)
{
	const char *p;
	size_t n;

	strbuf_printf(b, "%s%s=", b->n ? " " : "", f->name);
	if (f->type == FIELD_UINT || f->type == FIELD_INT) {
		uint64_t v = source_field_u64(f, ev->data);

		if (f->is_pointer)
			strbuf_printf(b, "0x%llx", (unsigned long long)v);
		else if (f->type == FIELD_INT)
			strbuf_printf(b, "%lld", (long long)v);
		else
			strbuf_printf(b, "%llu", (unsigned long long)v);
		return;
	}
	p = source_field_bytes(f, ev->data, ev->size, &n);
	if (!p) {
		strbuf_puts(b, "(outside the record)");
	} else if (f->type == FIELD_STRING || f->type == FIELD_DYN_STRING ||
		   f->type == FIELD_REL_STRING) {
		strbuf_add(b, p, n);
	} else {
		for (size_t i = 0; i < n; i++)
			strbuf_printf(b, "%02x", (unsigned char)p[i]);
	}
}

const char *eventtext_raw(struct eventtext *t, const struct event *ev, size_t *ret_n)
{
	const struct source_kind *k = ev->kind;

	if (!k->n_fields)
		return dump(t, ev, ret_n);
	t->raw.n = 0;
	for (size_t i = 0; i < k->n_fields; i++)
		if (!k->fields[i].is_common)
			raw_field(&t->raw, &k->fields[i], ev);
	return plain(t, ret_n);
}
