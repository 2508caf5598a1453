// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/guest_link.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/fd.h"
#include "base/log.h"

#define HELLO_MS   5000
#define SETUP_MS   60000 /* a small emulated guest takes seconds for its formats */
#define STALL_MS   10000
#define END_MS	   10000 /* between two messages after STOP */
#define IDLE_MS	   1000
#define NOTES_MAX  16
#define PING_START 1
#define PING_END   2

/* State of one conversation. */
struct talk {
	struct guest *g;
	struct chan chan;
	struct wire_cpus *cpus; /* last CPUS, NULL before the first */
	bool started, stopping, done, meta_dirty;
	unsigned notes;
	uint64_t ping_tsc;
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
	wire_text_print(m.why, why, sizeof(why));
	guest_set(t->g, GUEST_FAILED, "the agent refused: %.200s", why);
	log_err("%s: the agent refused: %s", t->g->name, why);
	return -ECONNREFUSED;
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
		guest_set(t->g, GUEST_SETUP, NULL);
		return 0;
	}
	guest_set(t->g, GUEST_FAILED,
		  "the agent (%s) speaks protocol %u, this onetsc " ONETSC_VERSION
		  " %u: install the same version on both sides",
		  tool, m.version, WIRE_VERSION);
	log_err("%s: %s", t->g->name, t->g->status.why);
	return -EPROTONOSUPPORT;
}

/* Names of systems and events become words of a file: nothing but what the kernel uses. */
static int copy_name(struct wire_text t, char *buf, size_t size)
{
	if (t.n >= size)
		return -EBADMSG;
	for (size_t i = 0; i < t.n; i++)
		if (!isalnum((unsigned char)t.s[i]) && !strchr("_-.", t.s[i]))
			return -EBADMSG;
	memcpy(buf, t.s, t.n);
	buf[t.n] = 0;
	return 0;
}

static int on_meta(struct talk *t, const void *body, size_t n)
{
	struct wire_meta m;
	char system[128], name[128];
	bool format;
	int r = wire_get_meta(body, n, &m);

	if (!r)
		r = copy_name(m.system, system, sizeof(system));
	if (!r)
		r = copy_name(m.name, name, sizeof(name));
	if (r)
		return r;
	format = m.kind == META_FTRACE || m.kind == META_EVENT;
	if (format && (!*system || !*name))
		return -EBADMSG;
	t->meta_dirty = true;
	return meta_store(&t->g->file.meta, m.kind, format ? system : NULL, format ? name : NULL,
			  m.text.s, m.text.n);
}

static int keep_apics(struct guest *g, const struct wire_cpus *m)
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
	pthread_mutex_lock(&g->lock);
	array_free(&g->apics);
	g->apics = list;
	pthread_mutex_unlock(&g->lock);
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
	return keep_apics(t->g, t->cpus);
}

static int on_started(struct talk *t)
{
	struct datfile *f = &t->g->file;
	int r;

	if (t->started || !t->cpus)
		return -EPROTO;
	f->cpus = t->cpus->streams;
	f->page_bytes = t->cpus->page_bytes;
	r = datfile_create(f, t->g->cfg.dirfd, &t->g->cfg.links);
	if (r) {
		guest_set(t->g, GUEST_FAILED, "its file could not be created");
		guest_fail_all(t->g, r);
		return r;
	}
	t->started = true;
	t->meta_dirty = false;
	guest_set(t->g, GUEST_RECORDING, NULL);
	log_info("%s: the agent records %zu CPUs", t->g->name, t->g->apics.n);
	send_ping(t, PING_START);
	return 0;
}

static int on_data(struct talk *t, uint32_t cpu, const void *body, size_t n)
{
	struct guest *g = t->g;
	int r;

	if (!t->started || cpu >= g->file.cpus || !n || n % g->file.page_bytes)
		return -EBADMSG;
	if (g->status.bytes + n > g->cfg.limit_bytes)
		return -EDQUOT;
	r = fd_write_all(datwriter_cpu_fd(g->file.writer, cpu), body, n);
	if (r) {
		log_errno(r, "recording ends: cannot write \"%s\": %m; what was written stays",
			  g->file.name);
		guest_fail_all(g, r);
		return -EIO;
	}
	g->file.stats.v[cpu].bytes += n;
	pthread_mutex_lock(&g->lock);
	g->status.bytes += n;
	pthread_mutex_unlock(&g->lock);
	return 0;
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
	t->g->status.delta_cpu = m.cpu < t->g->file.cpus ? (int)m.cpu : -1;
	t->g->status.has_delta = true;
	pthread_mutex_unlock(&t->g->lock);
	t->ping_tsc = 0;
	return 0;
}

