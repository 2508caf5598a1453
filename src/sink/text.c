// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/sink.h"

#include <errno.h>

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
	struct strbuf *places; /* by machine: what stands before the CPU */
};

struct printer { /* of a thread */
	const struct sink_text *s;
	struct eventtext *texts;
	struct strbuf line; /* of QEMU's */
	struct out *out;
};

static void put_padded(struct out *o, const char *text, size_t n, unsigned width)
{
	out_escaped(o, text, n, "");
	if (n < width)
		out_fill(o, ' ', width - n);
}

static unsigned name_width(const struct input *in)
{
	unsigned width = NAME_NARROW;

	array_for_each(m, &in->machines) {
		unsigned n = (unsigned)strlen(m->name);

		n = n > NAME_WIDE ? NAME_WIDE : n;
		width = n > width ? n : width;
	}
	return width;
}

/* A machine's name and colour, up to its CPU. */
static int make_place(struct sink_text *s, size_t machine)
{
	static const char *const colours[] = {"\033[36m", "\033[32m", "\033[33m", "\033[35m"};
	const char *name = s->in->machines.v[machine].name;
	void *part = NULL;
	struct out *o = out_part(&part);
	int r = -ENOMEM;

	if (!o)
		return r;
	if (s->c.colour)
		out_puts(o, colours[machine % ARRAY_SIZE(colours)]);
	put_padded(o, name, strlen(name), name_width(s->in));
	if (s->c.colour)
		out_puts(o, "\033[m");
	out_puts(o, " [");
	if (!out_flush(o)) {
		s->places[machine] = o->full;
		o->full = (struct strbuf){0};
		r = 0;
	}
	out_part_free(part);
	return r;
}

int sink_text_new(const struct input *in, const struct sink_text_config *c, struct sink_text **ret)
{
	struct sink_text *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (s) {
		s->c = *c;
		s->in = in;
		s->places = calloc(in->machines.n + 1, sizeof(*s->places));
		r = s->places ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < in->machines.n && !r; i++)
		r = make_place(s, i);
	if (r) {
		sink_text_free(s);
		return log_err_r(r, "cannot print: %m");
	}
	*ret = s;
	return 0;
}

void sink_text_free(struct sink_text *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->in->machines.n && s->places; i++)
		strbuf_free(&s->places[i]);
	free(s->places);
	clock_view_free(s->clock);
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

/* TASK-PID; a task is unknown when the file has no name for the pid. */
static void put_task(const struct printer *p, const struct event *ev)
{
	int pid = source_record_pid(ev->kind, ev->data);
	const char *comm = ev->comm ?: pid < 0 ? "-" : "<...>";
	size_t n_comm = strlen(comm), n = n_comm + (pid < 0 ? 0 : 2);

	if (pid >= 0) /* below 0: a text log that tells no pid */
		for (unsigned v = (unsigned)pid; v >= 10; v /= 10)
			n++;
	if (n < TASK_WIDTH)
		out_fill(p->out, ' ', TASK_WIDTH - n);
	out_escaped(p->out, comm, n_comm, "");
	if (pid < 0)
		return;
	out_char(p->out, '-');
	out_u64(p->out, (uint64_t)pid);
}

/* Time, a mark, machine, CPU. The mark: '~' the tick is a bound or an interval, '?' the machine's
 * clock is not the host's. */
static void put_where(const struct printer *p, const struct event *ev)
{
	const struct input_machine *m = &p->s->in->machines.v[ev->machine];
	const struct strbuf *place = &p->s->places[ev->machine];
	struct out *o = p->out;

	clock_view_put(p->s->clock, o, ev->ticks);
	out_char(o, !m->aligned ? '?' : ev->width || ev->err_ticks || ev->doubtful ? '~' : ' ');
	out_char(o, ' ');
	out_put(o, place->s, place->n);
	if (ev->cpu == SOURCE_NO_CPU)
		out_puts(o, "  -");
	else
		out_u64_pad(o, ev->cpu, 3, '0');
	out_put(o, "] ", 2);
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
	put_padded(p->out, name, strlen(name), KIND_WIDTH);
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

	put_where(p, ev);
	put_task(p, ev);
	out_puts(o, "  ");
	colour(p, "\033[1m");
	if (!put_qemus(p, ev)) {
		put_padded(o, ev->kind->name, strlen(ev->kind->name), KIND_WIDTH);
		colour(p, "\033[m");
		out_char(o, ' ');
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

static int text_worker_new(void *state, void **ret)
{
	struct sink_text *s = state;
	struct printer *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return log_err_r(-ENOMEM, "cannot print: %m");
	p->s = s;
	r = eventtext_new(s->in, &p->texts);
	if (r)
		free(p);
	else
		*ret = p;
	return r;
}

static void text_worker_free(void *worker)
{
	struct printer *p = worker;

	eventtext_free(p->texts);
	strbuf_free(&p->line);
	free(p);
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
