// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/sink.h"

#include <errno.h>
#include <pthread.h>

#include "base/log.h"
#include "sink/eventtext.h"
#include "sink/fmt_put.h"
#include "sink/qemuline.h"

#define INDENT	    "    | " /* continuation lines of a text with newlines */
#define NAME_NARROW 4
#define NAME_WIDE   16
#define TASK_WIDTH  23 /* TASK-PID, right-aligned as trace-cmd has it */
#define KIND_WIDTH  22
#define COMM_MAX    64
#define LINE_ROOM   (16u << 10) /* for an event; longer texts take another way */

struct sink_text {
	struct sink_text_config c;
	const struct input *in;
	struct clock_view *clock;
	unsigned name_width;
	size_t n_lanes;
	pthread_mutex_t lock; /* of counts */
	struct eventtext_counts counts;
};

struct column { /* escaped, padded, coloured; cut when it is absurdly long */
	uint8_t n;
	bool made;
	char s[126];
};

struct machine_columns {
	struct column name;
	struct column *kinds; /* by index; NULL until first needed */
	size_t n_kinds;
};

#define HEAD_COPIED 48

/* What the lines of a lane have behind their time, as long as its task stays: machine, CPU, task. */
struct head {
	uint16_t machine, cpu, n; /* n 0: nothing yet */
	int pid;
	const char *comm;
	char s[sizeof(struct column) + 32 + 4 * COMM_MAX];
};

struct printer { /* of a thread */
	struct sink_text *s;
	struct machine_columns *machines;
	struct head *heads; /* by lane */
	struct eventtext *texts;
	struct clock_memo clock;
	struct strbuf line; /* of QEMU's; or a text that is to be escaped */
	struct out *out;
	void *scratch; /* a part: columns and heads that are being made */
};

int sink_text_new(const struct input *in, const struct sink_text_config *c, struct sink_text **ret)
{
	struct sink_text *s = calloc(1, sizeof(*s));

	if (!s)
		return log_err_r(-ENOMEM, "cannot print: %m");
	s->c = *c;
	s->in = in;
	pthread_mutex_init(&s->lock, NULL);
	s->name_width = NAME_NARROW;
	array_for_each(m, &in->machines) {
		unsigned n = (unsigned)strlen(m->name);

		n = n > NAME_WIDE ? NAME_WIDE : n;
		s->name_width = n > s->name_width ? n : s->name_width;
	}
	*ret = s;
	return 0;
}

