// SPDX-License-Identifier: GPL-2.0-or-later
/* Turns event formats into kinds with checked field places. libtraceevent reads those whose text
 * somebody wants: of some thousand formats in a file a few dozen have events. */
#include "source/dat.h"

#include <event-parse.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/text.h"
#include "source/symbols.h"

#define RECORD_MAX 65536 /* offsets in a record are 16 bits wide (__data_loc) */
#define KINDS_OWN  2	 /* before those of the formats */
#define SYSTEM_MAX 128	 /* bytes of its name */

struct dat_kind { /* its fields and names are behind it */
	struct source_kind k;
	uint64_t at; /* where its format is: n bytes of text, in the file or in a kept section */
	const char *text;
	size_t n;
	struct source_format format;
	bool parsed; /* by libtraceevent, if it can */
};

struct bytes { /* of a file, which may change: measured once */
	const char *p;
	size_t n;
};

static uint8_t field_type(const struct format_field *f)
{
	if (f->is_relative)
		return f->is_text ? FIELD_REL_STRING : FIELD_REL_BYTES;
	if (f->is_dynamic)
		return f->is_text ? FIELD_DYN_STRING : FIELD_DYN_BYTES;
	if (f->is_array)
		return f->is_text ? FIELD_STRING : FIELD_BYTES;
	if (f->size != 1 && f->size != 2 && f->size != 4 && f->size != 8)
		return FIELD_BYTES;
	return f->is_signed ? FIELD_INT : FIELD_UINT;
}

static char *put_name(char *to, const char *name, size_t n)
{
	memcpy(to, name, n);
	to[n] = 0;
	return to + n + 1;
}

