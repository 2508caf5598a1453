// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/agent_session.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/log.h"
#include "capture/clockpair.h"
#include "capture/meta.h"
#include "capture/pages.h"
#include "capture/preset.h"
#include "capture/userprobe.h"

#define HELLO_MS     5000
#define START_MS     30000
#define BUFFER_MIN   (64u << 10)
#define BUFFER_MAX   (1u << 30)
#define PIECE_BYTES  (64u << 10)
#define SYMBOLS_NONE (-1)

struct session_state {
	const struct agent_config *cfg;
	struct chan *chan;
	struct instance *instance;
	struct pages *pages;
	struct events events;
	struct uprobes *uprobes; /* NULL: none were asked for */
	int symbols_fd;		 /* /proc/kallsyms while it is being sent in pieces */
	uint64_t begin_cpu_us;
	bool stop;
};

void agent_refuse(struct chan *c, enum wire_refusal code, const char *why)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	wire_put_refuse(&b, code, why);
	if (chan_send(c, &b))
		log_debug("%s: could not be told", c->link.peer);
}

static int send_hello(struct chan *c)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct utsname u;

	wire_put_hello(&b, &(struct wire_hello){WIRE_VERSION, wire_text("onetsc " ONETSC_VERSION),
						wire_text(uname(&u) ? "?" : u.nodename),
						wire_text("")});
	return chan_send(c, &b);
}

/* No early exit: the time taken says nothing about the token. */
static bool token_fits(const char *want, struct wire_text got)
{
	size_t n = strlen(want);
	unsigned diff = n != got.n;

	for (size_t i = 0; i < n; i++)
		diff |= (unsigned char)want[i] ^ (unsigned char)(i < got.n ? got.s[i] : 0);
	return !diff;
}

static int check_hello(const struct agent_config *cfg, struct chan *c, const struct wire_hello *h)
{
	char tool[80], why[200];

	wire_text_print(h->tool, tool, sizeof(tool));
	if (h->version != WIRE_VERSION) {
		snprintf(why, sizeof(why),
			 "the host's %s speaks protocol %u, this agent (onetsc " ONETSC_VERSION
			 ") %u: install the same version on both sides",
			 tool, h->version, WIRE_VERSION);
		agent_refuse(c, WIRE_REFUSED_VERSION, why);
		log_err("%s: %s", c->link.peer, why);
		return -EPROTONOSUPPORT;
	}
	if (cfg->token ? token_fits(cfg->token, h->token) : c->link.trusted)
		return 0;
	agent_refuse(c, WIRE_REFUSED_TOKEN, "wrong or missing token");
	log_err("%s: refused, wrong or missing token", c->link.peer);
	return -EACCES;
}

static int expect(struct chan *c, uint32_t type, int timeout_ms, struct wire_header *h,
		  const void **body)
{
	int r = chan_receive(c, timeout_ms, h, body);

	if (!r && h->type != type)
		r = -EPROTO;
	return r;
}

static int greet(const struct agent_config *cfg, struct chan *c)
{
	struct wire_header h;
	struct wire_hello hello;
	const void *body;
	int r = expect(c, WIRE_HELLO, HELLO_MS, &h, &body);

	if (!r)
		r = wire_get_hello(body, h.len, &hello);
	if (r) {
		if (r != -ECANCELED && r != -ENODATA)
			log_err("%s: does not speak this protocol", c->link.peer);
		return r;
	}
	r = check_hello(cfg, c, &hello);
	return r ? r : send_hello(c);
}

/* --- metadata --- */
static int emit(void *ctx, enum wire_meta_kind kind, const char *system, const char *name,
		const char *text, size_t n)
{
	struct session_state *s = ctx;

	do {
		_cleanup_strbuf_ struct strbuf b = {0};
		size_t piece = n < PIECE_BYTES ? n : PIECE_BYTES;
		int r;

		wire_put_meta(&b, &(struct wire_meta){(uint8_t)kind,
						      wire_text(system ?: ""),
						      wire_text(name ?: ""),
						      {text, piece}});
		r = chan_send(s->chan, &b);
		if (r)
			return r;
		text += piece;
		n -= piece;
	} while (n);
	return 0;
}

