// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/guest_link.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/mono.h"
#include "capture/chan.h"

#define HELLO_MS   5000
#define SETUP_MS   60000 /* of silence: a small emulated guest takes seconds for its formats */
#define STALL_MS   10000
#define END_MS	   10000  /* of silence after STOP */
#define END_ALL_MS 120000 /* after STOP in all: what the buffers held has come long since */
#define IDLE_MS	   1000
#define NOTES_MAX  16
#define PING_START 1
#define PING_END   2

/* State of one conversation. */
struct talk {
	struct guest *g;
	struct guest_slot *s; /* from HELLO on */
	struct chan chan;
	struct wire_cpus *cpus; /* last CPUS, NULL before the first */
	bool started, stopping, done, meta_dirty;
	unsigned notes, silent_ms;
	uint64_t ping_tsc;
	int64_t stop_ms; /* when STOP was sent */
};

static int send_hello(struct talk *t)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct utsname u;

	wire_put_hello(&b, &(struct wire_hello){WIRE_VERSION, wire_text("onetsc " ONETSC_VERSION),
						wire_text(uname(&u) ? "?" : u.nodename),
						wire_text(t->g->cfg.token ?: "")});
	return chan_send(&t->chan, &b);
}

static int send_start(struct talk *t)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	_cleanup_free_ struct wire_start *m = calloc(1, sizeof(*m));
	const struct guest_config *cfg = &t->g->cfg;

	if (!m)
		return -ENOMEM;
	m->flags = WIRE_START_OVERWRITE;
	m->buffer_bytes = cfg->buffer_bytes;
	m->clock = wire_text("x86-tsc");
	for (; m->n < cfg->n_patterns && m->n < WIRE_PATTERNS_MAX; m->n++)
		m->patterns[m->n] = wire_text(cfg->patterns[m->n]);
	for (; m->n_probes < cfg->n_probes && m->n_probes < WIRE_PROBES_MAX; m->n_probes++)
		m->probes[m->n_probes] = wire_text(cfg->probes[m->n_probes]);
	wire_put_start(&b, m);
	return chan_send(&t->chan, &b);
}

/* An agent that is gone takes nothing, but what it sent before is still to be read: sending fails
 * silently, receiving finds the end. */
static void send_ping(struct talk *t, uint32_t arg)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	wire_put(&b, WIRE_PING, arg, NULL, 0);
	t->ping_tsc = clockpair_rdtsc();
	if (chan_send(&t->chan, &b))
		t->ping_tsc = 0;
}

static void send_stop(struct talk *t)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	t->stopping = true;
	t->stop_ms = mono_ms();
	t->chan.cancel_fd = -1;
	send_ping(t, PING_END);
	wire_put(&b, WIRE_STOP, 0, NULL, 0);
	if (chan_send(&t->chan, &b))
		log_debug("%s: could not be told to stop", t->g->name);
}

/* --- what the agent says --- */
static int on_refuse(struct talk *t, const void *body, size_t n)
{
	struct wire_refuse m;
	char why[WIRE_TEXT_MAX];
	int r = wire_get_refuse(body, n, &m);

	if (r)
		return r;
	if (m.code == WIRE_REFUSED_BUSY && !t->started)
		return -EAGAIN;
	guest_give_up(t->g, "the agent refused: %.200s", wire_text_print(m.why, why, sizeof(why)));
	return -EACCES;
}

static int on_hello(struct talk *t, const void *body, size_t n)
{
	struct wire_hello m;
	char tool[80];
	int r = wire_get_hello(body, n, &m);

	if (r)
		return r;
	wire_text_print(m.tool, tool, sizeof(tool));
	if (m.version == WIRE_VERSION) {
		log_debug("%s: %s answers", t->g->name, tool);
		return guest_part_new(t->g, &t->s);
	}
	guest_give_up(t->g,
		      "the agent (%s) speaks protocol %u, this onetsc " ONETSC_VERSION
		      " %u: install the same version on both sides",
		      tool, m.version, WIRE_VERSION);
	return -EPROTONOSUPPORT;
}

