// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/sink.h"

#include <errno.h>
#include <pthread.h>

#include "base/log.h"
#include "sink/eventtext.h"
#include "sink/qemuline.h"

#define INDENT	    "    | " /* continuation lines of a text with newlines */
#define NAME_NARROW 4
#define NAME_WIDE   16
#define TASK_WIDTH  23 /* TASK-PID, right-aligned as trace-cmd has it */
#define KIND_WIDTH  22

struct sink_text {
	struct sink_text_config c;
	const struct input *in;
	struct clock_view *clock;
	unsigned name_width;
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

struct printer { /* of a thread */
	struct sink_text *s;
	struct machine_columns *machines;
	struct eventtext *texts;
	struct strbuf line; /* of QEMU's */
	struct out *out;
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
	return clock_view_new(t, s->c.clock, &s->clock);
}

static void colour(const struct printer *p, const char *code)
{
	if (p->s->c.colour)
		out_puts(p->out, code);
}

/* A column that is the same for all events of a machine, or kind. */
static const struct column *make_column(const struct printer *p, struct column *c,
					const char *before, const char *text, unsigned width)
{
	_cleanup_free_ struct out *o = NULL;
	void *part = NULL;
	size_t n = strlen(text);

	if (c->made)
		return c;
	o = out_part(&part);
	if (!o)
		return c;
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
	return c;
}

static const struct column *kind_column(const struct printer *p, const struct event *ev)
{
	static const struct column none;
	struct machine_columns *m = &p->machines[ev->machine];

	if (!m->kinds) {
		m->n_kinds = source_facts(p->s->in->machines.v[ev->machine].source)->n_kinds;
		m->kinds = calloc(m->n_kinds + 1, sizeof(*m->kinds));
	}
	if (!m->kinds || ev->kind->index >= m->n_kinds)
		return &none;
	return make_column(p, &m->kinds[ev->kind->index], "\033[1m", ev->kind->name, KIND_WIDTH);
}

static char *put_column(char *to, const struct column *c)
{
	memcpy(to, c->s, sizeof(c->s));
	return to + c->n;
}

static char *put_cpu(char *to, unsigned cpu)
{
	char buf[TEXT_DIGITS], *end = buf + sizeof(buf), *from;

	*to++ = ' ';
	*to++ = '[';
	if (cpu == SOURCE_NO_CPU) {
		memcpy(to, "  -", 3);
		to += 3;
	} else if (cpu < 1000) {
		text_digits_fixed(to + 3, cpu, 3);
		to += 3;
	} else {
		from = text_digits(end, cpu);
		memcpy(to, from, (size_t)(end - from));
		to += end - from;
	}
	*to++ = ']';
	*to++ = ' ';
	return to;
}

/* TASK-PID; a task is unknown when the file has no name for the pid. */
static void put_task(struct out *o, const struct event *ev)
{
	int pid = source_record_pid(ev->kind, ev->data);
	const char *comm = ev->comm ?: pid < 0 ? "-" : "<...>";
	char digits[16], *end = digits + sizeof(digits), *from = end, *to;
	size_t n_comm = strlen(comm), n_pid;

	if (pid >= 0) { /* below 0: a text log that tells no pid */
		from = text_digits(end, (unsigned)pid);
		*--from = '-';
	}
	n_pid = (size_t)(end - from);
	to = out_room(o, 2 * TASK_WIDTH);
	if (n_comm + n_pid < TASK_WIDTH) {
		memset(to, ' ', TASK_WIDTH);
		to += TASK_WIDTH - n_comm - n_pid;
	}
	out_wrote(o, to);
	out_escaped(o, comm, n_comm, "");
	to = out_room(o, sizeof(digits) + 2);
	memcpy(to, from, n_pid);
	to += n_pid;
	*to++ = ' ';
	*to++ = ' ';
	out_wrote(o, to);
}

/* Time, a mark, machine, CPU. The mark: '~' the tick is a bound or an interval, '?' the machine's
 * clock is not the host's. */
static void put_where(const struct printer *p, const struct event *ev)
{
	static const char *const colours[] = {"\033[36m", "\033[32m", "\033[33m", "\033[35m"};
	const struct input_machine *m = &p->s->in->machines.v[ev->machine];
	char *to = out_room(p->out, CLOCK_VIEW_BYTES + sizeof(struct column) + 32);

	to = clock_view_write(p->s->clock, to, ev->ticks);
	*to++ = !m->aligned ? '?' : ev->width || ev->err_ticks || ev->doubtful ? '~' : ' ';
	*to++ = ' ';
	to = put_column(to, make_column(p, &p->machines[ev->machine].name,
					colours[ev->machine % ARRAY_SIZE(colours)], m->name,
					p->s->name_width));
	out_wrote(p->out, put_cpu(to, ev->cpu));
}

static void put_lost(const struct printer *p, const struct event *ev)
{
	struct out *o = p->out;

	put_where(p, ev);
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

/* QEMU's own trace events, under their names. */
static bool put_qemus(struct printer *p, const struct event *ev)
{
	struct qemuline line;
	char name[KIND_WIDTH + 1 + 128];

	if (ev->machine || !p->s->in->qemu_marks || p->s->c.raw ||
	    !qemuline_get(ev, &p->line, &line))
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

static void put_event(struct printer *p, const struct event *ev)
{
	struct out *o = p->out;
	const char *text;
	size_t n;
	char *to;

	put_where(p, ev);
	put_task(o, ev);
	if (!put_qemus(p, ev)) {
		to = out_room(o, sizeof(struct column) + 1);
		to = put_column(to, kind_column(p, ev));
		*to++ = ' ';
		out_wrote(o, to);
		text = p->s->c.raw ? eventtext_raw(p->texts, ev, &n)
				   : eventtext_get(p->texts, ev, &n);
		out_escaped(o, text, n, INDENT);
	}
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
	out_char(o, '\n');
}

static void text_worker_free(void *worker)
{
	struct printer *p = worker;

	for (size_t i = 0; p->machines && i < p->s->in->machines.n; i++)
		free(p->machines[i].kinds);
	free(p->machines);
	if (p->texts) {
		pthread_mutex_lock(&p->s->lock);
		eventtext_count(p->texts, &p->s->counts);
		pthread_mutex_unlock(&p->s->lock);
	}
	eventtext_free(p->texts);
	strbuf_free(&p->line);
	free(p);
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
	r = p->machines ? eventtext_new(s->in, &p->texts) : log_err_r(-ENOMEM, "cannot print: %m");
	if (r)
		text_worker_free(p);
	else
		*ret = p;
	return r;
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
			put_event(p, &ev[i]);
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