/* A piece of /proc/kallsyms between two rounds, so that the buffers are never left alone for long. */
static int send_symbols_piece(struct session_state *s)
{
	char buf[PIECE_BYTES];
	ssize_t n = read(s->symbols_fd, buf, sizeof(buf));

	if (n > 0)
		return emit(s, META_KALLSYMS, NULL, NULL, buf, (size_t)n);
	close(s->symbols_fd);
	s->symbols_fd = SYMBOLS_NONE;
	return 0;
}

static int send_cpus(struct session_state *s)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	_cleanup_free_ struct wire_cpus *m = calloc(1, sizeof(*m));
	struct cpu_apics ids = {0};
	int r = m ? apic_ids_read(&ids) : -ENOMEM;

	if (!r) {
		m->page_bytes = s->instance->page_bytes;
		m->streams = s->instance->cpus;
		array_for_each(id, &ids)
			if (id->cpu < m->streams && m->n < WIRE_CPUS_MAX)
				m->v[m->n++] = (struct wire_cpu){id->cpu, id->apic_id};
		wire_put_cpus(&b, m);
		r = chan_send(s->chan, &b);
	}
	array_free(&ids);
	return r;
}

static int send_pair(struct session_state *s, uint32_t arg)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct session_pair p;
	int cpu = sched_getcpu();

	clockpair_read(&p);
	if (sched_getcpu() != cpu)
		cpu = -1;
	wire_put_pair(&b, arg,
		      &(struct wire_pair){(uint32_t)cpu, p.tsc, p.width_ticks, p.realtime_ns,
					  p.monotonic_ns, p.boottime_ns});
	return chan_send(s->chan, &b);
}

static int send_note(struct session_state *s, uint32_t arg, const char *text)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct wire_text t = wire_text(text);

	wire_put(&b, WIRE_NOTE, arg, t.s, t.n);
	return chan_send(s->chan, &b);
}

static int send_empty(struct session_state *s, enum wire_type type)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	wire_put(&b, type, 0, NULL, 0);
	return chan_send(s->chan, &b);
}

static uint64_t cpu_us(void)
{
	struct rusage u = {0};

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int send_stats(struct session_state *s)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	_cleanup_free_ struct wire_stats *m = calloc(1, sizeof(*m));
	struct instance_stats st;

	if (!m)
		return -ENOMEM;
	m->cpu_time_us = cpu_us() - s->begin_cpu_us;
	for (unsigned c = 0; c < s->instance->cpus && c < WIRE_CPUS_MAX; c++) {
		if (instance_stats(s->instance, c, &st))
			st = (struct instance_stats){0};
		m->v[m->n++] = (struct wire_cpu_stats){pages_bytes(s->pages, c), st.events,
						       st.overrun, st.dropped};
	}
	wire_put_stats(&b, m);
	return chan_send(s->chan, &b);
}

/* --- setting up --- */
static int choose_events(struct session_state *s, const struct wire_start *m)
{
	char pattern[WIRE_TEXT_MAX + 1], note[WIRE_TEXT_MAX + 64];
	int r = events_list(s->cfg->tracefs, &s->events);

	for (uint32_t i = 0; !r && i < m->n; i++) {
		int n;

		memcpy(pattern, m->patterns[i].s, m->patterns[i].n);
		pattern[m->patterns[i].n] = 0;
		n = events_want(&s->events, pattern);
		if (n > 0)
			continue;
		if (n == -ENOMEM)
			return n;
		wire_text_print(m->patterns[i], pattern, sizeof(pattern));
		snprintf(note, sizeof(note), "this kernel has no event %s", pattern);
		r = send_note(s, 0, note);
	}
	return r;
}

static bool is_plain(struct wire_text t)
{
	for (size_t i = 0; i < t.n; i++)
		if (iscntrl((unsigned char)t.s[i]))
			return false;
	return true;
}

