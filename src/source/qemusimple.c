// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/qemusimple.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/fd.h"
#include "base/log.h"
#include "source/qemuevents.h"
#include "source/textlog_parts.h"

#define MAGIC	     UINT64_C(0xf2b177cb0aa429b4)
#define VERSION	     4
#define HEADER_BYTES 24u
#define TYPE_BYTES   8u	 /* of a record */
#define EVENT_BYTES  24u /* of an event, payload apart */
#define RECORD_MAX \
	65536u /* QEMU's whole buffer has 256 KiB and is written when a quarter is full */
#define NAME_BYTES   128u
#define MAPPINGS_MAX 65536u
#define DROPPED_ID   (UINT64_MAX - 1)
#define EVENTS_BYTES (16u << 20)
#define BUFFER_BYTES (256u << 10)
#define WORDS_SHOWN  16u

enum { TYPE_MAPPING, TYPE_EVENT };

struct mapping {
	char *name;
	struct qemuevent event;
	int why_not; /* the event cannot be used: -ENOENT, -EBADMSG */
};

struct simple {
	const char *path;
	const uint8_t *p;
	size_t n, at;
	struct qemuevents *events; /* NULL: there is no list */
	char *events_text;
	struct textlog_names ids; /* u64; numbered as the mappings */
	struct ARRAY(struct mapping) mappings;
	struct strbuf out;
	int fd;
	/* what was not understood */
	uint64_t n_unknown, n_unlisted, n_misfits, n_bad_stamps;
	struct strbuf examples;
	unsigned n_examples;
	uint64_t missing;
};

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

bool qemusimple_probe(const uint8_t *p, size_t n)
{
	return n >= 16 && get64(p) == UINT64_MAX &&
	       (get64(p + 8) == MAGIC || get64(p + 8) == __builtin_bswap64(MAGIC));
}

static void add_example(struct simple *s, const char *name, const char *why)
{
	char shown[128];

	if (s->n_examples++ < TEXTLOG_EXAMPLES)
		strbuf_printf(&s->examples, "%sbyte %zu: %s: %s", s->n_examples > 1 ? "; " : "",
			      s->at, text_escape(shown, sizeof(shown), name), why);
}

/* --- mappings ------------------------------------------------------------------------------ */

static int map_event(struct simple *s, struct mapping *m)
{
	int r = s->events ? qemuevents_get(s->events, m->name, strlen(m->name), &m->event)
			  : -ENOENT;

	m->why_not = r == -ENOMEM ? 0 : r;
	return r == -ENOMEM ? r : 0;
}

/* A name that an id already has is replaced: so does QEMU's own reader. */
static int add_mapping(struct simple *s, uint64_t id, const uint8_t *name, size_t n)
{
	struct mapping *m;
	size_t i;
	int r = textlog_names_add(&s->ids, &id, sizeof(id), MAPPINGS_MAX, &i);

	if (r)
		return r == -ENOSPC ? -EBADMSG : r;
	m = i < s->mappings.n ? &s->mappings.v[i] : array_add(&s->mappings);
	if (!m)
		return -ENOMEM;
	free(m->name);
	qemuevent_free(&m->event);
	m->name = malloc(n + 1);
	if (!m->name)
		return -ENOMEM;
	for (size_t k = 0; k < n; k++) {
		bool ok = (name[k] >= 'a' && name[k] <= 'z') ||
			  (name[k] >= 'A' && name[k] <= 'Z') ||
			  (name[k] >= '0' && name[k] <= '9' && k);

		m->name[k] = ok ? (char)name[k] : '_';
	}
	m->name[n] = 0;
	return map_event(s, m);
}

/* --- events --------------------------------------------------------------------------------- */

static void put_words(struct simple *s, const uint8_t *payload, size_t n)
{
	size_t i;

	for (i = 0; i + 8 <= n && i < WORDS_SHOWN * 8; i += 8)
		strbuf_printf(&s->out, "%s0x%" PRIx64, i ? " " : "", get64(payload + i));
	if (i < n)
		strbuf_printf(&s->out, "%s(%zu bytes more)", i ? " " : "", n - i);
}

static void put_arguments(struct simple *s, struct mapping *m, const uint8_t *payload, size_t n)
{
	int r = m->why_not ?: qemuevent_print(&m->event, payload, n, &s->out);

	if (!r)
		return;
	if (r == -ENOENT) {
		s->n_unlisted++;
		add_example(s, m->name, "not in the list of trace events");
	} else {
		s->n_misfits++;
		add_example(s, m->name, "its arguments are not those of the list of trace events");
	}
	put_words(s, payload, n);
}

static void put_event(struct simple *s, const uint8_t *p, size_t n)
{
	uint64_t id = get64(p), ns = get64(p + 8);
	uint32_t pid = get32(p + 20);
	size_t i, payload = n - EVENT_BYTES;

	if (ns > INT64_MAX / 2 || pid > INT32_MAX) {
		s->n_bad_stamps++;
		add_example(s, "event", "neither its time nor its process is possible");
		return;
	}
	strbuf_printf(&s->out, "%u@%" PRIu64 ".%09" PRIu64 ":", pid, ns / 1000000000,
		      ns % 1000000000);
	i = id == DROPPED_ID ? SIZE_MAX : textlog_names_find(&s->ids, &id, sizeof(id));
	if (id == DROPPED_ID && payload == 8 && get64(p + EVENT_BYTES) < UINT64_MAX / 32) {
		strbuf_printf(&s->out, "!%" PRIu64, get64(p + EVENT_BYTES));
	} else if (i < s->mappings.n) {
		strbuf_printf(&s->out, "%s ", s->mappings.v[i].name);
		put_arguments(s, &s->mappings.v[i], p + EVENT_BYTES, payload);
	} else {
		s->n_unknown++;
		add_example(s, "event", "its number has no name");
		strbuf_printf(&s->out, "unnamed_event id 0x%" PRIx64 " ", id);
		put_words(s, p + EVENT_BYTES, payload);
	}
	strbuf_puts(&s->out, "\n");
}

