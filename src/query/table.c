// SPDX-License-Identifier: GPL-2.0-or-later
#include "query/table.h"

#include <errno.h>
#include <strings.h>

#include "base/log.h"
#include "query/tables.h"
#include "sink/eventtext.h"
#include "sink/out.h"

static int thread_cmp(const void *a, const void *b)
{
	const struct query_thread *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static int find_threads(struct query_session *s)
{
	array_for_each(m, &s->in->machines)
		array_for_each(v, &m->vcpus) {
			struct query_thread *t;

			if (v->tid <= 0 || v->id == INPUT_NO_VCPU)
				continue;
			t = array_add(&s->threads);
			if (!t)
				return -ENOMEM;
			*t = (struct query_thread){v->tid, m, v};
		}
	if (s->threads.n)
		qsort(s->threads.v, s->threads.n, sizeof(*s->threads.v), thread_cmp);
	return 0;
}

static int find_first(struct query_session *s)
{
	_cleanup_timeline_ struct timeline *t = NULL;
	int r = timeline_new(s->in, NULL, &t);

	if (!r)
		s->first_ticks = timeline_first_ticks(t);
	return r;
}

int query_session_new(const struct input *in, struct query_session **ret)
{
	struct query_session *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (s) {
		s->in = in;
		r = find_threads(s);
	}
	if (!r)
		r = query_tables_make(s);
	if (r)
		log_errno(r, "cannot query \"%s\": %m", in->title);
	else
		r = find_first(s);
	if (r)
		query_session_free(s);
	else
		*ret = s;
	return r;
}

static void free_table(struct query_table *t)
{
	for (size_t i = 0; i < t->n_names; i++)
		free(t->names[i]);
	free(t->names);
	array_free(&t->columns);
	free(t->name);
	free(t->full_name);
}

void query_session_free(struct query_session *s)
{
	if (!s)
		return;
	array_for_each(t, &s->tables)
		free_table(t);
	array_free(&s->tables);
	array_for_each(k, &s->kinds)
		free((*k)->fields);
	array_free(&s->kinds);
	for (size_t i = 0; s->by_index && i < s->in->machines.n; i++)
		free(s->by_index[i]);
	free(s->by_index);
	array_free(&s->threads);
	array_free(&s->vcpus);
	array_free(&s->offsets);
	eventtext_free(s->texts);
	free(s->fields);
	strbuf_free(&s->scratch);
	free(s);
}

struct query_table *query_table_find(struct query_session *s, const char *name)
{
	array_for_each(t, &s->tables)
		if (!strcasecmp(t->name, name) || (t->full_name && !strcasecmp(t->full_name, name)))
			return t;
	return NULL;
}

void query_quote(struct strbuf *b, const char *name)
{
	strbuf_puts(b, "\"");
	for (; *name; name++) {
		if (*name == '"')
			strbuf_puts(b, "\"");
		strbuf_add(b, name, 1);
	}
	strbuf_puts(b, "\"");
}

const char *query_type_name(unsigned type)
{
	static const char *const names[] = {"", "INTEGER", "REAL", "TEXT", "BLOB"};

	return type < ARRAY_SIZE(names) ? names[type] : "";
}

void query_value_text(struct query_session *s, const char *text, size_t n, struct query_value *ret)
{
	ret->type = QUERY_TEXT;
	ret->p = text;
	ret->n = n;
	if (text_is_utf8(text, n))
		return;
	s->scratch.n = 0;
	strbuf_utf8(&s->scratch, text, n);
	ret->p = s->scratch.failed ? "" : s->scratch.s;
	ret->n = s->scratch.failed ? 0 : s->scratch.n;
}
