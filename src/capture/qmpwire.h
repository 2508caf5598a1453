/* SPDX-License-Identifier: GPL-2.0-or-later */
/* QMP, the protocol of QEMU's monitor (docs/interop/qmp-spec in QEMU): one JSON object per line. Pure;
 * whoever answers at the socket may be hostile. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/array.h"
#include "base/cleanup.h"

#define QMP_LINE_MAX   (4u << 20) /* the states of all events of QEMU 10 take 0.4 MB */
#define QMP_EVENTS_MAX 65536

static inline void cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ _cleanup_(cleanup_json)

enum qmp_kind {
	QMP_GREETING,
	QMP_EVENT, /* nobody asked */
	QMP_RETURN,
	QMP_ERROR,
};

struct qmp_message {
	enum qmp_kind kind;
	bool has_id;
	uint64_t id;   /* of the command that is answered */
	json_t *value; /* of a return, owned */
	char *error;   /* "CLASS: text", printable */
};

/* {"execute": NAME, "arguments": ARGS, "id": ID} and a newline, which the caller frees; takes args over,
 * which may be NULL; id 0: none. NULL without memory. */
char *qmp_command(const char *name, json_t *args, uint64_t id);
/* One line without its newline. -EBADMSG: no message of QMP; -ENOMEM. */
must_check int qmp_message_parse(const char *line, size_t n, struct qmp_message *ret);
void qmp_message_free(struct qmp_message *m);

/* Answer of trace-event-get-state. */
struct qmp_event {
	char *name;
	bool on, available;
};
struct qmp_events ARRAY(struct qmp_event);
/* Appends; -EBADMSG: no list of events, or names that are none (letters, digits, _). */
must_check int qmp_events_parse(const json_t *value, struct qmp_events *ret);
bool qmp_event_name_ok(const char *name);
void qmp_events_free(struct qmp_events *e);
#define _cleanup_qmp_events_ _cleanup_(qmp_events_free)
