// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/eventtext.h"

#include <event-parse.h>
#include <pthread.h>
#include <trace-seq.h>

#include "base/log.h"
#include "base/text.h"

/* libtraceevent trusts lengths and offsets inside records (16 bits each, and strings up to a NUL
 * somewhere behind them). It therefore gets a copy with this much zeroed room behind it. */
#define RECORD_MAX (1u << 20)
#define ROOM	   (4u << 20)

/* libtraceevent's handles are shared, and not made for several threads. */
static pthread_mutex_t tep_lock = PTHREAD_MUTEX_INITIALIZER;

struct eventtext {
	const struct input *in;
	struct tep_handle **teps; /* by machine, when first needed */
	struct trace_seq seq;
	bool has_seq;
	char *copy; /* RECORD_MAX + ROOM bytes, zero between calls */
	struct strbuf raw;
};

int eventtext_new(const struct input *in, struct eventtext **ret)
{
	struct eventtext *t = calloc(1, sizeof(*t));

	if (t)
		t->teps = calloc(in->machines.n + 1, sizeof(*t->teps));
	if (t)
		t->copy = calloc(1, RECORD_MAX + ROOM);
	if (!t || !t->teps || !t->copy) {
		eventtext_free(t);
		return log_err_r(-ENOMEM, "cannot print events: %m");
	}
	t->in = in;
	trace_seq_init(&t->seq);
	t->has_seq = true;
	*ret = t;
	return 0;
}

void eventtext_free(struct eventtext *t)
{
	if (!t)
		return;
	if (t->has_seq)
		trace_seq_destroy(&t->seq);
	strbuf_free(&t->raw);
	free(t->teps);
	free(t->copy);
	free(t);
}

static const char *plain(struct eventtext *t, size_t *ret_n)
{
	*ret_n = t->raw.failed ? 0 : t->raw.n;
	return t->raw.failed || !t->raw.s ? "" : t->raw.s;
}

/* Records that no format describes: their bytes. */
static const char *dump(struct eventtext *t, const struct event *ev, size_t *ret_n)
{
	const uint8_t *p = ev->data;
	uint16_t id = 0;

	t->raw.n = 0;
	if (ev->size >= 2)
		memcpy(&id, p, 2);
	strbuf_printf(&t->raw, "id %u, %u bytes:", id, ev->size);
	for (uint32_t i = 0; i < ev->size && i < 64; i++)
		strbuf_printf(&t->raw, " %02x", p[i]);
	if (ev->size > 64)
		strbuf_puts(&t->raw, " ...");
	return plain(t, ret_n);
}

const char *eventtext_get(struct eventtext *t, const struct event *ev, size_t *ret_n)
{
	struct tep_record record = {.ts = ev->raw_ticks,
				    .cpu = ev->cpu,
				    .size = (int)ev->size,
				    .record_size = (int)ev->size,
				    .data = t->copy};

	if (!ev->kind->format || ev->size > RECORD_MAX)
		return eventtext_raw(t, ev, ret_n);
	if (!t->teps[ev->machine]) {
		pthread_mutex_lock(&tep_lock);
		t->teps[ev->machine] = source_tep(t->in->machines.v[ev->machine].source);
		pthread_mutex_unlock(&tep_lock);
	}
	memcpy(t->copy, ev->data, ev->size);
	trace_seq_reset(&t->seq);
	pthread_mutex_lock(&tep_lock);
	tep_print_event(t->teps[ev->machine], &t->seq, &record, "%s", TEP_PRINT_INFO);
	pthread_mutex_unlock(&tep_lock);
	memset(t->copy, 0, ev->size);
	*ret_n = t->seq.state == TRACE_SEQ__GOOD ? t->seq.len : 0;
	while (*ret_n && t->seq.buffer[*ret_n - 1] == '\n')
		--*ret_n;
	return t->seq.buffer;
}

static void raw_field(struct strbuf *b, const struct source_field *f, const struct event *ev)
{
	const char *p;
	size_t n;

	strbuf_printf(b, "%s%s=", b->n ? " " : "", f->name);
	if (f->type == FIELD_UINT || f->type == FIELD_INT) {
		uint64_t v = source_field_u64(f, ev->data);

		if (f->is_pointer)
			strbuf_printf(b, "0x%llx", (unsigned long long)v);
		else if (f->type == FIELD_INT)
			strbuf_printf(b, "%lld", (long long)v);
		else
			strbuf_printf(b, "%llu", (unsigned long long)v);
		return;
	}
	p = source_field_bytes(f, ev->data, ev->size, &n);
	if (!p) {
		strbuf_puts(b, "(outside the record)");
	} else if (f->type == FIELD_STRING || f->type == FIELD_DYN_STRING ||
		   f->type == FIELD_REL_STRING) {
		strbuf_add(b, p, n);
	} else {
		for (size_t i = 0; i < n; i++)
			strbuf_printf(b, "%02x", (unsigned char)p[i]);
	}
}

const char *eventtext_raw(struct eventtext *t, const struct event *ev, size_t *ret_n)
{
	const struct source_kind *k = ev->kind;

	if (!k->n_fields)
		return dump(t, ev, ret_n);
	t->raw.n = 0;
	for (size_t i = 0; i < k->n_fields; i++)
		if (!k->fields[i].is_common)
			raw_field(&t->raw, &k->fields[i], ev);
	return plain(t, ret_n);
}
