// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/log.h"
#include "capture/qemulogfile.h"
#include "capture/qemutrace_impl.h"
#include "vm/proc.h"

#define CONNECT_MS    2000
#define CONNECT_TRIES 5
#define CLOSED_MS     3000 /* QEMU closes its old log when its RCU thread gets to it */

char *qemuchange_print(const struct qemuchange *c)
{
	_cleanup_json_ json_t *o =
		json_pack("{s:i, s:I, s:s, s:s, s:s?, s:O}", "pid", (int)c->pid, "start",
			  (json_int_t)c->start_ticks, "monitor", c->monitor, "marker", c->marker,
			  "log", c->log, "events", c->events);

	return o ? json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;
}

static int copy_string(const json_t *o, const char *key, char **ret)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (!s)
		return -EBADMSG;
	*ret = strdup(s);
	return *ret ? 0 : -ENOMEM;
}

static int check_events(const json_t *events)
{
	const json_t *name;
	size_t i;

	if (!json_is_array(events))
		return -EBADMSG;
	json_array_foreach(events, i,
			   name) if (!json_is_string(name) ||
				     !qmp_event_name_ok(json_string_value(name))) return -EBADMSG;
	return 0;
}

int qemuchange_parse(const char *text, struct qemuchange *ret)
{
	_cleanup_json_ json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	_cleanup_qemuchange_ struct qemuchange c = {0};
	json_int_t pid = json_integer_value(json_object_get(o, "pid"));
	json_int_t start = json_integer_value(json_object_get(o, "start"));
	json_t *events = json_object_get(o, "events");
	int r = pid > 0 && start >= 0 ? check_events(events) : -EBADMSG;

	if (!r)
		r = copy_string(o, "monitor", &c.monitor);
	if (!r)
		r = copy_string(o, "marker", &c.marker);
	if (!r && json_is_string(json_object_get(o, "log")))
		r = copy_string(o, "log", &c.log);
	if (r)
		return r;
	c.pid = (pid_t)pid;
	c.start_ticks = (uint64_t)start;
	c.events = json_incref(events);
	*ret = c;
	c = (struct qemuchange){0};
	return 0;
}

void qemuchange_free(struct qemuchange *c)
{
	free(c->monitor);
	free(c->marker);
	free(c->log);
	json_decref(c->events);
	*c = (struct qemuchange){0};
}

static bool is_alive(const struct qemuchange *c)
{
	struct proc_stat st;

	return !proc_stat_read(NULL, c->pid, 0, &st) && st.start_ticks == c->start_ticks &&
	       st.state != 'Z';
}

static int connect(const struct qemuchange *c, struct qmp **ret)
{
	int r = -ETIMEDOUT;

	for (int i = 0; i < CONNECT_TRIES && r && is_alive(c); i++) {
		if (i)
			poll(NULL, 0, 200);
		r = qmp_open(c->monitor, CONNECT_MS, ret);
	}
	return r;
}

static int events_off(const struct qemuchange *c, struct qmp *q)
{
	const json_t *name;
	int r = 0, err;
	size_t i;

	json_array_foreach(c->events, i, name)
	{
		err = qmp_run(q, "trace-event-set-state",
			      json_pack("{s:s, s:b, s:b}", "name", json_string_value(name),
					"enable", 0, "ignore-unavailable", 1),
			      -1, NULL);
		if (err && err != -EREMOTEIO)
			return err;
		r = r ? r : err;
	}
	return r;
}

static int set_log(struct qmp *q, const char *name)
{
	_cleanup_free_ char *command = qemulogfile_command(name), *said = NULL;
	int r = command ? qmp_human(q, command, &said) : -ENOMEM;

	if (!r && *said) {
		log_debug("logfile %s: %s", name, said);
		r = -EREMOTEIO;
	}
	return r;
}

/* The marker, too, is closed then: by an RCU callback, a little later. */
static int await_closed(const struct qemuchange *c)
{
	for (int ms = 0; ms < CLOSED_MS; ms += 20) {
		if (qemulogfile_fd(c->pid, c->marker) < 0)
			return 0;
		poll(NULL, 0, 20);
	}
	return -EBUSY;
}

int qemuchange_undo_log(const struct qemuchange *c, struct qmp *q)
{
	int r;

	/* Handed over, and not yet opened, or opened: gone when QEMU has no such name. */
	if (qmp_passes_fds(q)) {
		r = qmp_run(q, "closefd", json_pack("{s:s}", "fdname", QEMUCHANGE_FDNAME), -1,
			    NULL);
		if (r && r != -EREMOTEIO)
			return r;
	}
	if (!c->log)
		return 0;
	/* Never changed: opening it again would empty it. */
	if (qemulogfile_fd(c->pid, c->marker) < 0 && qemulogfile_is_open(c->pid, c->log))
		return 0;
	r = set_log(q, qemulogfile_is_safe(c->pid, c->log) ? c->log : "/dev/null");
	if (r == -EREMOTEIO) {
		int err = set_log(q, "/dev/null"); /* so that the instance can go */

		r = err ? err : r;
	}
	if (!r || r == -EREMOTEIO) {
		int err = await_closed(c);

		r = r ? r : err;
	}
	return r;
}

int qemuchange_undo(const struct qemuchange *c)
{
	struct qmp *q = NULL;
	int r, err;

	if (!is_alive(c))
		return 0;
	r = connect(c, &q);
	if (r)
		return is_alive(c) ? r : 0;
	r = events_off(c, q);
	if (!r || r == -EREMOTEIO) {
		err = qemuchange_undo_log(c, q);
		r = r ? r : err;
	}
	qmp_close(q);
	return r && is_alive(c) ? r : 0;
}