void sink_text_free(struct sink_text *s)
{
	if (!s)
		return;
	if (s->counts.compiled + s->counts.by_tep + s->counts.raw)
		log_debug("texts of events: %llu by compiled formats, %llu by libtraceevent, %llu "
			  "as their fields",
			  (unsigned long long)s->counts.compiled,
			  (unsigned long long)s->counts.by_tep, (unsigned long long)s->counts.raw);
	clock_view_free(s->clock);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static int text_begin(void *state, const struct timeline *t)
{
	struct sink_text *s = state;

	clock_view_free(s->clock);
	s->clock = NULL;
	timeline_lanes(t, &s->n_lanes);
	return clock_view_new(t, s->c.clock, &s->clock);
}

static void colour(const struct printer *p, const char *code)
{
	if (p->s->c.colour)
		out_puts(p->out, code);
}

/* A column that is the same for all events of a machine, or kind. */
static void make_column(struct printer *p, struct column *c, const char *before, const char *text,
			unsigned width)
{
	struct out *o = out_part(&p->scratch);
	size_t n = strlen(text);

	if (!o)
		return;
	if (p->s->c.colour)
		out_puts(o, before);
	out_escaped(o, text, n, "");
	if (n < width)
		out_fill(o, ' ', width - n);
	if (p->s->c.colour)
		out_puts(o, "\033[m");
	c->n = o->n < sizeof(c->s) ? (uint8_t)o->n : (uint8_t)sizeof(c->s);
	memcpy(c->s, o->buf, c->n);
	c->made = true;
}

static const struct column *new_kind_column(struct printer *p, const struct event *ev)
{
	static const struct column none;
	struct machine_columns *m = &p->machines[ev->machine];

	if (!m->kinds) {
		m->n_kinds = source_facts(p->s->in->machines.v[ev->machine].source)->n_kinds;
		m->kinds = calloc(m->n_kinds + 1, sizeof(*m->kinds));
		m->n_kinds = m->kinds ? m->n_kinds : 0;
	}
	if (ev->kind->index >= m->n_kinds)
		return &none;
	make_column(p, &m->kinds[ev->kind->index], "\033[1m", ev->kind->name, KIND_WIDTH);
	return &m->kinds[ev->kind->index];
}

static inline const struct column *kind_column(struct printer *p, const struct event *ev)
{
	const struct machine_columns *m = &p->machines[ev->machine];

	if (ev->kind->index < m->n_kinds && m->kinds[ev->kind->index].made)
		return &m->kinds[ev->kind->index];
	return new_kind_column(p, ev);
}

static inline char *put_column(char *to, const struct column *c)
{
	memcpy(to, c->s, 32);
	if (c->n > 32)
		memcpy(to + 32, c->s + 32, sizeof(c->s) - 32);
	return to + c->n;
}

static void put_cpu(struct out *o, unsigned cpu)
{
	out_puts(o, " [");
	if (cpu == SOURCE_NO_CPU)
		out_puts(o, "  -");
	else
		out_u64_pad(o, cpu, 3, '0');
	out_puts(o, "] ");
}

/* TASK-PID; a task is unknown when the file has no name for the pid. */
static void put_task(struct out *o, const char *comm, int pid)
{
	char digits[16], *end = digits + sizeof(digits), *from = end;
	size_t n_comm, n_pid;

	comm = comm ?: pid < 0 ? "-" : "<...>";
	n_comm = strnlen(comm, COMM_MAX);
	if (pid >= 0) { /* below 0: a text log that tells no pid */
		from = text_digits(end, (unsigned)pid);
		*--from = '-';
	}
	n_pid = (size_t)(end - from);
	if (n_comm + n_pid < TASK_WIDTH)
		out_fill(o, ' ', TASK_WIDTH - n_comm - n_pid);
	out_escaped(o, comm, n_comm, "");
	out_put(o, from, n_pid);
	out_puts(o, "  ");
}

static void put_place(const struct printer *p, struct out *o, const struct event *ev)
{
	const struct column *c = &p->machines[ev->machine].name;

	out_put(o, c->s, c->n);
	put_cpu(o, ev->cpu);
}

static void make_head(struct printer *p, const struct event *ev, int pid, struct head *h)
{
	struct out *o = out_part(&p->scratch);

	if (!o)
		return;
	put_place(p, o, ev);
	put_task(o, ev->comm, pid);
	h->machine = ev->machine;
	h->cpu = ev->cpu;
	h->n = (uint16_t)o->n;
	h->pid = pid;
	h->comm = ev->comm;
	memcpy(h->s, o->buf, o->n);
}

static inline const struct head *head_of(struct printer *p, const struct event *ev)
{
	struct head *h = &p->heads[ev->lane];
	int pid = source_record_pid(ev->kind, ev->data);

	if (h->pid != pid || h->comm != ev->comm || h->cpu != ev->cpu ||
	    h->machine != ev->machine || !h->n)
		make_head(p, ev, pid, h);
	return h;
}

static inline char *put_head(char *to, const struct head *h)
{
	memcpy(to, h->s, HEAD_COPIED);
	if (h->n > HEAD_COPIED)
		memcpy(to + HEAD_COPIED, h->s + HEAD_COPIED, h->n - HEAD_COPIED);
	return to + h->n;
}

/* Time and a mark: '~' the tick is a bound or an interval, '?' the machine's clock is not the host's. */
static inline char *put_time(struct printer *p, char *to, const struct event *ev)
{
	const struct input_machine *m = &p->s->in->machines.v[ev->machine];

	to = clock_view_write(p->s->clock, &p->clock, to, ev->ticks);
	*to++ = !m->aligned ? '?' : ev->width || ev->err_ticks || ev->doubtful ? '~' : ' ';
	*to++ = ' ';
	return to;
}

static void put_lost(struct printer *p, const struct event *ev)
{
	struct out *o = p->out;

	out_wrote(o, put_time(p, out_room(o, LINE_ROOM), ev));
	put_place(p, o, ev);
	colour(p, "\033[31m");
	if (ev->lost == UINT64_MAX)
		out_puts(o, "-- events are LOST here, how many is not known; until ");
	else {
		out_puts(o, "-- ");
		out_u64(o, ev->lost);
		out_puts(o, " events are LOST here; until ");
	}
	if (ev->end_ticks == UINT64_MAX) {
		out_puts(o, "the end");
	} else {
		out_char(o, '+');
		clock_view_put_span(p->s->clock, o, ev->end_ticks - ev->ticks);
	}
	colour(p, "\033[m");
	out_char(o, '\n');
}

static inline bool may_be_qemus(const struct printer *p, const struct event *ev)
{
	return !ev->machine && p->s->in->qemu_marks && !p->s->c.raw;
}

/* QEMU's own trace events, under their names. */
static bool put_qemus(struct printer *p, const struct event *ev)
{
	struct qemuline line;
	char name[KIND_WIDTH + 1 + 128];

	if (!qemuline_get(ev, &p->line, &line))
		return false;
	snprintf(name, sizeof(name), "qemu:%.*s", (int)(line.name_n < 128 ? line.name_n : 128),
		 line.name);
	colour(p, "\033[1m");
	out_escaped(p->out, name, strlen(name), "");
	if (strlen(name) < KIND_WIDTH)
		out_fill(p->out, ' ', KIND_WIDTH - strlen(name));
	colour(p, "\033[m");
	out_char(p->out, ' ');
	out_escaped(p->out, line.text, line.text_n, INDENT);
	return true;
}

/* Where nothing simpler will do. */
static char *put_text_slow(struct printer *p, char *to, const struct event *ev)
{
	const char *text;
	size_t n;

	out_wrote(p->out, to);
	text = p->s->c.raw ? eventtext_raw(p->texts, ev, &n) : eventtext_get(p->texts, ev, &n);
	out_escaped(p->out, text, n, INDENT);
	return out_room(p->out, LINE_ROOM);
}

/* The text is there, but not all of it is fit to be shown. */
static char *escape(struct printer *p, char *text, const char *end)
{
	p->line.n = 0;
	strbuf_add(&p->line, text, (size_t)(end - text));
	out_wrote(p->out, text);
	if (p->line.failed)
		p->out->err = -ENOMEM;
	else
		out_escaped(p->out, p->line.s, p->line.n, INDENT);
	return out_room(p->out, LINE_ROOM);
}

/* The name of the event, and its text. */
static inline char *put_text(struct printer *p, char *to, const struct event *ev)
{
	bool plain;
	char *end;

	to = put_column(to, kind_column(p, ev));
	*to++ = ' ';
	if (p->s->c.raw)
		return put_text_slow(p, to, ev);
	end = eventtext_write(p->texts, ev, to, p->out->buf + OUT_BYTES - FMT_ROOM, &plain);
	if (!end)
		return put_text_slow(p, to, ev);
	return plain || out_is_plain(to, end) ? end : escape(p, to, end);
}

static void put_bounds(const struct printer *p, const struct event *ev)
{
	struct out *o = p->out;

	if (ev->width) {
		out_puts(o, " {within +");
		clock_view_put_span(p->s->clock, o, ev->width);
		out_char(o, '}');
	}
	if (ev->err_ticks) {
		out_puts(o, " {±");
		clock_view_put_span(p->s->clock, o, ev->err_ticks);
		out_char(o, '}');
	}
}

/* There is room for LINE_ROOM bytes at to. */
static inline char *put_event(struct printer *p, char *to, const struct event *ev)
{
	struct out *o = p->out;

	to = put_head(put_time(p, to, ev), head_of(p, ev));
	if (may_be_qemus(p, ev)) {
		out_wrote(o, to);
		if (put_qemus(p, ev))
			to = out_room(o, LINE_ROOM);
		else
			to = put_text(p, to, ev);
	} else {
		to = put_text(p, to, ev);
	}
	if (ev->width || ev->err_ticks) {
		out_wrote(o, to);
		put_bounds(p, ev);
		to = out_room(o, LINE_ROOM);
	}
	*to++ = '\n';
	return to;
}

static void text_worker_free(void *worker)
{
	struct printer *p = worker;

	for (size_t i = 0; p->machines && i < p->s->in->machines.n; i++)
		free(p->machines[i].kinds);
	free(p->machines);
	free(p->heads);
	out_part_free(p->scratch);
	if (p->texts) {
		pthread_mutex_lock(&p->s->lock);
		eventtext_count(p->texts, &p->s->counts);
		pthread_mutex_unlock(&p->s->lock);
	}
	eventtext_free(p->texts);
	strbuf_free(&p->line);
	free(p);
}

static void name_machines(struct printer *p)
{
	static const char *const colours[] = {"\033[36m", "\033[32m", "\033[33m", "\033[35m"};

	for (size_t i = 0; i < p->s->in->machines.n; i++)
		make_column(p, &p->machines[i].name, colours[i % ARRAY_SIZE(colours)],
			    p->s->in->machines.v[i].name, p->s->name_width);
}

static int text_worker_new(void *state, void **ret)
{
	struct sink_text *s = state;
	struct printer *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return log_err_r(-ENOMEM, "cannot print: %m");
	p->s = s;
	p->machines = calloc(s->in->machines.n + 1, sizeof(*p->machines));
	p->heads = calloc(s->n_lanes + 1, sizeof(*p->heads));
	r = p->machines && p->heads ? eventtext_new(s->in, &p->texts)
				    : log_err_r(-ENOMEM, "cannot print: %m");
	if (r) {
		text_worker_free(p);
		return r;
	}
	name_machines(p);
	*ret = p;
	return 0;
}

static int text_work(void *worker, const struct event *ev, size_t n, void **part)
{
	struct printer *p = worker;

	p->out = out_part(part);
	if (!p->out)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (ev[i].type == EVENT_LOST)
			put_lost(p, &ev[i]);
		else
			out_wrote(p->out, put_event(p, out_room(p->out, LINE_ROOM), &ev[i]));
	}
	return p->out->err;
}

static int text_emit(void *state, void *part)
{
	struct sink_text *s = state;

	return out_part_put(s->c.out, part);
}

static int text_end(void *state)
{
	struct sink_text *s = state;

	return out_flush(s->c.out);
}

const struct consumer sink_text_consumer = {
	.name = "text",
	.wants_tasks = true,
	.begin = text_begin,
	.worker_new = text_worker_new,
	.worker_free = text_worker_free,
	.work = text_work,
	.emit = text_emit,
	.part_free = out_part_free,
	.end = text_end,
};