static int on_note(struct talk *t, const void *body, size_t n)
{
	struct wire_text m = {body, n < WIRE_TEXT_MAX ? n : WIRE_TEXT_MAX};
	char text[WIRE_TEXT_MAX];

	if (t->notes++ < NOTES_MAX)
		log_debug("%s: %s", t->g->name, wire_text_print(m, text, sizeof(text)));
	return 0;
}

static int on_stats(struct talk *t, const void *body, size_t n)
{
	_cleanup_free_ struct wire_stats *m = calloc(1, sizeof(*m));
	struct datfile *f = &t->g->file;
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
	t->g->cpu_time_us = m->cpu_time_us;
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
		return on_note(t, body, h->len);
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

static bool stop_asked(const struct talk *t)
{
	struct pollfd p = {.fd = t->g->stop_fd, .events = POLLIN};

	return !t->stopping && poll(&p, 1, 0) > 0;
}

static int timeout_of(const struct talk *t)
{
	if (t->stopping)
		return END_MS;
	return t->started ? IDLE_MS : SETUP_MS;
}

/* Symbols and names come in many pieces: rewrite the head when none came for a while. */
static int idle(struct talk *t)
{
	if (!t->meta_dirty || !t->started)
		return 0;
	t->meta_dirty = false;
	return datfile_update(&t->g->file, &t->g->cfg.links);
}

static int converse(struct talk *t)
{
	struct wire_header h;
	const void *body;
	int r;

	while (!t->done) {
		if (stop_asked(t)) {
			if (!t->started)
				return -ECANCELED;
			send_stop(t);
		}
		r = chan_receive(&t->chan, timeout_of(t), &h, &body);
		if (r == -ECANCELED)
			continue; /* stop_asked() sees why */
		if (r == -ETIMEDOUT && t->started && !t->stopping)
			r = idle(t);
		else if (!r)
			r = dispatch(t, &h, body);
		if (r)
			return r;
	}
	return 0;
}

static const char *why_cut(int err, char *buf, size_t n)
{
	if (err == -ENODATA || err == -ECONNRESET || err == -EPIPE)
		return "the connection to the agent ended (guest or agent went away)";
	if (err == -EBADMSG || err == -EPROTO || err == -EFBIG)
		return "the agent sent something that is not the protocol";
	if (err == -EDQUOT)
		return "the guest has used up its --guest-limit";
	if (err == -ETIMEDOUT)
		return "the agent fell silent";
	snprintf(buf, n, "%s", strerror(-err));
	return buf;
}

/* What an error means; spoke: something answered, but not an agent. */
static void conclude(struct talk *t, int r, bool spoke)
{
	struct guest *g = t->g;
	char buf[128];
	const char *why = why_cut(r, buf, sizeof(buf));

	if (!r) {
		guest_set(g, GUEST_DONE, NULL);
	} else if (t->started) {
		guest_set(g, GUEST_CUT, "%s", why);
		if (!g->status.error)
			log_warn("%s: %s; what it sent is kept, the rest is recorded on", g->name,
				 why);
	} else if (r == -ECANCELED && g->status.state == GUEST_SETUP) {
		guest_set(g, GUEST_FAILED, "the recording ended before the agent was ready");
	} else if (g->status.state == GUEST_SETUP || (spoke && g->status.state == GUEST_WAITING)) {
		guest_set(g, GUEST_FAILED, "%s", why);
		log_warn("%s: %s; only its host side is recorded", g->name, why);
	}
}

int guest_link_session(struct guest *g, struct link *link)
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
	conclude(&t, r, spoke);
	chan_close(&t.chan);
	free(t.cpus);
	return r;
}
