// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/qmpwire.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"

#define ERROR_SHOWN 300

char *qmp_command(const char *name, json_t *args, uint64_t id)
{
	_cleanup_json_ json_t *o = json_pack("{s:s}", "execute", name);
	_cleanup_free_ char *text = NULL;
	char *line = NULL;

	if (!o || (args && json_object_set(o, "arguments", args)) ||
	    (id && json_object_set_new(o, "id", json_integer((json_int_t)id)))) {
		json_decref(args);
		return NULL;
	}
	json_decref(args);
	text = json_dumps(o, JSON_COMPACT);
	if (!text || asprintf(&line, "%s\n", text) < 0)
		return NULL;
	return line;
}

static int take_error(const json_t *error, struct qmp_message *m)
{
	const char *class = json_string_value(json_object_get(error, "class"));
	const char *desc = json_string_value(json_object_get(error, "desc"));
	char a[64], b[ERROR_SHOWN];

	if (!class || !desc)
		return -EBADMSG;
	m->kind = QMP_ERROR;
	text_escape(a, sizeof(a), class);
	text_escape(b, sizeof(b), desc);
	if (asprintf(&m->error, "%s: %s", a, b) < 0)
		m->error = NULL;
	return m->error ? 0 : -ENOMEM;
}

static int take_message(json_t *o, struct qmp_message *m)
{
	const json_t *id = json_object_get(o, "id");
	json_t *value = json_object_get(o, "return");

	if (json_is_integer(id) && json_integer_value(id) >= 0) {
		m->has_id = true;
		m->id = (uint64_t)json_integer_value(id);
	}
	if (value) {
		m->kind = QMP_RETURN;
		m->value = json_incref(value);
		return 0;
	}
	if (json_is_object(json_object_get(o, "error")))
		return take_error(json_object_get(o, "error"), m);
	if (json_is_string(json_object_get(o, "event")))
		m->kind = QMP_EVENT;
	else if (json_is_object(json_object_get(o, "QMP")))
		m->kind = QMP_GREETING;
	else
		return -EBADMSG;
	return 0;
}

int qmp_message_parse(const char *line, size_t n, struct qmp_message *ret)
{
	_cleanup_json_ json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	struct qmp_message m = {0};
	int r = json_is_object(o) ? take_message(o, &m) : -EBADMSG;

	if (!r)
		*ret = m;
	return r;
}

void qmp_message_free(struct qmp_message *m)
{
	json_decref(m->value);
	free(m->error);
	*m = (struct qmp_message){0};
}

bool qmp_event_name_ok(const char *name)
{
	size_t n = 0;

	while (isalnum((unsigned char)name[n]) || name[n] == '_')
		n++;
	return n && !name[n] && n < 128;
}

static int add_event(const json_t *o, struct qmp_events *list)
{
	const char *name = json_string_value(json_object_get(o, "name"));
	const char *state = json_string_value(json_object_get(o, "state"));
	struct qmp_event *e;

	if (!name || !state || !qmp_event_name_ok(name) || list->n >= QMP_EVENTS_MAX)
		return -EBADMSG;
	e = array_add(list);
	if (!e)
		return -ENOMEM;
	e->on = !strcmp(state, "enabled");
	e->available = e->on || !strcmp(state, "disabled");
	e->name = strdup(name);
	return e->name ? 0 : -ENOMEM;
}

int qmp_events_parse(const json_t *value, struct qmp_events *ret)
{
	const json_t *o;
	size_t i;
	int r = json_is_array(value) ? 0 : -EBADMSG;

	json_array_foreach(value, i, o) if (!r) r = add_event(o, ret);
	return r;
}

void qmp_events_free(struct qmp_events *e)
{
	array_for_each(ev, e)
		free(ev->name);
	array_free(e);
}
