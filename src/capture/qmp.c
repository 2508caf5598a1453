// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/qmp.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "base/mono.h"
#include "base/text.h"
#include "capture/qmp_kind.h"

#define UNASKED_MAX    10000 /* events while an answer is awaited */
#define RECEIVE_STEP   65536
#define HUMAN_TEXT_MAX 4096

struct qmp {
	const struct qmp_way *way;
	struct qmp_io io;
	struct strbuf in; /* received, from the last line on */
	size_t scanned;
	uint64_t next_id, answer_ms;
	char error[400];
};

int qmp_wait(const struct qmp_io *io, int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t now;
	int n;

	do {
		now = mono_ms();
		if (now >= io->end_ms)
			return -ETIMEDOUT;
		n = poll(&p, 1, (int)(io->end_ms - now));
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

/* --- receiving --- */
static int receive_some(struct qmp *q)
{
	char buf[RECEIVE_STEP];
	int r = qmp_wait(&q->io, q->io.fd, POLLIN);
	ssize_t n;

	if (r)
		return r;
	n = read(q->io.fd, buf, sizeof(buf));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	strbuf_add(&q->in, buf, (size_t)n);
	return q->in.failed ? -ENOMEM : 0;
}

/* The bytes of the first line, with its newline, are at the beginning of q->in. */
static int receive_line(struct qmp *q, size_t *ret_n)
{
	for (;;) {
		const char *nl = q->in.n > q->scanned
					 ? memchr(q->in.s + q->scanned, '\n', q->in.n - q->scanned)
					 : NULL;
		int r;

		if (nl) {
			*ret_n = (size_t)(nl - q->in.s) + 1;
			return 0;
		}
		q->scanned = q->in.n;
		if (q->in.n > QMP_LINE_MAX)
			return -EMSGSIZE;
		r = receive_some(q);
		if (r)
			return r;
	}
}

static void drop_line(struct qmp *q, size_t n)
{
	memmove(q->in.s, q->in.s + n, q->in.n - n);
	q->in.n -= n;
	q->scanned = 0;
}

static bool is_blank(const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strchr(" \t\r\n", line[i]))
			return false;
	return true;
}

static int receive(struct qmp *q, struct qmp_message *ret)
{
	size_t n;
	int r;

	do {
		r = receive_line(q, &n);
		if (r)
			return r;
		r = is_blank(q->in.s, n) ? -EAGAIN : qmp_message_parse(q->in.s, n, ret);
		drop_line(q, n);
	} while (r == -EAGAIN);
	return r;
}

/* What nobody asked for is passed over. */
static int await(struct qmp *q, bool greeting, uint64_t id, struct qmp_message *ret)
{
	for (int i = 0; i < UNASKED_MAX; i++) {
		struct qmp_message m = {0};
		int r = receive(q, &m);

		if (r)
			return r;
		if (greeting ? m.kind == QMP_GREETING
			     : (m.kind == QMP_RETURN || m.kind == QMP_ERROR) &&
				       (!m.has_id || !id || m.id == id)) {
			*ret = m;
			return 0;
		}
		qmp_message_free(&m);
	}
	return -EMSGSIZE;
}

/* --- commands --- */
static int finish(struct qmp *q, struct qmp_message *m, json_t **ret_value)
{
	int r = m->kind == QMP_ERROR ? -EREMOTEIO : 0;

	if (r)
		snprintf(q->error, sizeof(q->error), "%s", m->error);
	else if (ret_value)
		*ret_value = TAKE_PTR(m->value);
	qmp_message_free(m);
	return r;
}

int qmp_run(struct qmp *q, const char *command, json_t *args, int fd, json_t **ret_value)
{
	uint64_t id = q->way->greets ? q->next_id++ : 0; /* libvirt sets its own */
	_cleanup_free_ char *line = qmp_command(command, args, id);
	struct qmp_message m = {0};
	int r;

	if (!line)
		return -ENOMEM;
	q->io.end_ms = mono_ms() + (int64_t)q->answer_ms;
	r = q->way->send(&q->io, line, fd);
	if (!r)
		r = await(q, false, id, &m);
	if (q->way->done)
		q->way->done(&q->io);
	return r ? r : finish(q, &m, ret_value);
}

int qmp_human(struct qmp *q, const char *line, char **ret_text)
{
	_cleanup_json_ json_t *value = NULL;
	int r = qmp_run(q, "human-monitor-command", json_pack("{s:s}", "command-line", line), -1,
			&value);
	char text[HUMAN_TEXT_MAX];
	const char *said;

	if (r)
		return r;
	said = json_string_value(value);
	if (!said)
		return -EBADMSG;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(said, "\r\n"), said);
	*ret_text = malloc(4 * sizeof(text));
	if (!*ret_text)
		return -ENOMEM;
	text_escape(*ret_text, 4 * sizeof(text), text);
	return 0;
}

/* --- connecting --- */
static const struct qmp_way *const ways[] = {&qmp_unix, &qmp_virsh, NULL};

static int greet(struct qmp *q)
{
	struct qmp_message m = {0};
	int r = await(q, true, 0, &m);

	if (r)
		return r;
	qmp_message_free(&m);
	return qmp_run(q, "qmp_capabilities", NULL, -1, NULL);
}

static int open_way(struct qmp *q, const char *addr, int timeout_ms)
{
	size_t n = 0;
	int r;

	for (const struct qmp_way *const *w = ways; *w && !q->way; w++) {
		n = strlen((*w)->prefix);
		if (!strncmp(addr, (*w)->prefix, n))
			q->way = *w;
	}
	if (!q->way)
		return -EINVAL;
	q->io.where = strdup(addr + n);
	if (!q->io.where)
		return -ENOMEM;
	q->io.end_ms = mono_ms() + timeout_ms;
	r = q->way->open ? q->way->open(&q->io) : 0;
	return r || !q->way->greets ? r : greet(q);
}

int qmp_open(const char *addr, int timeout_ms, struct qmp **ret)
{
	struct qmp *q = calloc(1, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	q->io.fd = -1;
	q->next_id = 1;
	q->answer_ms = 2 * (uint64_t)timeout_ms;
	r = open_way(q, addr, timeout_ms);
	if (r)
		qmp_close(q);
	else
		*ret = q;
	return r;
}

pid_t qmp_peer(const struct qmp *q)
{
	return q->io.pid;
}

bool qmp_passes_fds(const struct qmp *q)
{
	return q->way->passes_fds;
}

const char *qmp_error(const struct qmp *q)
{
	return q->error;
}

void qmp_close(struct qmp *q)
{
	if (!q)
		return;
	if (q->io.fd >= 0)
		close(q->io.fd);
	free(q->io.where);
	strbuf_free(&q->in);
	free(q);
}

const char *qmp_why(int err)
{
	switch (-err) {
	case ETIMEDOUT:
		return "nothing was answered in time (a monitor serves one client at a time: is "
		       "another one connected? does QEMU's main loop hang?)";
	case ECONNRESET:
	case EPIPE:
		return "it closed the connection";
	case EBADMSG:
		return "what it answers is not QMP";
	case EMSGSIZE:
		return "it answers without end";
	case EREMOTEIO:
		return "QEMU refuses";
	case ECONNREFUSED:
		return "nobody listens there";
	case ESRCH:
		return "there is no program virsh in PATH";
	default:
		return strerror(-err);
	}
}
