// SPDX-License-Identifier: GPL-2.0-or-later
/* Turns the event formats that libtraceevent parsed into kinds with checked field places. */
#include "source/dat.h"

#include <event-parse.h>
#include <stdlib.h>

#include "base/log.h"

#define RECORD_MAX 65536 /* offsets in a record are 16 bits wide (__data_loc) */

static uint8_t field_type(const struct tep_format_field *f)
{
	bool text = f->flags & TEP_FIELD_IS_STRING;

	if (f->flags & TEP_FIELD_IS_DYNAMIC) {
		if (f->flags & TEP_FIELD_IS_RELATIVE)
			return text ? FIELD_REL_STRING : FIELD_REL_BYTES;
		return text ? FIELD_DYN_STRING : FIELD_DYN_BYTES;
	}
	if (f->flags & TEP_FIELD_IS_ARRAY)
		return text ? FIELD_STRING : FIELD_BYTES;
	if (f->size != 1 && f->size != 2 && f->size != 4 && f->size != 8)
		return FIELD_BYTES;
	return f->flags & TEP_FIELD_IS_SIGNED ? FIELD_INT : FIELD_UINT;
}

static size_t add_fields(struct source_field *out, const struct tep_format_field *f, bool common)
{
	size_t n = 0;

	for (; f; f = f->next) {
		struct source_field *o = &out[n];

		if (f->offset < 0 || f->size < 0 || f->offset + (long)f->size > RECORD_MAX)
			continue;
		o->name = f->name;
		o->offset = (uint16_t)f->offset;
		o->size = (uint16_t)f->size;
		o->type = field_type(f);
		o->is_common = common;
		o->is_pointer = f->flags & TEP_FIELD_IS_POINTER;
		if ((o->type >= FIELD_DYN_STRING && o->type != FIELD_BYTES) && o->size < 4)
			continue;
		n++;
	}
	return n;
}

static size_t count_fields(const struct tep_format_field *f)
{
	size_t n = 0;

	for (; f; f = f->next)
		n++;
	return n;
}

/* Fixed arrays may be cut short by the end of the record, so they do not count. */
static uint32_t min_bytes(const struct source_kind *k)
{
	uint32_t min = 2; /* common_type */

	for (size_t i = 0; i < k->n_fields; i++) {
		const struct source_field *f = &k->fields[i];
		uint32_t end = (uint32_t)f->offset + f->size;

		if (f->type == FIELD_STRING || f->type == FIELD_BYTES)
			end = f->offset;
		min = end > min ? end : min;
	}
	return min;
}

static struct source_kind *kind_add(struct dat *d, const char *system, const char *name,
				    uint32_t id)
{
	const struct source_kind **slot = array_add(&d->kinds);
	struct source_kind *k = slot ? calloc(1, sizeof(*k)) : NULL;

	if (!k)
		return NULL;
	*slot = k;
	k->system = system;
	k->name = name;
	k->id = id;
	k->index = (uint32_t)d->kinds.n - 1;
	k->pid_at = -1;
	return k;
}

static int kind_of_event(struct dat *d, struct tep_event *e)
{
	size_t n = count_fields(e->format.common_fields) + count_fields(e->format.fields);
	struct source_field *fields = calloc(n + 1, sizeof(*fields));
	const struct source_field *pid;
	struct source_kind *k;

	if (!fields)
		return -ENOMEM;
	k = kind_add(d, e->system, e->name, (uint32_t)e->id);
	if (!k) {
		free(fields);
		return -ENOMEM;
	}
	k->fields = fields;
	k->n_fields = add_fields(fields, e->format.common_fields, true);
	k->n_fields += add_fields(fields + k->n_fields, e->format.fields, false);
	k->min_bytes = min_bytes(k);
	/* dat_meta.c has left out a text that is not to be trusted */
	k->format = e;
	k->has_text = !e->print_fmt.format || *e->print_fmt.format;
	pid = source_field_find(k, "common_pid");
	if (pid && pid->size == 4)
		k->pid_at = pid->offset;
	if (!d->by_id[e->id])
		d->by_id[e->id] = k;
	return 0;
}

/* The common header is the same for all events of a kernel; the decoder reads the id itself. */
static bool has_known_header(struct tep_event *e)
{
	struct tep_format_field *f = tep_find_common_field(e, "common_type");

	return f && f->offset == 0 && f->size == 2;
}

int dat_kinds_build(struct dat *d)
{
	int n = tep_get_events_count(d->tep), r = 0, max_id = 0;
	struct tep_event *e;

	for (int i = 0; i < n; i++) {
		e = tep_get_event(d->tep, i);
		if (e && e->id > max_id && e->id < 65536)
			max_id = e->id;
	}
	d->by_id = calloc((size_t)max_id + 1, sizeof(*d->by_id));
	if (!d->by_id || !kind_add(d, "?", "broken-record", UINT32_MAX) ||
	    !kind_add(d, "?", "unknown-event", UINT32_MAX))
		return -ENOMEM;
	d->n_ids = (unsigned)max_id + 1;
	for (int i = 0; i < n && !r; i++) {
		e = tep_get_event(d->tep, i);
		if (!e || !e->name || !e->system || e->id < 0 || e->id > max_id)
			continue;
		if (!has_known_header(e))
			log_debug("\"%s\": event %s:%s has no common_type in its first two bytes",
				  d->maps.v[0]->path, e->system, e->name);
		else
			r = kind_of_event(d, e);
	}
	d->s.facts.kinds = d->kinds.v;
	d->s.facts.n_kinds = d->kinds.n;
	return r;
}

void dat_kinds_free(struct dat *d)
{
	array_for_each(k, &d->kinds) {
		if (*k)
			free((void *)(*k)->fields);
		free((void *)*k);
	}
	array_free(&d->kinds);
	free(d->by_id);
}
