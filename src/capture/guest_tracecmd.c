// SPDX-License-Identifier: GPL-2.0-or-later
/* The conversation with a stock `trace-cmd agent`: one connection that asks for a recording and gets
 * what a trace.dat begins with, and one for the raw pages of each CPU. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mono.h"
#include "capture/guest_link.h"
#include "capture/wire/tracecmd.h"

#define ANSWER_MS   5000
#define DIAL_MS	    2000
#define SETUP_MS    60000  /* of silence: a small emulated guest takes seconds for its formats */
#define END_MS	    10000  /* of silence after CLOSE */
#define END_ALL_MS  120000 /* after CLOSE in all: what the buffers held has come long since */
#define FAREWELL_MS 3000
#define IDLE_MS	    1000
#define GRACE_MS    500 /* the agent does not say when its tracing is on: soon after the head */
#define HEAD_MAX    (128u << 20)
#define READ_MAX    (64u << 10)

/* One per conversation. */
struct talk {
	struct guest *g;
	struct guest_slot *s;
	struct link control, *data; /* data: of each CPU */
	struct pollfd *polls;	    /* stop, control, then data */
	uint32_t cpus, open;	    /* data connections: all, and those that are not at their end */
	struct strbuf head;
	uint8_t frame[TRACECMD_MSG_MAX];
	size_t have;
	unsigned silent_ms;
	int64_t stop_ms; /* when CLOSE was sent */
	bool started, stopping, farewell, lost;
	char *buffer; /* READ_MAX */
};

