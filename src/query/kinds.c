// SPDX-License-Identifier: GPL-2.0-or-later
/* A table for each kind of event, of all machines that have it. Names come from files of guests. */
#include <errno.h>
#include <strings.h>

#include "query/tables.h"

#define KINDS_MAX   (1u << 16) /* of all machines */
#define COLUMNS_MAX 1000       /* half of SQLite's own limit */
#define NAME_MAX_   200

static int kind_cmp(const void *a, const void *b)
{
	const struct query_kind *x = *(struct query_kind *const *)a;
	const struct query_kind *y = *(struct query_kind *const *)b;
	int r = strcmp(x->kind->system, y->kind->system);

	if (!r)
		r = strcmp(x->kind->name, y->kind->name);
	if (!r)
		r = (x->machine > y->machine) - (x->machine < y->machine);
	return r ? r : (x->kind->index > y->kind->index) - (x->kind->index < y->kind->index);
}

static int collect(struct query_session *s)
{
	s->by_index = calloc(s->in->machines.n + 1, sizeof(*s->by_index));
	if (!s->by_index)
		return -ENOMEM;
	for (size_t i = 0; i < s->in->machines.n; i++) {
		const struct source *src = s->in->machines.v[i].source;
		const struct source_facts *f = src ? source_facts(src) : NULL;

		s->by_index[i] = calloc((f ? f->n_kinds : 0) + 1, sizeof(**s->by_index));
		if (!s->by_index[i])
			return -ENOMEM;
		for (size_t k = 0; f && k < f->n_kinds; k++) {
			struct query_kind *q = &s->by_index[i][k], **at;

			*q = (struct query_kind){f->kinds[k], NULL, (uint32_t)i, UINT32_MAX};
			if (s->kinds.n >= KINDS_MAX) /* in table events only */
				continue;
			at = array_add(&s->kinds);
			if (!at)
				return -ENOMEM;
			*at = q;
		}
	}
	if (s->kinds.n)
		qsort(s->kinds.v, s->kinds.n, sizeof(*s->kinds.v), kind_cmp);
	return 0;
}

/* A name that people can read and SQLite takes: valid UTF-8, no control characters; '~' is ours. */
static char *clean_name(const char *name, size_t n)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	strbuf_utf8(&b, name, strnlen(name, n));
	for (size_t i = 0; i < b.n && !b.failed; i++)
		if ((unsigned char)b.s[i] < 0x20 || b.s[i] == 0x7f || b.s[i] == '~')
			b.s[i] = '?';
	strbuf_puts(&b, "");
	return b.failed ? NULL : TAKE_PTR(b.s);
}

static bool same_kind(const struct query_kind *a, const struct query_kind *b)
{
	return !strcmp(a->kind->system, b->kind->system) && !strcmp(a->kind->name, b->kind->name);
}

static char *full_name(const struct source_kind *k)
{
	_cleanup_free_ char *system = clean_name(k->system, NAME_MAX_);
	_cleanup_free_ char *name = clean_name(k->name, NAME_MAX_);
	char *full;

	return system && name && asprintf(&full, "%s:%s", system, name) >= 0 ? full : NULL;
}

static int add_tables(struct query_session *s)
{
	for (size_t i = 0; i < s->kinds.n; i++) {
		struct query_kind *k = s->kinds.v[i];
		struct query_table *t;

		if (!i || !same_kind(k, s->kinds.v[i - 1])) {
			_cleanup_free_ char *name = clean_name(k->kind->name, NAME_MAX_);

			t = name ? query_table_add(s, name, NULL, &query_kind_ops) : NULL;
			if (!t)
				return -ENOMEM;
			t->full_name = full_name(k->kind);
			t->is_kind = true;
			t->first = i;
			if (!t->full_name)
				return -ENOMEM;
		}
		t = &s->tables.v[s->tables.n - 1];
		t->n++;
		k->table = t->index;
	}
	return 0;
}

static int name_cmp(const void *a, const void *b)
{
	const struct query_table *x = *(struct query_table *const *)a;
	const struct query_table *y = *(struct query_table *const *)b;

	return strcasecmp(x->name, y->name) ?: (x->index > y->index) - (x->index < y->index);
}

static bool is_taken(const char *name)
{
	return !*name || !strcasecmp(name, "session") ||
	       /* of todb.c */ !strncasecmp(name, "sqlite_", 7) ||
	       !strncasecmp(name, "pragma_", 7) || !strncasecmp(name, "json_", 5) ||
	       !strncasecmp(name, "fts", 3) || !strncasecmp(name, "rtree", 5) ||
	       !strncasecmp(name, "dbstat", 6) || !strncasecmp(name, "bytecode", 8) ||
	       !strncasecmp(name, "tables_used", 11) || strchr(name, ':');
}

static char *numbered(const char *name, size_t n)
{
	char *s;

	return asprintf(&s, "%s~%zu", name, n) < 0 ? NULL : s;
}

/* A kind's table has its short name only when no other table, and nothing of SQLite's, has. */
static int unique_names(struct query_session *s)
{
	_cleanup_free_ struct query_table **v =
		calloc(s->tables.n + 1, sizeof(struct query_table *));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < s->tables.n; i++)
		v[i] = &s->tables.v[i];
	qsort(v, s->tables.n, sizeof(*v), name_cmp);
	for (size_t i = 0, end; i < s->tables.n; i = end) {
		end = i + 1;
		while (end < s->tables.n && !strcasecmp(v[i]->name, v[end]->name))
			end++;
		for (size_t k = i; k < end; k++)
			v[k]->shares_name = end - i > 1 || is_taken(v[k]->name);
	}
	array_for_each(t, &s->tables) {
		if (!t->is_kind || !t->shares_name)
			continue;
		free(t->name);
		t->name = strdup(t->full_name);
		if (!t->name)
			return -ENOMEM;
	}
	return 0;
}