/* What cannot be probed is told; the rest is recorded without. */
static int add_probes(struct session_state *s, const struct wire_start *m)
{
	char text[WIRE_TEXT_MAX + 1], note[WIRE_TEXT_MAX];
	int open_error = 0, r = 0;

	if (m->n_probes)
		open_error = uprobes_open(s->cfg->tracefs, s->cfg->journal, &s->uprobes);
	for (uint32_t i = 0; !r && i < m->n_probes; i++) {
		size_t n = m->probes[i].n;

		memcpy(text, m->probes[i].s, n);
		text[n] = 0;
		r = open_error
			    ?: !is_plain(m->probes[i])
			       ? -EINVAL
			       : userprobe_request(s->uprobes, text, &s->events);
		if (!r || r == -ENOMEM)
			continue;
		wire_text_print(m->probes[i], text, sizeof(text));
		snprintf(note, sizeof(note),
			 "cannot make the %.200s: %s (its agent's messages say more)", text,
			 strerror(-r));
		r = send_note(s, WIRE_NOTE_WARNING, note);
	}
	return r;
}

static uint64_t buffer_for(uint64_t asked)
{
	if (asked < BUFFER_MIN)
		return BUFFER_MIN;
	return asked < BUFFER_MAX ? asked : BUFFER_MAX;
}

static int put_pages(void *ctx, unsigned cpu, int pipe_fd, size_t n)
{
	struct session_state *s = ctx;

	/* A body may hold WIRE_BODY_MAX; the pipe holds no more. */
	return chan_send_pages(s->chan, cpu, pipe_fd, n);
}

static int set_up(struct session_state *s, const struct wire_start *m)
{
	struct instance_spec spec = {s->cfg->tracefs, "agent", buffer_for(m->buffer_bytes),
				     m->flags & WIRE_START_OVERWRITE};
	struct pages_sink sink = {put_pages, s};
	int r = choose_events(s, m);

	if (!r)
		r = add_probes(s, m);
	if (!r)
		r = events_leave_out_own_calls(&s->events);
	if (!r && !events_wanted(&s->events))
		r = log_err_r(-ENOENT, "this kernel has none of the events that were asked for");
	if (!r)
		r = instance_create(&spec, s->cfg->journal, &s->instance);
	if (!r && s->instance->cpus > WIRE_CPUS_MAX)
		r = log_err_r(-E2BIG, "%u CPUs are more than the protocol allows",
			      s->instance->cpus);
	if (!r)
		r = events_enable(&s->events, s->instance);
	return r ? r : pages_open(s->instance, &sink, &s->pages);
}

static int begin(struct session_state *s)
{
	struct wire_header h;
	_cleanup_free_ struct wire_start *m = calloc(1, sizeof(*m));
	const void *body;
	int r = m ? expect(s->chan, WIRE_START, START_MS, &h, &body) : -ENOMEM;

	if (!r)
		r = wire_get_start(body, h.len, m);
	if (!r && (m->clock.n != strlen("x86-tsc") || memcmp(m->clock.s, "x86-tsc", m->clock.n)))
		r = -EPROTO;
	if (r)
		return r;
	r = set_up(s, m);
	if (r) {
		char why[200];

		snprintf(why, sizeof(why),
			 "the guest cannot record: %s (its agent's messages say more)",
			 strerror(-r));
		agent_refuse(s->chan, WIRE_REFUSED_SETUP, why);
		return r;
	}
	r = send_cpus(s);
	if (!r)
		r = meta_gather(s->cfg->tracefs, s->instance, &s->events, emit, s);
	if (!r)
		r = meta_gather_names(s->cfg->tracefs, emit, s);
	if (!r)
		r = send_pair(s, 0);
	if (!r)
		r = instance_run(s->instance, true);
	return r ? r : send_empty(s, WIRE_STARTED);
}

