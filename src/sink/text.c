// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/sink.h"

#include <errno.h>

#include "base/log.h"
#include "sink/eventtext.h"

#define INDENT	    "    | " /* continuation lines of a text with newlines */
#define NAME_NARROW 4
#define NAME_WIDE   16
#define TASK_WIDTH  23 /* TASK-PID, right-aligned as trace-cmd has it */
#define KIND_WIDTH  22

struct sink_text {
	struct sink_text_config c;
	const struct input *in;
	struct eventtext *texts;
	struct clock_view *clock;
	unsigned name_width;
};

int sink_text_new(const struct input *in, const struct sink_text_config *c, struct sink_text **ret)
{
	struct sink_text *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return log_err_r(-ENOMEM, "cannot print: %m");
	s->c = *c;
	s->in = in;
	s->name_width = NAME_NARROW;
	array_for_each(m, &in->machines) {
		unsigned n = (unsigned)strlen(m->name);

		n = n > NAME_WIDE ? NAME_WIDE : n;
		s->name_width = n > s->name_width ? n : s->name_width;
	}
	r = eventtext_new(in, &s->texts);
	if (r)
		sink_text_free(s);
	else
		*ret = s;
	return r;
}

void sink_text_free(struct sink_text *s)
{
	if (!s)
		return;
	eventtext_free(s->texts);
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

static void colour(struct sink_text *s, const char *code)
{
	if (s->c.colour)
		out_puts(s->c.out, code);
}

static void put_padded(struct out *o, const char *text, unsigned width)
{
	size_t n = strlen(text);

	out_escaped(o, text, n, "");
	if (n < width)
		out_fill(o, ' ', width - n);
}

/* TASK-PID; a task is unknown when the file has no name for the pid. */
static void put_task(struct sink_text *s, const struct event *ev)
{
	struct out *o = s->c.out;
	int pid = source_record_pid(ev->kind, ev->data);
	const char *comm = source_comm(s->in->machines.v[ev->machine].source, pid);
	char digits[16];
	size_t n;

	comm = comm ?: pid < 0 ? "-" : "<...>";
	n = strlen(comm);
	digits[0] = 0; /* below 0: a text log that tells no pid */
	if (pid >= 0)
		n += (size_t)snprintf(digits, sizeof(digits), "-%d", pid);
	if (n < TASK_WIDTH)
		out_fill(o, ' ', TASK_WIDTH - n);
	out_escaped(o, comm, strlen(comm), "");
	out_puts(o, digits);
}

/* Time, a mark, machine, CPU. The mark: '~' the tick is a bound or an interval, '?' the machine's
 * clock is not the host's. */
static void put_where(struct sink_text *s, const struct event *ev)
{
	static const char *const colours[] = {"\033[36m", "\033[32m", "\033[33m", "\033[35m"};
	const struct input_machine *m = &s->in->machines.v[ev->machine];
	struct out *o = s->c.out;

	clock_view_put(s->clock, o, ev->ticks);
	out_char(o, !m->aligned ? '?' : ev->width || ev->err_ticks || ev->doubtful ? '~' : ' ');
	out_char(o, ' ');
	colour(s, colours[ev->machine % ARRAY_SIZE(colours)]);
	put_padded(o, m->name, s->name_width);
	colour(s, "\033[m");
	out_puts(o, " [");
	if (ev->cpu == SOURCE_NO_CPU)
		out_puts(o, "  -");
	else
		out_u64_pad(o, ev->cpu, 3, '0');
	out_puts(o, "] ");
}

static void put_lost(struct sink_text *s, const struct event *ev)
{
	struct out *o = s->c.out;

	put_where(s, ev);
	colour(s, "\033[31m");
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
		clock_view_put_span(s->clock, o, ev->end_ticks - ev->ticks);
	}
	colour(s, "\033[m");
	out_char(o, '\n');
}

static void put_event(struct sink_text *s, const struct event *ev)
{
	struct out *o = s->c.out;
	const char *text;
	size_t n;

	put_where(s, ev);
	put_task(s, ev);
	out_puts(o, "  ");
	colour(s, "\033[1m");
	put_padded(o, ev->kind->name, KIND_WIDTH);
	colour(s, "\033[m");
	out_char(o, ' ');
	text = s->c.raw ? eventtext_raw(s->texts, ev, &n) : eventtext_get(s->texts, ev, &n);
	out_escaped(o, text, n, INDENT);
	if (ev->width) {
		out_puts(o, " {within +");
		clock_view_put_span(s->clock, o, ev->width);
		out_char(o, '}');
	}
	if (ev->err_ticks) {
		out_puts(o, " {±");
		clock_view_put_span(s->clock, o, ev->err_ticks);
		out_char(o, '}');
	}
	out_char(o, '\n');
}

static int text_batch(void *state, const struct event *ev, size_t n)
{
	struct sink_text *s = state;

	for (size_t i = 0; i < n; i++) {
		if (ev[i].type == EVENT_LOST)
			put_lost(s, &ev[i]);
		else
			put_event(s, &ev[i]);
	}
	return s->c.out->err;
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
	.batch = text_batch,
	.end = text_end,
};