static int full_cmp(const void *a, const void *b)
{
	const struct query_table *x = *(struct query_table *const *)a;
	const struct query_table *y = *(struct query_table *const *)b;

	return strcasecmp(x->full_name, y->full_name)
		       ?: (x->index > y->index) - (x->index < y->index);
}

/* Full names that differ only in case, or in bytes that no name may have. */
static int unique_full_names(struct query_session *s)
{
	_cleanup_free_ struct query_table **v =
		calloc(s->tables.n + 1, sizeof(struct query_table *));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	array_for_each(t, &s->tables)
		if (t->is_kind)
			v[n++] = t;
	qsort(v, n, sizeof(*v), full_cmp);
	for (size_t i = 0, first = 0; i < n; i++) {
		char *name;

		if (!i || strcasecmp(v[i]->full_name, v[first]->full_name)) {
			first = i;
			continue;
		}
		name = numbered(v[i]->full_name, i - first + 1);
		if (!name)
			return -ENOMEM;
		free(v[i]->full_name);
		v[i]->full_name = name;
	}
	return 0;
}

int query_kinds_make(struct query_session *s)
{
	int r = collect(s);

	if (!r)
		r = add_tables(s);
	if (!r)
		r = unique_full_names(s);
	return r ? r : unique_names(s);
}

static const struct query_column *find_column(const struct query_table *t, const char *name)
{
	array_for_each(c, &t->columns)
		if (!strcasecmp(c->name, name))
			return c;
	return NULL;
}

/* Whether all tables of kinds have such a column. */
static bool is_common_column(const char *name)
{
	for (size_t i = 0; i < query_kind_n_front; i++)
		if (!strcasecmp(query_kind_front[i].name, name))
			return true;
	for (size_t i = 0; i < query_kind_n_back; i++)
		if (!strcasecmp(query_kind_back[i].name, name))
			return true;
	return false;
}

/* What a field is called: its own name; "arg_NAME" where all events have a column NAME. */
static char *column_name(const struct query_table *t, const char *field)
{
	_cleanup_free_ char *name = clean_name(*field ? field : "field", NAME_MAX_);
	char *arg = NULL;

	if (name && is_common_column(name)) {
		if (asprintf(&arg, "arg_%s", name) < 0)
			return NULL;
		free(name);
		name = arg;
	}
	if (!name || !find_column(t, name))
		return TAKE_PTR(name);
	return numbered(name, t->columns.n);
}

static unsigned type_of(const struct source_field *f)
{
	switch (f->type) {
	case FIELD_UINT:
	case FIELD_INT:
		return QUERY_INT;
	case FIELD_STRING:
	case FIELD_DYN_STRING:
	case FIELD_REL_STRING:
		return QUERY_TEXT;
	default:
		return QUERY_BLOB;
	}
}

static int add_column(struct query_table *t, const struct source_field *f, uint32_t field)
{
	char **names = reallocarray(t->names, t->n_names + 1, sizeof(*names));
	struct query_column *c;
	char *name;

	if (names)
		t->names = names;
	name = names ? column_name(t, f->name) : NULL;
	if (!name)
		return -ENOMEM;
	t->names[t->n_names++] = name;
	c = array_add(&t->columns);
	if (!c)
		return -ENOMEM;
	*c = (struct query_column){.name = name,
				   .type = (uint8_t)type_of(f),
				   .base = BASE_FIELD,
				   .in_file = true,
				   .field = field};
	return 0;
}

/* The fields' names so far, each as its file has it. */
struct seen {
	const char *name;
	unsigned nth; /* of that name in one kind */
};
struct seens ARRAY(struct seen);

/* The place of the nth field of that name, added when it is new; UINT32_MAX: no room. */
static int place_field(struct query_table *t, struct seens *seen, const struct source_field *f,
		       unsigned nth, uint32_t *ret)
{
	struct seen *e;

	for (size_t i = 0; i < seen->n; i++)
		if (seen->v[i].nth == nth && !strcmp(seen->v[i].name, f->name)) {
			*ret = (uint32_t)i;
			return 0;
		}
	*ret = UINT32_MAX;
	if (seen->n >= COLUMNS_MAX)
		return 0;
	e = array_add(seen);
	if (!e)
		return -ENOMEM;
	*e = (struct seen){f->name, nth};
	*ret = (uint32_t)seen->n - 1;
	return add_column(t, f, *ret);
}

static int place_fields(struct query_table *t, struct seens *seen, struct query_kind *k)
{
	size_t n = k->kind->n_fields < 2 * COLUMNS_MAX ? k->kind->n_fields : 2 * COLUMNS_MAX;

	k->fields = calloc(COLUMNS_MAX, sizeof(struct source_field *));
	if (!k->fields)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct source_field *f = &k->kind->fields[i];
		unsigned nth = 0;
		uint32_t at;
		int r;

		if (f->is_common)
			continue;
		for (size_t j = 0; j < i; j++)
			nth += !k->kind->fields[j].is_common &&
			       !strcmp(k->kind->fields[j].name, f->name);
		r = place_field(t, seen, f, nth, &at);
		if (r)
			return r;
		if (at != UINT32_MAX)
			k->fields[at] = f;
	}
	return 0;
}

int query_kinds_columns(struct query_session *s, struct query_table *t)
{
	struct seens seen = {0};
	int r = query_table_columns(t, query_kind_front, query_kind_n_front);

	for (size_t i = 0; i < t->n && !r; i++)
		r = place_fields(t, &seen, s->kinds.v[t->first + i]);
	array_free(&seen);
	if (!r)
		r = query_table_columns(t, query_kind_back, query_kind_n_back);
	return r;
}
