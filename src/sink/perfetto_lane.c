// SPDX-License-Identifier: GPL-2.0-or-later
/* FtraceEventBundles: events one by one, switches and wake-ups of tasks in columns. */
#include "sink/perfetto_lane.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"

#define LANE_BYTES (32u << 10) /* of a bundle */
#define HEX_MAX	   64u	       /* bytes shown of fields that are no number and no text */

static void put_words(struct pb *b, const struct perfetto_field *f, const struct event *ev)
{
	const uint8_t *p;
	size_t n;

	p = source_field_bytes(f->f, ev->data, ev->size, &n);
	for (size_t i = 0; p && i + 8 <= n; i += 8) {
		uint64_t v;

		memcpy(&v, p + i, 8);
		pb_u64(b, f->number, v);
	}
}

static void put_bytes(struct pb *b, const struct perfetto_field *f, const struct event *ev)
{
	char hex[2 * HEX_MAX];
	const uint8_t *p;
	size_t n;

	p = source_field_bytes(f->f, ev->data, ev->size, &n);
	if (!p)
		return;
	if (f->put == PUT_TEXT) {
		if (n && ((const char *)p)[n - 1] == '\n') /* of trace_marker */
			n--;
		pb_text(b, f->number, (const char *)p, n);
		return;
	}
	n = n > HEX_MAX ? HEX_MAX : n;
	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = "0123456789abcdef"[p[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
	}
	pb_bytes(b, f->number, hex, 2 * n);
}

static void put_fields(struct pb *b, const struct perfetto_kind *k, const struct event *ev)
{
	size_t mark = pb_begin(b, k->number);

	for (unsigned i = 0; i < k->n_fields; i++) {
		const struct perfetto_field *f = &k->fields[i];

		if (f->put == PUT_NUMBER)
			pb_u64(b, f->number, source_field_u64(f->f, ev->data));
		else if (f->put == PUT_WORDS)
			put_words(b, f, ev);
		else
			put_bytes(b, f, ev);
	}
	pb_end(b, mark);
}

/* FtraceEvent */
static void put_event(struct pb *b, const struct perfetto_kind *k, const struct event *ev,
		      uint64_t ns)
{
	int pid = source_record_pid(ev->kind, ev->data);
	size_t mark = pb_begin(b, 2);

	pb_u64(b, 1, ns);
	pb_u64(b, 2, pid < 0 ? 0 : (uint64_t)pid);
	if (k->role == ROLE_WAKING && k->flags)
		pb_u64(b, 5, source_field_u64(k->flags, ev->data));
	put_fields(b, k, ev);
	pb_end(b, mark);
}

static uint64_t number(const struct perfetto_kind *k, unsigned column, const struct event *ev)
{
	return source_field_u64(k->sched[column], ev->data);
}

/* Index of the name in the bundle's table, or PERFETTO_COMMS when that is full. */
static unsigned intern(struct perfetto_sched *c, const struct source_field *f,
		       const struct event *ev)
{
	struct perfetto_comm name = {0};
	const char *p;
	size_t n;

	p = source_field_bytes(f, ev->data, ev->size, &n);
	if (p)
		memcpy(name.s, p, n < sizeof(name.s) ? n : sizeof(name.s));
	for (unsigned i = 0; i < c->n_comms; i++)
		if (!memcmp(c->comms[i].s, name.s, sizeof(name.s)))
			return i;
	if (c->n_comms == PERFETTO_COMMS)
		return PERFETTO_COMMS;
	c->comms[c->n_comms] = name;
	return c->n_comms++;
}

static bool has_sched(const struct perfetto_lane *l)
{
	return l->sched && (l->sched->ticks.n || l->sched->waking_ticks.n);
}

static void put_switch(struct perfetto_sched *c, const struct perfetto_kind *k,
		       const struct event *ev, uint64_t ns, unsigned comm)
{
	pb_varint(&c->ticks, ns - c->last_switch_ns);
	c->last_switch_ns = ns;
	pb_varint(&c->prev_state, number(k, 2, ev));
	pb_varint(&c->next_pid, number(k, 4, ev));
	pb_varint(&c->next_prio, number(k, 5, ev));
	pb_varint(&c->next_comm, comm);
}

static void put_waking(struct perfetto_sched *c, const struct perfetto_kind *k,
		       const struct event *ev, uint64_t ns, unsigned comm)
{
	pb_varint(&c->waking_ticks, ns - c->last_waking_ns);
	c->last_waking_ns = ns;
	pb_varint(&c->waking_pid, number(k, 1, ev));
	pb_varint(&c->waking_prio, number(k, 2, ev));
	pb_varint(&c->target_cpu, number(k, 3, ev));
	pb_varint(&c->waking_comm, comm);
	pb_varint(&c->waking_flags, k->flags ? source_field_u64(k->flags, ev->data) : 0);
}

/* In columns the reader takes who ran from the switch before; a switch it cannot do that for is written
 * whole. Likewise a wake-up's waker. */
static int add_sched(struct sink_perfetto *s, struct perfetto_lane *l,
		     const struct perfetto_kind *k, const struct event *ev, uint64_t ns)
{
	bool is_switch = k->role == ROLE_SWITCH;
	int from = is_switch ? (int)number(k, 0, ev) : source_record_pid(ev->kind, ev->data);
	bool whole = !l->running_known || l->running != from;
	unsigned comm = 0;

	if (!whole && !l->sched) {
		l->sched = calloc(1, sizeof(*l->sched));
		if (!l->sched)
			return log_err_r(-ENOMEM, "cannot export: %m");
	}
	if (!whole) {
		comm = intern(l->sched, k->sched[is_switch ? 3 : 0], ev);
		if (comm == PERFETTO_COMMS) {
			int r = perfetto_lane_flush(s, l);

			if (r)
				return r;
			comm = intern(l->sched, k->sched[is_switch ? 3 : 0], ev);
		}
	}
	if (whole)
		put_event(&l->events, k, ev, ns);
	else if (is_switch)
		put_switch(l->sched, k, ev, ns, comm);
	else
		put_waking(l->sched, k, ev, ns, comm);
	if (is_switch) {
		l->running_known = true;
		l->running = (int)number(k, 4, ev);
	}
	return 0;
}

static size_t lane_bytes(const struct perfetto_lane *l)
{
	const struct perfetto_sched *c = l->sched;

	return l->events.n + (c ? 4 * (c->ticks.n + c->waking_ticks.n) : 0);
}

int perfetto_lane_add(struct sink_perfetto *s, struct perfetto_lane *l,
		      const struct perfetto_kind *k, const struct event *ev)
{
	uint64_t ns = perfetto_ns(s, ev->ticks);
	int r = 0;

	if (k->role == ROLE_PLAIN)
		put_event(&l->events, k, ev, ns);
	else
		r = add_sched(s, l, k, ev, ns);
	return !r && lane_bytes(l) > LANE_BYTES ? perfetto_lane_flush(s, l) : r;
}

int perfetto_lane_lost(struct sink_perfetto *s, struct perfetto_lane *l)
{
	int r = perfetto_lane_flush(s, l);

	l->lost = true;
	l->running_known = false;
	return r;
}

static void take_column(struct pb *to, uint32_t field, struct pb *column)
{
	if (column->n)
		pb_message(to, field, column);
	column->n = 0;
}

/* FtraceEventBundle.CompactSched */
static void take_sched(struct pb *b, struct perfetto_sched *c)
{
	size_t mark = pb_begin(b, 4);

	for (unsigned i = 0; i < c->n_comms; i++)
		pb_text(b, 5, c->comms[i].s, strnlen(c->comms[i].s, sizeof(c->comms[i].s)));
	take_column(b, 1, &c->ticks);
	take_column(b, 2, &c->prev_state);
	take_column(b, 3, &c->next_pid);
	take_column(b, 4, &c->next_prio);
	take_column(b, 6, &c->next_comm);
	take_column(b, 7, &c->waking_ticks);
	take_column(b, 8, &c->waking_pid);
	take_column(b, 9, &c->target_cpu);
	take_column(b, 10, &c->waking_prio);
	take_column(b, 11, &c->waking_comm);
	take_column(b, 12, &c->waking_flags);
	pb_end(b, mark);
	c->n_comms = 0;
	c->last_switch_ns = c->last_waking_ns = 0;
}

int perfetto_lane_flush(struct sink_perfetto *s, struct perfetto_lane *l)
{
	struct pb *p;
	size_t mark;

	if (!l->events.n && !has_sched(l))
		return 0;
	p = perfetto_packet(s, l->machine);
	mark = pb_begin(p, PACKET_FTRACE_EVENTS);
	pb_u64(p, 1, l->cpu);
	if (l->lost)
		pb_u64(p, 3, 1);
	pb_raw(p, l->events.p, l->events.n);
	p->failed |= l->events.failed;
	l->events.n = 0;
	if (has_sched(l))
		take_sched(p, l->sched);
	pb_end(p, mark);
	l->lost = false;
	return perfetto_packet_end(s);
}

void perfetto_lane_free(struct perfetto_lane *l)
{
	struct perfetto_sched *c = l->sched;

	pb_free(&l->events);
	if (!c)
		return;
	pb_free(&c->ticks);
	pb_free(&c->prev_state);
	pb_free(&c->next_pid);
	pb_free(&c->next_prio);
	pb_free(&c->next_comm);
	pb_free(&c->waking_ticks);
	pb_free(&c->waking_pid);
	pb_free(&c->target_cpu);
	pb_free(&c->waking_prio);
	pb_free(&c->waking_comm);
	pb_free(&c->waking_flags);
	free(c);
}
