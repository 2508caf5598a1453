// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/qemutrace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "capture/qemulogfile.h"
#include "capture/qemutrace_impl.h"
#include "vm/proc.h"

#define CONNECT_MS 2000

struct qemutrace {
	char *name;
	struct journal *journal;
	uint64_t undo_id;
	bool journaled;
	struct qemuchange change;
	const char *why_probe;
};

/* --- which monitor --- */
static int try_monitor(struct qemutrace *q, char *addr, struct qmp **ret)
{
	int r;

	if (!addr)
		return -ENOMEM;
	free(q->change.monitor);
	q->change.monitor = addr;
	r = qmp_open(addr, CONNECT_MS, ret);
	if (r)
		return log_err_r(r, "%s: cannot talk to QEMU at \"%s\": %s", q->name, addr,
				 qmp_why(r));
	if (!qmp_passes_fds(*ret) || qmp_peer(*ret) == q->change.pid)
		return 0;
	r = log_err_r(-EXDEV, "%s: \"%s\" is served by process %d, not by this VM's (%d)", q->name,
		      addr, qmp_peer(*ret), q->change.pid);
	qmp_close(TAKE_PTR(*ret));
	return r;
}

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	return n < 0 ? NULL : s;
}

static int find_monitor(struct qemutrace *q, const struct qemutrace_spec *spec,
			const struct qemuargs *a, struct qmp **ret)
{
	int r = -ENOENT;

	if (spec->qmp)
		return try_monitor(q, format("unix:%s", spec->qmp), ret);
	for (size_t i = 0; i < a->n_monitors; i++) {
		const char *path = a->monitors[i];

		/* As QEMU sees it, which may live in a container. */
		r = try_monitor(q,
				format("unix:/proc/%d/%s%s", spec->pid,
				       *path == '/' ? "root" : "cwd/", path),
				ret);
		if (!r)
			return 0;
	}
	if (a->domain)
		return try_monitor(q, format("virsh:%s", a->domain), ret);
	if (!a->n_monitors)
		log_err("%s: its command line names no QMP socket, so its own trace events stay off; "
			"start it with -qmp unix:PATH,server=on,wait=off, or name one with --qmp",
			q->name);
	return r;
}

/* --- which events --- */
static bool has_event(const json_t *list, const char *name)
{
	const json_t *known;
	size_t i;

	json_array_foreach(list, i, known) if (!strcmp(json_string_value(known), name)) return true;
	return false;
}

/* Counts those that match, and keeps those that are off. */
static int take_pattern(struct qemutrace *q, struct qmp *m, const char *pattern, size_t *matched)
{
	_cleanup_qmp_events_ struct qmp_events events = {0};
	_cleanup_json_ json_t *value = NULL;
	int r = qmp_run(m, "trace-event-get-state", json_pack("{s:s}", "name", pattern), -1,
			&value);

	*matched = 0;
	if (r == -EREMOTEIO) /* a plain name that it does not know */
		return 0;
	if (!r)
		r = qmp_events_parse(value, &events);
	if (r)
		return log_err_r(r, "%s: cannot ask QEMU for its trace events \"%s\": %s", q->name,
				 pattern, qmp_why(r));
	array_for_each(e, &events) {
		*matched += e->available;
		if (!e->available || e->on || has_event(q->change.events, e->name))
			continue;
		if (json_array_append_new(q->change.events, json_string(e->name)))
			return -ENOMEM;
	}
	return 0;
}

static int find_events(struct qemutrace *q, const struct qemutrace_spec *spec, struct qmp *m)
{
	q->change.events = json_array();
	if (!q->change.events)
		return -ENOMEM;
	for (size_t i = 0; i < spec->n_patterns; i++) {
		size_t matched;
		int r = take_pattern(q, m, spec->patterns[i], &matched);

		if (r)
			return r;
		if (!matched)
			return log_err_r(-ENOENT,
					 "%s: this QEMU has no trace event \"%s\" (its list: the "
					 "file trace-events-all, or HMP's info trace-events)",
					 q->name, spec->patterns[i]);
	}
	return 0;
}

/* --- open --- */
static void qemutrace_free(struct qemutrace *q)
{
	qemuchange_free(&q->change);
	free(q->name);
	free(q);
}

/* A marker by path needs a QEMU that may reach it. */
static void choose_way(struct qemutrace *q, const struct qemuargs *a, const struct qmp *m)
{
	if (!qmp_passes_fds(m) && qemulogfile_uid(q->change.pid))
		q->why_probe = "it does not run as root";
	else if (qemulogfile_find(q->change.pid, a, &q->change.log, &q->why_probe) == -ENOMEM)
		q->why_probe = "there is no memory";
}

static int look(struct qemutrace *q, const struct qemutrace_spec *spec)
{
	_cleanup_qemuargs_ struct qemuargs args = {0};
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char **argv = NULL;
	struct qmp *m = NULL;
	int r = proc_argv(NULL, spec->pid, &text, &argv);

	if (r)
		return log_err_r(r, "%s: cannot read the command line of process %d: %m", q->name,
				 spec->pid);
	r = qemuargs_parse(argv, &args);
	if (!r)
		r = find_monitor(q, spec, &args, &m);
	if (!r)
		r = find_events(q, spec, m);
	if (!r)
		choose_way(q, &args, m);
	qmp_close(m);
	return r;
}

int qemutrace_open(const struct qemutrace_spec *spec, struct qemutrace **ret)
{
	struct qemutrace *q = calloc(1, sizeof(*q));
	int r = q ? 0 : -ENOMEM;

	if (r)
		return r;
	q->journal = spec->journal;
	q->name = strdup(spec->name);
	q->change.pid = spec->pid;
	q->change.start_ticks = spec->start_ticks;
	q->change.marker = strdup(spec->marker);
	r = q->name && q->change.marker ? look(q, spec) : -ENOMEM;
	if (r)
		qemutrace_free(q);
	else
		*ret = q;
	return r;
}