/* --- running --- */
static int handle_message(struct session_state *s)
{
	struct wire_header h;
	const void *body;
	int r = chan_receive(s->chan, 0, &h, &body);

	if (r == -ETIMEDOUT)
		return 0; /* not all of it is here yet */
	if (r)
		return r;
	if (h.type == WIRE_PING)
		return send_pair(s, h.arg);
	if (h.type != WIRE_STOP)
		return -EPROTO;
	s->stop = true;
	return 0;
}

enum { POLL_LINK, POLL_CANCEL, POLL_BUSY, POLL_PAGES };

static int run_until_stop(struct session_state *s, struct pollfd *p)
{
	nfds_t n = POLL_PAGES + pages_cpus(s->pages);

	while (!s->stop) {
		int r = pages_drain(s->pages, p + POLL_PAGES);

		if (!r && s->symbols_fd >= 0)
			r = send_symbols_piece(s);
		if (r)
			return r;
		pages_poll(s->pages, p + POLL_PAGES);
		if (poll(p, n, s->symbols_fd >= 0 ? 0 : pages_wait_ms(s->pages)) <= 0)
			continue;
		if (p[POLL_CANCEL].revents)
			return -ECANCELED;
		if (p[POLL_BUSY].revents)
			agent_turn_away(s->cfg, p[POLL_BUSY].fd);
		r = p[POLL_LINK].revents ? handle_message(s) : 0;
		if (r)
			return r;
	}
	return 0;
}

static int run(struct session_state *s, int busy_fd)
{
	_cleanup_free_ struct pollfd *p = calloc(POLL_PAGES + pages_cpus(s->pages), sizeof(*p));

	if (!p)
		return -ENOMEM;
	p[POLL_LINK] = (struct pollfd){.fd = s->chan->link.in, .events = POLLIN};
	p[POLL_CANCEL] = (struct pollfd){.fd = s->chan->cancel_fd, .events = POLLIN};
	p[POLL_BUSY] = (struct pollfd){.fd = busy_fd, .events = POLLIN};
	return run_until_stop(s, p);
}

static int end(struct session_state *s)
{
	int r = instance_run(s->instance, false);

	if (!r)
		r = pages_flush(s->pages);
	while (!r && s->symbols_fd >= 0)
		r = send_symbols_piece(s);
	if (!r)
		r = meta_gather_names(s->cfg->tracefs, emit, s);
	if (!r)
		r = send_cpus(s);
	if (!r)
		r = send_pair(s, 0);
	if (!r)
		r = send_stats(s);
	if (!r)
		r = send_empty(s, WIRE_BYE);
	if (!r && !link_is_single(&s->cfg->addr))
		agent_wait_close(s->chan);
	return r;
}

static void tear_down(struct session_state *s)
{
	pages_close(s->pages);
	if (s->symbols_fd >= 0)
		close(s->symbols_fd);
	events_free(&s->events);
	if (instance_remove(s->instance))
		log_debug("the instance stays in the journal");
	if (uprobes_close(s->uprobes))
		log_debug("the uprobes stay in the journal");
}

static void say_end(const struct chan *c, int r)
{
	if (!r)
		log_info("%s: session ended", c->link.peer);
	else if (r == -ENODATA || r == -EPIPE || r == -ECONNRESET)
		log_warn("%s: the host went away; recording stopped", c->link.peer);
	else if (r == -ETIMEDOUT)
		log_warn("%s: the host takes no data; recording stopped", c->link.peer);
	else if (r != -ECANCELED)
		log_errno(r, "%s: session ended: %m", c->link.peer);
}

int agent_session(const struct agent_config *cfg, struct chan *c, int busy_fd)
{
	struct session_state s = {
		.cfg = cfg, .chan = c, .symbols_fd = SYMBOLS_NONE, .begin_cpu_us = cpu_us()};
	int r = greet(cfg, c);

	if (r)
		return r;
	log_info("%s: session begins", c->link.peer);
	r = begin(&s);
	if (!r) {
		s.symbols_fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
		r = run(&s, busy_fd);
	}
	if (!r)
		r = end(&s);
	tear_down(&s);
	say_end(c, r);
	return r;
}