static int on_meta(struct talk *t, const void *body, size_t n)
{
	struct wire_meta m;
	char system[128], name[128];
	bool format;
	int r = wire_get_meta(body, n, &m);

	if (!r)
		r = wire_name(m.system, system, sizeof(system));
	if (!r)
		r = wire_name(m.name, name, sizeof(name));
	if (r)
		return r;
	format = m.kind == META_FTRACE || m.kind == META_EVENT;
	if (format && (!*system || !*name))
		return -EBADMSG;
	t->meta_dirty = true;
	return meta_store(&t->s->part.file.meta, m.kind, format ? system : NULL,
			  format ? name : NULL, m.text.s, m.text.n);
}

static int keep_apics(struct talk *t, const struct wire_cpus *m)
{
	struct cpu_apics list = {0};

	for (uint32_t i = 0; i < m->n; i++) {
		struct cpu_apic *a = array_add(&list);

		if (!a) {
			array_free(&list);
			return -ENOMEM;
		}
		*a = (struct cpu_apic){m->v[i].cpu, m->v[i].apic_id};
	}
	guest_part_set_apics(t->g, t->s, &list);
	return 0;
}

/* Comes twice: CPUs may have been plugged meanwhile, but the streams stay. */
static int on_cpus(struct talk *t, const void *body, size_t n)
{
	_cleanup_free_ struct wire_cpus *m = calloc(1, sizeof(*m));
	int r = m ? wire_get_cpus(body, n, m) : -ENOMEM;

	if (r)
		return r;
	if (t->cpus && (m->streams != t->cpus->streams || m->page_bytes != t->cpus->page_bytes))
		return -EBADMSG;
	free(t->cpus);
	t->cpus = TAKE_PTR(m);
	return keep_apics(t, t->cpus);
}

static int on_started(struct talk *t)
{
	struct datfile *f = &t->s->part.file;
	int r;

	if (t->started || !t->cpus)
		return -EPROTO;
	f->cpus = t->cpus->streams;
	f->page_bytes = t->cpus->page_bytes;
	r = guest_part_begin(t->g, t->s);
	if (r)
		return r;
	t->started = true;
	t->meta_dirty = false;
	log_info("%s: the agent %s %zu CPUs", t->g->name,
		 t->g->parts.n > 1 ? "is back and records" : "records", t->s->apics.n);
	send_ping(t, PING_START);
	return 0;
}

static int on_data(struct talk *t, uint32_t cpu, const void *body, size_t n)
{
	const struct datfile *f = &t->s->part.file;

	if (!t->started || cpu >= f->cpus || !n || n % f->page_bytes)
		return -EBADMSG;
	return guest_part_write(t->g, t->s, cpu, body, n);
}

/* Guest TSC minus host TSC was inside [lo, hi]: the guest read its TSC between our two reads. */
static int on_pair(struct talk *t, uint32_t arg, const void *body, size_t n)
{
	uint64_t now = clockpair_rdtsc();
	struct wire_pair m;
	int r = wire_get_pair(body, n, &m);

	if (r || (arg != PING_START && arg != PING_END) || !t->ping_tsc)
		return r;
	pthread_mutex_lock(&t->g->lock);
	t->g->status.delta_lo = (int64_t)(m.tsc - now);
	t->g->status.delta_hi = (int64_t)(m.tsc - t->ping_tsc);
	t->g->status.delta_cpu = m.cpu < t->s->part.file.cpus ? (int)m.cpu : -1;
	t->g->status.has_delta = true;
	pthread_mutex_unlock(&t->g->lock);
	t->ping_tsc = 0;
	return 0;
}

static int on_note(struct talk *t, uint32_t arg, const void *body, size_t n)
{
	struct wire_text m = {body, n < WIRE_TEXT_MAX ? n : WIRE_TEXT_MAX};
	char text[WIRE_TEXT_MAX];

	if (t->notes++ >= NOTES_MAX)
		return 0;
	wire_text_print(m, text, sizeof(text));
	if (arg == WIRE_NOTE_WARNING)
		log_warn("%s: %s", t->g->name, text);
	else
		log_debug("%s: %s", t->g->name, text);
	return 0;
}