/* --- messages --- */
static int send_all(struct talk *t, const struct strbuf *b)
{
	size_t done = 0;

	if (b->failed)
		return -ENOMEM;
	while (done < b->n) {
		ssize_t n = write(t->control.out, b->s + done, b->n - done);
		int r;

		if (n > 0) {
			done += (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		r = link_wait(t->control.out, POLLOUT, ANSWER_MS, t->stopping ? -1 : t->g->stop_fd);
		if (r)
			return r;
	}
	return 0;
}

/* -EAGAIN: not all of it is here yet. -ENODATA at the end of the stream. */
static int receive(struct talk *t, struct tracecmd_header *h)
{
	size_t want = TRACECMD_HEADER_BYTES;

	for (;;) {
		ssize_t n;

		if (t->have >= TRACECMD_HEADER_BYTES) {
			int r = tracecmd_get_header(t->frame, h);

			if (r)
				return r;
			want = h->size;
		}
		if (t->have == want)
			break;
		n = read(t->control.in, t->frame + t->have, want - t->have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		t->have += (size_t)n;
	}
	t->have = 0;
	return 0;
}

static int receive_by(struct talk *t, int timeout_ms, struct tracecmd_header *h)
{
	for (;;) {
		int r = receive(t, h);

		if (r == -EAGAIN)
			r = link_wait(t->control.in, POLLIN, timeout_ms, t->g->stop_fd);
		else
			return r;
		if (r)
			return r;
	}
}

/* --- setting up --- */
static int send_request(struct talk *t)
{
	const struct guest_config *cfg = &t->g->cfg;
	_cleanup_strbuf_ struct strbuf args = {0}, b = {0};
	_cleanup_free_ const char **list = NULL;
	const char *p;
	size_t n;
	int r;

	if (cfg->n_probes)
		log_warn(
			"%s: trace-cmd's agent makes no probes; --guest-uprobe and --guest-usdt need "
			"onetsc agent in the guest",
			t->g->name);
	tracecmd_arguments(cfg->patterns, cfg->n_patterns, cfg->buffer_bytes, &args, &n);
	list = calloc(n + 1, sizeof(*list));
	if (args.failed || !list)
		return -ENOMEM;
	p = args.s;
	for (size_t i = 0; i < n; i++, p += strlen(p) + 1)
		list[i] = p;
	r = tracecmd_put_request(&b, datfile_random_id(), list, n);
	if (r == -E2BIG)
		guest_give_up(t->g,
			      "trace-cmd's agent takes no more than %d bytes of event names: "
			      "choose fewer or use globs",
			      TRACECMD_MSG_MAX);
	return r ? r : send_all(t, &b);
}

/* A busy agent closes the connection without a word. */
static int receive_response(struct talk *t, struct tracecmd_response *resp)
{
	struct tracecmd_header h;
	int r = receive_by(t, ANSWER_MS, &h);

	if (r == -ENODATA || r == -ECONNRESET)
		return -EAGAIN;
	if (r)
		return r;
	if (h.type != TRACECMD_TRACE_RESP)
		return -EPROTO;
	return tracecmd_get_response(t->frame + TRACECMD_HEADER_BYTES,
				     h.size - TRACECMD_HEADER_BYTES, h.fixed, resp);
}

static int dial_cpu(struct talk *t, uint32_t cpu, uint32_t port)
{
	struct link_addr a = t->g->cfg.addr;

	a.port = port;
	return link_dial(&a, DIAL_MS, t->g->stop_fd, &t->data[cpu]);
}

static int dial_cpus(struct talk *t, const struct tracecmd_response *resp)
{
	int r = 0;

	t->data = calloc(resp->cpus, sizeof(*t->data));
	t->polls = calloc(resp->cpus + 2, sizeof(*t->polls));
	t->buffer = malloc(READ_MAX);
	if (!t->data || !t->polls || !t->buffer)
		return -ENOMEM;
	t->cpus = resp->cpus;
	for (uint32_t i = 0; i < t->cpus; i++)
		t->data[i] = LINK_CLOSED;
	for (uint32_t i = 0; i < t->cpus && !r; i++, t->open++)
		r = dial_cpu(t, i, resp->ports[i]);
	return r;
}

/* The data connections come first: the agent waits for each of them, for ever. */
static int greet(struct talk *t)
{
	_cleanup_free_ struct tracecmd_response *resp = calloc(1, sizeof(*resp));
	int r = resp ? send_request(t) : -ENOMEM;

	if (!r)
		r = receive_response(t, resp);
	if (r)
		return r;
	r = guest_part_new(t->g, &t->s);
	if (r)
		return r;
	t->s->part.in_order = true;
	t->s->part.file.page_bytes = resp->page_bytes;
	t->s->part.file.cpus = resp->cpus;
	log_debug("%s: trace-cmd's agent answers, %u CPUs", t->g->name, resp->cpus);
	return resp->flags & TRACECMD_FLAG_FIFOS ? -EPROTO : dial_cpus(t, resp);
}

static bool has_word(struct wire_text t, const char *word)
{
	return t.n && memmem(t.s, t.n, word, strlen(word));
}

static int start(struct talk *t)
{
	struct datfile *f = &t->s->part.file;
	uint32_t page_bytes;
	int r = t->started ? -EPROTO
			   : tracecmd_head(t->head.s ?: "", t->head.n, meta_store, &f->meta,
					   &page_bytes);

	strbuf_free(&t->head);
	t->head = (struct strbuf){0};
	if (r == -EPROTONOSUPPORT)
		guest_give_up(t->g, "its trace-cmd does not write the file version 6 of a 64-bit "
				    "little-endian machine");
	if (!r && !has_word(meta_get(&f->meta, META_CLOCK), "[x86-tsc]")) {
		guest_give_up(t->g, "its kernel does not trace with the clock x86-tsc");
		r = -EOPNOTSUPP;
	}
	if (r)
		return r;
	r = link_wait(-1, 0, GRACE_MS, t->g->stop_fd);
	if (r == -ETIMEDOUT)
		r = guest_part_begin(t->g, t->s);
	if (r)
		return r;
	t->started = true;
	log_info("%s: trace-cmd's agent %s %u CPUs", t->g->name,
		 t->g->parts.n > 1 ? "is back and records" : "records", t->cpus);
	return 0;
}

/* --- running --- */
static int on_head(struct talk *t, const struct tracecmd_header *h)
{
	size_t n = h->size - TRACECMD_HEADER_BYTES;

	if (t->started)
		return -EPROTO;
	if (t->head.n + n > HEAD_MAX)
		return -EFBIG;
	strbuf_add(&t->head, (const char *)t->frame + TRACECMD_HEADER_BYTES, n);
	return t->head.failed ? -ENOMEM : 0;
}

static int dispatch(struct talk *t, const struct tracecmd_header *h)
{
	switch (h->type) {
	case TRACECMD_SEND_DATA:
		return on_head(t, h);
	case TRACECMD_FIN_DATA:
		return start(t);
	case TRACECMD_NOT_SUPP:
		return 0;
	case TRACECMD_CLOSE_RESP:
		t->farewell = t->stopping;
		return t->stopping ? 0 : -EPROTO;
	}
	return -EPROTO;
}

/* All messages that are there. Its end is no news after the farewell; before, the data connections
 * may still hold what came first. */
static int read_control(struct talk *t)
{
	struct tracecmd_header h;
	int r = 0;

	while (!r) {
		r = receive(t, &h);
		if (!r)
			r = dispatch(t, &h);
	}
	if (r == -ENODATA || r == -ECONNRESET || r == -EPIPE) {
		t->lost = true;
		link_close(&t->control);
		return t->started ? 0 : r;
	}
	return r == -EAGAIN ? 0 : r;
}

static int read_data(struct talk *t, uint32_t cpu)
{
	ssize_t n = read(t->data[cpu].in, t->buffer, READ_MAX);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n > 0)
		return t->started ? guest_part_write(t->g, t->s, cpu, t->buffer, (size_t)n)
				  : -EPROTO;
	link_close(&t->data[cpu]);
	t->open--;
	return 0;
}

static void set_polls(struct talk *t)
{
	t->polls[0] = (struct pollfd){.fd = t->stopping ? -1 : t->g->stop_fd, .events = POLLIN};
	t->polls[1] = (struct pollfd){.fd = t->control.in, .events = POLLIN};
	for (uint32_t i = 0; i < t->cpus; i++)
		t->polls[i + 2] = (struct pollfd){.fd = t->data[i].in, .events = POLLIN};
}

static int stop(struct talk *t)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	if (!t->started)
		return -ECANCELED;
	t->stopping = true;
	t->stop_ms = mono_ms();
	tracecmd_put_close(&b);
	if (t->control.in >= 0 && send_all(t, &b))
		log_debug("%s: could not be told to stop", t->g->name);
	return 0;
}

static int idle(struct talk *t)
{
	t->silent_ms += IDLE_MS;
	/* All pages are here; what the agent still cleans up in a slow guest is its own affair. */
	if (t->stopping && !t->open && t->silent_ms >= FAREWELL_MS) {
		t->farewell = true;
		return 0;
	}
	if (t->lost || (t->stopping && t->silent_ms >= END_MS))
		return t->lost ? -ENODATA : -ETIMEDOUT;
	if (!t->started && t->silent_ms >= SETUP_MS)
		return -ETIMEDOUT;
	link_probe(&t->g->cfg.addr, &t->control);
	return 0;
}

static int read_ready(struct talk *t)
{
	int r = 0;

	for (uint32_t i = 0; i < t->cpus && !r; i++)
		if (t->polls[i + 2].revents)
			r = read_data(t, i);
	if (!r && t->polls[1].revents)
		r = read_control(t);
	return r;
}

static int converse(struct talk *t)
{
	int r = 0;

	while (!r && (t->open || !(t->farewell || t->lost))) {
		int n;

		set_polls(t);
		n = poll(t->polls, t->cpus + 2, IDLE_MS);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			r = idle(t);
		if (n > 0 && t->polls[0].revents)
			r = stop(t);
		if (n > 0 && !r && !t->polls[0].revents) {
			t->silent_ms = 0;
			r = read_ready(t);
		}
		if (!r && t->stopping && mono_ms() - t->stop_ms > END_ALL_MS)
			r = -ETIMEDOUT;
	}
	return r ? r : t->farewell ? 0 : -ENODATA;
}

static void talk_free(struct talk *t)
{
	link_close(&t->control);
	for (uint32_t i = 0; t->data && i < t->cpus; i++)
		link_close(&t->data[i]);
	free(t->data);
	free(t->polls);
	free(t->buffer);
	strbuf_free(&t->head);
}

static int talk(struct guest *g, struct link *link)
{
	struct talk t = {.g = g, .control = *link};
	bool spoke;
	int r;

	*link = LINK_CLOSED;
	r = greet(&t);
	spoke = r == -EPROTO || r == -EBADMSG;
	if (!r)
		r = converse(&t);
	talk_free(&t);
	return guest_part_end(g, t.s, r, spoke);
}

const struct guest_agent guest_agent_tracecmd = {"trace-cmd", TRACECMD_PORT, talk};