const char *qemutrace_wants_probe(const struct qemutrace *q)
{
	return q->why_probe;
}

size_t qemutrace_count(const struct qemutrace *q)
{
	return json_array_size(q->change.events);
}

/* --- on --- */
static int journal_change(struct qemutrace *q)
{
	_cleanup_free_ char *text = qemuchange_print(&q->change);
	int r = text ? journal_push(q->journal, QEMUTRACE_UNDO, &q->undo_id, "%s", text) : -ENOMEM;

	if (r)
		return log_err_r(r, "cannot write the undo journal: %m");
	q->journaled = true;
	return 0;
}

/* A descriptor of the marker becomes QEMU's, which opens it once more by name: neither the directories
 * of tracefs nor its mount namespace are in the way. Only this instance's marker is given to its user. */
static int hand_over(struct qemutrace *q, struct qmp *m, char *name, size_t n)
{
	_cleanup_fd_ int fd = open(q->change.marker, O_WRONLY | O_CLOEXEC);
	uid_t uid = qemulogfile_uid(q->change.pid);
	int r, theirs;

	if (fd < 0)
		return -errno;
	if (uid && fchown(fd, uid, (gid_t)-1))
		return -errno;
	r = qmp_run(m, "getfd", json_pack("{s:s}", "fdname", QEMUCHANGE_FDNAME), fd, NULL);
	if (r)
		return r;
	theirs = qemulogfile_fd(q->change.pid, q->change.marker);
	snprintf(name, n, "/proc/self/fd/%d", theirs);
	return theirs < 0 ? -ENXIO : 0;
}

/* QEMU then has the marker open as its log, and nothing else. */
static int set_marker(struct qemutrace *q, struct qmp *m, char *why, size_t n)
{
	_cleanup_free_ char *command = NULL, *said = NULL;
	char name[PATH_MAX];
	int r = 0;

	snprintf(name, sizeof(name), "%s", q->change.marker);
	if (qmp_passes_fds(m))
		r = hand_over(q, m, name, sizeof(name));
	if (!r) {
		command = qemulogfile_command(name);
		r = command ? qmp_human(m, command, &said) : -ENOMEM;
	}
	if (!r && *said)
		r = -EREMOTEIO;
	snprintf(why, n, "%s", said && *said ? said : r == -EREMOTEIO ? qmp_error(m) : qmp_why(r));
	if (!r && qmp_passes_fds(m))
		r = qmp_run(m, "closefd", json_pack("{s:s}", "fdname", QEMUCHANGE_FDNAME), -1,
			    NULL);
	if (!r && qemulogfile_fd(q->change.pid, q->change.marker) < 0) {
		snprintf(why, n, "it has not opened it");
		r = -EREMOTEIO;
	}
	return r;
}

/* 1: it was not taken, and the log is as before. */
static int marker_on(struct qemutrace *q, struct qmp *m)
{
	char why[400];
	int r = set_marker(q, m, why, sizeof(why)), err;

	if (!r)
		return 0;
	err = qemuchange_undo_log(&q->change, m);
	if (err)
		return log_err_r(err,
				 "%s: cannot point QEMU's log to \"%s\" (%s), nor back to "
				 "\"%s\": %s",
				 q->name, q->change.marker, why, q->change.log, qmp_why(err));
	log_info("%s: QEMU cannot write to the trace buffer (%s)", q->name, why);
	journal_done(q->journal, q->undo_id);
	q->journaled = false;
	free(q->change.log);
	q->change.log = NULL;
	q->why_probe = "it cannot write to the trace buffer";
	return 1;
}

static int events_on(struct qemutrace *q, struct qmp *m)
{
	const json_t *name;
	size_t i;

	json_array_foreach(q->change.events, i, name)
	{
		int r = qmp_run(
			m, "trace-event-set-state",
			json_pack("{s:s, s:b}", "name", json_string_value(name), "enable", 1), -1,
			NULL);

		if (r)
			return log_err_r(r, "%s: cannot switch on QEMU's trace event \"%s\": %s",
					 q->name, json_string_value(name),
					 r == -EREMOTEIO ? qmp_error(m) : qmp_why(r));
	}
	return 0;
}

int qemutrace_on(struct qemutrace *q)
{
	struct qmp *m = NULL;
	int r = qmp_open(q->change.monitor, CONNECT_MS, &m);

	if (r)
		return log_err_r(r, "%s: cannot talk to QEMU at \"%s\" again: %s", q->name,
				 q->change.monitor, qmp_why(r));
	r = journal_change(q);
	if (!r && !q->why_probe)
		r = marker_on(q, m);
	if (!r)
		r = events_on(q, m);
	qmp_close(m);
	return r;
}

/* --- off --- */
int qemutrace_off(struct qemutrace *q)
{
	int r = 0;

	if (!q)
		return 0;
	if (q->journaled)
		r = qemuchange_undo(&q->change);
	if (r)
		log_err("%s: QEMU's trace events and log cannot be put back at \"%s\": %s; the next "
			"run or onetsc restore tries again",
			q->name, q->change.monitor, qmp_why(r));
	else if (q->journaled)
		journal_done(q->journal, q->undo_id);
	qemutrace_free(q);
	return r;
}

int qemutrace_undo(const char *text)
{
	_cleanup_qemuchange_ struct qemuchange c = {0};
	int r = qemuchange_parse(text, &c);

	return r ? r : qemuchange_undo(&c);
}