/* Those that a record can hold. Their names go to text; returns where it ends. */
static char *put_fields(struct source_kind *k, struct source_field *out,
			const struct format_head *h, char *text)
{
	array_for_each(f, &h->fields) {
		struct source_field *o = &out[k->n_fields];

		if (f->offset + f->size > RECORD_MAX || (f->is_dynamic && f->size < 4))
			continue;
		k->n_fields++;
		o->name = text;
		text = put_name(text, f->name, f->n_name);
		o->offset = (uint16_t)f->offset;
		o->size = (uint16_t)f->size;
		o->type = field_type(f);
		o->is_common = f->is_common;
		o->is_pointer = f->is_pointer;
	}
	return text;
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

static void put_names(struct source_kind *k, struct bytes system, const struct format_head *h,
		      char *text)
{
	k->name = text;
	k->system = put_name(text, h->name, h->n_name);
	put_name((char *)k->system, system.p, system.n);
}

static size_t names_bytes(struct bytes system, const struct format_head *h)
{
	size_t n = system.n + 1 + h->n_name + 1;

	array_for_each(f, &h->fields)
		n += f->n_name + 1;
	return n;
}

/* A kind with its fields and their names in one piece; without a head it has none. */
static struct dat_kind *new_kind(struct dat *d, struct bytes system, const struct format_head *h)
{
	const struct source_kind **slot = array_add(&d->kinds);
	size_t n_fields = h ? h->fields.n : 0, n_names = h ? names_bytes(system, h) : 0;
	struct source_field *fields;
	struct dat_kind *k;

	k = slot ? calloc(1, sizeof(*k) + n_fields * sizeof(*fields) + n_names) : NULL;
	if (!k) {
		d->kinds.n -= slot != NULL;
		return NULL;
	}
	*slot = &k->k;
	fields = (struct source_field *)(k + 1);
	k->k.fields = fields;
	k->k.pid_at = -1;
	k->k.index = (uint32_t)d->kinds.n - 1;
	if (h)
		put_names(&k->k, system, h,
			  put_fields(&k->k, fields, h, (char *)(fields + n_fields)));
	return k;
}

/* The common header is the same for all events of a kernel; the decoder reads the id itself. */
static bool has_known_header(const struct format_head *h)
{
	array_for_each(f, &h->fields)
		if (f->is_common && f->n_name == 11 && !memcmp(f->name, "common_type", 11))
			return f->offset == 0 && f->size == 2;
	return false;
}

int dat_kind_add(struct dat *d, const char *system, uint64_t at, const char *text, size_t n)
{
	const struct source_field *pid;
	struct bytes name = {system, strnlen(system, SYSTEM_MAX + 1)};
	struct format_head *h = &d->head;
	struct dat_kind *k;
	int r;

	r = format_read(text, n, h);
	if (r)
		return r;
	if (h->id >= 65536 || name.n > SYSTEM_MAX)
		return -EBADMSG;
	if (!has_known_header(h)) {
		log_debug("\"%s\": event %s:%.*s has no common_type in its first two bytes",
			  d->maps.v[0]->path, system, (int)h->n_name, h->name);
		return 0;
	}
	k = new_kind(d, name, h);
	if (!k)
		return -ENOMEM;
	k->at = at;
	k->text = text;
	k->n = n;
	k->k.id = h->id;
	k->k.min_bytes = min_bytes(&k->k);
	pid = source_field_find(&k->k, "common_pid");
	if (pid && pid->size == 4)
		k->k.pid_at = pid->offset;
	return 0;
}

static struct source_kind *own_kind(struct dat *d, const char *name)
{
	struct dat_kind *k = new_kind(d, (struct bytes){0}, NULL);

	if (!k)
		return NULL;
	k->k.system = "?";
	k->k.name = name;
	k->k.id = UINT32_MAX;
	return &k->k;
}

/* By id; those of one id in the order of the file. Ours have the largest. */
static int kind_cmp(const void *a, const void *b)
{
	const struct source_kind *x = *(const struct source_kind *const *)a;
	const struct source_kind *y = *(const struct source_kind *const *)b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

/* By index: ours, then the file's. */
static void set_indexes(struct dat *d, const struct source_kind *broken,
			const struct source_kind *unknown)
{
	const struct source_kind **v = d->kinds.v;

	qsort(v, d->kinds.n, sizeof(*v), kind_cmp);
	memmove(v + KINDS_OWN, v, (d->kinds.n - KINDS_OWN) * sizeof(*v));
	v[0] = broken;
	v[1] = unknown;
	for (size_t i = 0; i < d->kinds.n; i++)
		((struct dat_kind *)v[i])->k.index = (uint32_t)i;
}

int dat_kinds_build(struct dat *d)
{
	const struct source_kind *broken = own_kind(d, "broken-record");
	const struct source_kind *unknown = own_kind(d, "unknown-event");

	array_free(&d->head.fields);
	if (!broken || !unknown)
		return -ENOMEM;
	set_indexes(d, broken, unknown);
	d->n_ids = d->kinds.n > KINDS_OWN ? d->kinds.v[d->kinds.n - 1]->id + 1 : 1;
	d->by_id = calloc(d->n_ids, sizeof(*d->by_id));
	if (!d->by_id)
		return -ENOMEM;
	for (size_t i = KINDS_OWN; i < d->kinds.n; i++)
		if (!d->by_id[d->kinds.v[i]->id])
			d->by_id[d->kinds.v[i]->id] = d->kinds.v[i];
	d->s.facts.kinds = d->kinds.v;
	d->s.facts.n_kinds = d->kinds.n;
	return 0;
}

void dat_kinds_free(struct dat *d)
{
	array_for_each(k, &d->kinds)
		free((void *)*k);
	array_free(&d->kinds);
	array_free(&d->head.fields);
	free(d->by_id);
}

/* --- libtraceevent --- */

/* Its parser has static buffers, whatever the handle. */
static pthread_mutex_t tep_mutex = PTHREAD_MUTEX_INITIALIZER;

void dat_tep_lock(void)
{
	pthread_mutex_lock(&tep_mutex);
}

void dat_tep_unlock(void)
{
	pthread_mutex_unlock(&tep_mutex);
}

/* A text that is not to be trusted is left out; it is then what report --raw shows. From a copy:
 * what is checked must be what is parsed, whatever happens to the file. */
static struct tep_event *parse(struct dat *d, const struct dat_kind *k)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct tep_event *e = NULL;
	enum format_sanity sanity;
	size_t fmt;

	strbuf_add(&b, k->text, k->n);
	if (b.failed)
		return NULL;
	sanity = format_check(b.s, b.n, &fmt);
	if (sanity == FORMAT_BAD)
		return NULL;
	if (sanity == FORMAT_FIELDS) {
		b.n = fmt;
		strbuf_puts(&b, "print fmt: \"\"\n");
	}
	dat_tep_lock();
	if (b.failed || tep_parse_format(d->tep, &e, b.s, b.n, k->k.system))
		e = NULL;
	dat_tep_unlock();
	return e && (unsigned)e->id == k->k.id ? e : NULL;
}

struct source_format dat_format(const struct source *s, const struct source_kind *kind)
{
	struct dat_kind *k = (struct dat_kind *)kind;
	struct dat *d = (struct dat *)s;

	if (!k->parsed && k->text) {
		struct tep_event *e = parse(d, k);

		k->format.event = e;
		k->format.has_text = e && (!e->print_fmt.format || *e->print_fmt.format);
		if (!e)
			log_debug(
				"\"%s\": byte %llu: libtraceevent cannot read the format of %s:%s",
				d->maps.v[0]->path, (unsigned long long)k->at, kind->system,
				kind->name);
	}
	k->parsed = true;
	return k->format;
}