/* --- records -------------------------------------------------------------------------------- */

static int flush(struct simple *s, size_t at_least)
{
	int r;

	if (s->out.failed)
		return -ENOMEM;
	if (s->out.n < at_least || !s->out.n)
		return 0;
	r = fd_write_all(s->fd, s->out.s, s->out.n);
	s->out.n = 0;
	return r;
}

/* One record at s->at. -EBADMSG: it makes no sense, and so nothing behind it does. */
static int take_record(struct simple *s)
{
	const uint8_t *p = s->p + s->at;
	size_t left = s->n - s->at, n;
	int r = 0;

	if (left < TYPE_BYTES + 12)
		return -EBADMSG;
	if (get64(p) == TYPE_MAPPING) {
		n = get32(p + TYPE_BYTES + 8);
		if (!n || n > NAME_BYTES || n > left - TYPE_BYTES - 12)
			return -EBADMSG;
		r = add_mapping(s, get64(p + TYPE_BYTES), p + TYPE_BYTES + 12, n);
		n += 12;
	} else if (get64(p) == TYPE_EVENT && left >= TYPE_BYTES + EVENT_BYTES) {
		n = get32(p + TYPE_BYTES + 16);
		if (n < EVENT_BYTES || n > RECORD_MAX || n > left - TYPE_BYTES)
			return -EBADMSG;
		put_event(s, p + TYPE_BYTES, n);
	} else {
		return -EBADMSG;
	}
	s->at += TYPE_BYTES + n;
	return r;
}

static int take_records(struct simple *s)
{
	int r = 0;

	for (s->at = HEADER_BYTES; s->at < s->n && !r;) {
		r = take_record(s);
		if (!r)
			r = flush(s, BUFFER_BYTES);
	}
	if (r == -EBADMSG) {
		s->missing = s->n - s->at;
		r = 0;
	}
	return r ? r : flush(s, 0);
}

static int check_header(const struct simple *s)
{
	if (get64(s->p + 8) != MAGIC)
		return log_err_r(-ENOTSUP,
				 "\"%s\": byte 8: the trace is of a machine with the other byte "
				 "order",
				 s->path);
	if (s->n < HEADER_BYTES || get64(s->p + 16) != VERSION)
		return log_err_r(-ENOTSUP,
				 "\"%s\": byte 16: QEMU's simple traces of version %d can be read, "
				 "this one is of version %" PRIu64,
				 s->path, VERSION, s->n < HEADER_BYTES ? 0 : get64(s->p + 16));
	return 0;
}

static int read_events(struct simple *s, const char *path)
{
	size_t n;
	int r = file_read(AT_FDCWD, path ?: QEMUSIMPLE_EVENTS, EVENTS_BYTES, &s->events_text, &n);

	if (!path && r == -ENOENT)
		return 0;
	if (!r)
		r = qemuevents_new(s->events_text, n, &s->events);
	if (r == -ENODATA)
		return log_err_r(-EINVAL,
				 "\"%s\" has no trace event; events= is QEMU's "
				 "trace-events-all",
				 path ?: QEMUSIMPLE_EVENTS);
	if (r)
		return log_err_r(r, "cannot read \"%s\", QEMU's list of trace events: %m",
				 path ?: QEMUSIMPLE_EVENTS);
	return 0;
}

static void tell(const struct simple *s)
{
	uint64_t raw = s->n_unlisted + s->n_misfits + s->n_unknown;

	if (raw || s->n_bad_stamps)
		log_warn("\"%s\": of %" PRIu64 " events the arguments are shown raw, %" PRIu64
			 " are left out: %s%s%s",
			 s->path, raw, s->n_bad_stamps, s->examples.s ?: "",
			 s->n_examples > TEXTLOG_EXAMPLES ? "; …" : "",
			 s->n_unlisted || s->n_misfits
				 ? "; give the trace-events-all of this QEMU with events="
				 : "");
	if (s->missing)
		log_warn("\"%s\": byte %zu: no record of a simple trace, or only a part of one; "
			 "this and the rest, %" PRIu64 " bytes, is not read",
			 s->path, s->at, s->missing);
}

static void simple_free(struct simple *s)
{
	array_for_each(m, &s->mappings) {
		free(m->name);
		qemuevent_free(&m->event);
	}
	array_free(&s->mappings);
	textlog_names_free(&s->ids);
	qemuevents_free(s->events);
	free(s->events_text);
	strbuf_free(&s->out);
	strbuf_free(&s->examples);
}

int qemusimple_to_text(const char *path, const uint8_t *p, size_t n, const char *events, int fd,
		       uint64_t *ret_missing)
{
	struct simple s = {.path = path, .p = p, .n = n, .fd = fd};
	int r = check_header(&s);

	if (!r)
		r = read_events(&s, events);
	if (!r) {
		r = take_records(&s);
		if (r)
			log_errno(r, "cannot convert \"%s\" in a temporary file: %m", path);
	}
	if (!r)
		tell(&s);
	*ret_missing = s.missing;
	simple_free(&s);
	return r;
}
