// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/html.h"

#include <errno.h>

#include "base/log.h"
#include "sink/html_parts.h"

struct sink_html {
	struct sink_html_config c;
	const struct input *in;
	const struct timeline *t;
	struct block *block;
	struct html_events events;
	struct html_tasks tasks;
	struct html_vcpus vcpus;
};

int sink_html_new(const struct input *in, const struct sink_html_config *c, struct sink_html **ret)
{
	struct sink_html *s;
	int r;

	if (!html_head_bytes)
		return log_err_r(-EOPNOTSUPP,
				 "this onetsc was built without its page: install node-typescript "
				 "and esbuild, then build it again");
	s = calloc(1, sizeof(*s));
	if (!s)
		return log_err_r(-ENOMEM, "cannot write the page: %m");
	s->c = *c;
	s->c.max_events = c->max_events ?: HTML_EVENTS_MAX;
	s->in = in;
	r = block_new(c->out, &s->block);
	if (r)
		log_errno(r, "cannot write the page: %m");
	else
		r = html_vcpus_init(&s->vcpus, in, s->block);
	if (r)
		sink_html_free(s);
	else
		*ret = s;
	return r;
}

void sink_html_free(struct sink_html *s)
{
	if (!s)
		return;
	html_vcpus_free(&s->vcpus);
	html_tasks_free(&s->tasks);
	html_events_free(&s->events);
	block_free(s->block);
	free(s);
}

/* 0 or an error that this says. */
static int say(int r)
{
	return r ? log_err_r(r, "cannot write the page: %m") : 0;
}

static int html_begin(void *state, const struct timeline *t)
{
	struct sink_html *s = state;
	size_t n_lanes;
	int r;

	timeline_lanes(t, &n_lanes);
	s->t = t;
	s->events.base = s->vcpus.base = timeline_first_ticks(t);
	r = html_events_init(&s->events, s->in, s->block, n_lanes);
	if (!r)
		r = html_tasks_init(&s->tasks, t, s->block);
	if (r)
		return say(r);
	out_put(s->c.out, html_head, html_head_bytes);
	return exits_consumer.begin ? exits_consumer.begin(s->vcpus.exits, t) : 0;
}

static int add(struct sink_html *s, const struct event *ev)
{
	int r;

	if (ev->type != EVENT_LOST) {
		if (s->events.total >= s->c.max_events)
			return log_err_r(-EFBIG,
					 "\"%s\" holds more than the %llu events that a page can "
					 "show; export a part of it with --from and --to",
					 s->in->title, (unsigned long long)s->c.max_events);
		r = html_events_add(&s->events, ev);
		if (r)
			return say(r);
	}
	return say(html_tasks_add(&s->tasks, ev));
}

static int html_batch(void *state, const struct event *ev, size_t n)
{
	struct sink_html *s = state;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = add(s, &ev[i]);
	if (!r)
		r = exits_consumer.batch(s->vcpus.exits, ev, n);
	return r ? r : s->c.out->err;
}

static int html_end(void *state)
{
	struct sink_html *s = state;
	int r = exits_consumer.end ? exits_consumer.end(s->vcpus.exits) : 0;

	if (r)
		return r;
	r = html_events_flush(&s->events);
	if (!r)
		r = html_tasks_finish(&s->tasks);
	if (!r)
		r = html_vcpus_flush(&s->vcpus);
	if (!r)
		r = html_meta_put(s->t, s->block, &s->events, &s->tasks, &s->vcpus);
	if (r)
		return say(r);
	out_put(s->c.out, html_tail, html_tail_bytes);
	return out_flush(s->c.out);
}

const struct consumer sink_html_consumer = {
	.name = "html",
	.wants_tasks = true,
	.begin = html_begin,
	.batch = html_batch,
	.end = html_end,
};