static int on_stats(struct talk *t, const void *body, size_t n)
{
	_cleanup_free_ struct wire_stats *m = calloc(1, sizeof(*m));
	struct datfile *f = &t->s->part.file;
	int r = m ? wire_get_stats(body, n, m) : -ENOMEM;

	if (r)
		return r;
	if (!t->started || m->n != f->cpus)
		return -EBADMSG;
	f->events = 0;
	for (uint32_t c = 0; c < m->n; c++) {
		f->stats.v[c].overrun = m->v[c].overrun;
		f->stats.v[c].dropped = m->v[c].dropped;
		f->events += m->v[c].events;
	}
	t->s->part.cpu_time_us = m->cpu_time_us;
	t->s->part.counted = true;
	return 0;
}

static int dispatch(struct talk *t, const struct wire_header *h, const void *body)
{
	switch (h->type) {
	case WIRE_REFUSE:
		return on_refuse(t, body, h->len);
	case WIRE_META:
		return on_meta(t, body, h->len);
	case WIRE_CPUS:
		return on_cpus(t, body, h->len);
	case WIRE_STARTED:
		return on_started(t);
	case WIRE_DATA:
		return on_data(t, h->arg, body, h->len);
	case WIRE_PAIR:
		return on_pair(t, h->arg, body, h->len);
	case WIRE_NOTE:
		return on_note(t, h->arg, body, h->len);
	case WIRE_STATS:
		return on_stats(t, body, h->len);
	case WIRE_BYE:
		t->done = true;
		return 0;
	}
	return -EPROTO;
}

/* --- the course of it --- */
static int greet(struct talk *t)
{
	struct wire_header h;
	const void *body;
	int r = send_hello(t);

	if (!r)
		r = chan_receive(&t->chan, HELLO_MS, &h, &body);
	if (r)
		return r;
	if (h.type == WIRE_REFUSE)
		return on_refuse(t, body, h.len);
	r = h.type == WIRE_HELLO ? on_hello(t, body, h.len) : -EPROTO;
	return r ? r : send_start(t);
}

/* How long the agent may say nothing; while it records, for ever. */
static bool is_silent_too_long(const struct talk *t)
{
	return t->silent_ms >= (t->stopping ? END_MS : t->started ? UINT_MAX : SETUP_MS);
}

/* Nothing came for a while. Symbols and names come in many pieces: the head is rewritten now. */
static int idle(struct talk *t)
{
	t->silent_ms += IDLE_MS;
	if (is_silent_too_long(t))
		return -ETIMEDOUT;
	link_probe(&t->g->cfg.addr, &t->chan.link);
	if (!t->meta_dirty || !t->started || t->stopping)
		return 0;
	t->meta_dirty = false;
	return datfile_update(&t->s->part.file, &t->g->cfg.links);
}

static int converse(struct talk *t)
{
	struct wire_header h;
	const void *body;
	int r;

	while (!t->done) {
		if (!t->stopping && guest_stop_asked(t->g)) {
			if (!t->started)
				return -ECANCELED;
			send_stop(t);
		}
		r = chan_receive(&t->chan, IDLE_MS, &h, &body);
		if (r == -ECANCELED)
			continue; /* guest_stop_asked() sees why */
		if (r == -ETIMEDOUT) {
			r = idle(t);
		} else if (!r) {
			t->silent_ms = 0;
			r = dispatch(t, &h, body);
		}
		if (!r && t->stopping && mono_ms() - t->stop_ms > END_ALL_MS)
			r = -ETIMEDOUT;
		if (r)
			return r;
	}
	return 0;
}

static int talk(struct guest *g, struct link *link)
{
	struct talk t = {.g = g};
	bool spoke;
	int r = chan_open(&t.chan, link, g->stop_fd, STALL_MS);

	if (r) {
		link_close(link);
		return r;
	}
	r = greet(&t);
	spoke = r == -EPROTO || r == -EBADMSG;
	if (!r)
		r = converse(&t);
	chan_close(&t.chan);
	free(t.cpus);
	return guest_part_end(g, t.s, r, spoke);
}

const struct guest_agent guest_agent_onetsc = {"onetsc", WIRE_DEFAULT_PORT, talk};
