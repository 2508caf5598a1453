// SPDX-License-Identifier: GPL-2.0-or-later
/* The reader; what may be in the text is in session_fields.c. */
#include "session/session_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>

#include "session/session_fields.h"

/* Where the reader is, for the message; nothing is read on after the first failure. */
struct ctx {
	struct session_why *why;
	char path[96];
	int err;
};

/* "PATH.KEY MESSAGE" into why; key may be NULL. Returns err. */
static __attribute__((format(printf, 4, 5))) int fail(struct ctx *c, int err, const char *key,
						      const char *fmt, ...)
{
	va_list ap;
	int n = snprintf(c->why->text, sizeof(c->why->text), "%s%s%s%s", c->path,
			 *c->path && key ? "." : "", key ? key : "", *c->path || key ? " " : "");

	va_start(ap, fmt);
	vsnprintf(c->why->text + n, sizeof(c->why->text) - (size_t)n, fmt, ap);
	va_end(ap);
	return err;
}

static bool is_line(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

static bool is_file_name(const char *s)
{
	return *s && *s != '.' && strlen(s) <= 200 && !strchr(s, '/') && is_line(s);
}

static int get_string(struct ctx *c, const struct field *f, const json_t *v, char **ret)
{
	const char *s = json_string_value(v);

	if (!s)
		return fail(c, -EBADMSG, f->key, "is not a string");
	if (json_string_length(v) > SESSION_STRING_MAX)
		return fail(c, -EBADMSG, f->key, "is too long");
	if (f->kind == K_FILE ? !is_file_name(s) : !is_line(s))
		return fail(c, -EBADMSG, f->key, "is not a %s",
			    f->kind == K_FILE ? "plain file name" : "single line");
	*ret = strdup(s);
	return *ret ? 0 : fail(c, -ENOMEM, f->key, "needs more memory than there is");
}

static int get_unsigned(const struct field *f, const json_t *v, void *p)
{
	uint64_t u = (uint64_t)json_integer_value(v);

	if (json_is_string(v) ? text_to_u64(json_string_value(v), &u)
			      : !json_is_integer(v) || json_integer_value(v) < 0)
		return -EBADMSG;
	if (u < (uint64_t)f->lo || u > f->hi)
		return -EBADMSG;
	if (f->size == 8)
		*(uint64_t *)p = u;
	else
		*(uint32_t *)p = (uint32_t)u;
	return 0;
}

static int get_signed(const struct field *f, const json_t *v, void *p)
{
	int64_t s = json_integer_value(v);

	if (json_is_string(v) ? text_to_s64(json_string_value(v), &s) : !json_is_integer(v))
		return -EBADMSG;
	if (s < f->lo || (s > 0 && (uint64_t)s > f->hi))
		return -EBADMSG;
	if (f->size == 8)
		*(int64_t *)p = s;
	else
		*(int32_t *)p = (int32_t)s;
	return 0;
}

static int get_value(struct ctx *c, const struct field *f, const json_t *v, void *p)
{
	int r;

	if (f->kind == K_STR || f->kind == K_FILE)
		return get_string(c, f, v, p);
	if (f->kind == K_BOOL) {
		if (!json_is_boolean(v))
			return fail(c, -EBADMSG, f->key, "is not true or false");
		*(bool *)p = json_is_true(v);
		return 0;
	}
	r = f->kind == K_INT || f->kind == K_S64 ? get_signed(f, v, p) : get_unsigned(f, v, p);
	return r ? fail(c, r, f->key, "is not a number in its range") : 0;
}

static int get_fields(struct ctx *c, const struct field *fields, const json_t *j, void *obj)
{
	char *p = obj;

	if (!json_is_object(j))
		return fail(c, -EBADMSG, NULL, "is not an object");
	for (const struct field *f = fields; f->key; f++) {
		const json_t *v = json_object_get(j, f->key);
		int r;

		if (!v && f->required)
			return fail(c, -EBADMSG, f->key, "is missing");
		if (!v || (json_is_null(v) && !f->required))
			continue;
		r = get_value(c, f, v, p + f->at);
		if (r)
			return r;
		if (f->has && f->kind != K_BOOL)
			*(bool *)(p + f->has - 1) = true;
	}
	return 0;
}

/* The list under key, NULL when there is none; a bad one is put into c->err. */
static const json_t *get_list(struct ctx *c, const json_t *j, const char *key, size_t max)
{
	const json_t *list = json_object_get(j, key);

	if (!list || json_is_null(list))
		return NULL;
	if (!json_is_array(list))
		c->err = fail(c, -EBADMSG, key, "is not a list");
	else if (json_array_size(list) > max)
		c->err = fail(c, -EBADMSG, key, "has more than %zu entries", max);
	return c->err ? NULL : list;
}

/* Reads j's list of that kind, element by element. */
static int get_items(struct ctx *c, const struct list_kind *k, const json_t *j, struct list *ret)
{
	const json_t *items = get_list(c, j, k->key, k->max);
	char outer[sizeof(c->path)];

	memcpy(outer, c->path, sizeof(outer));
	for (size_t i = 0; items && !c->err && i < json_array_size(items); i++) {
		if (array_grow_((void **)&ret->v, ret->n, &ret->size, k->bytes))
			return c->err = fail(c, -ENOMEM, NULL, "needs more memory than there is");
		memset(ret->v + ret->n * k->bytes, 0, k->bytes);
		snprintf(c->path, sizeof(c->path), "%.40s%s%s[%zu]", outer, *outer ? "." : "",
			 k->key, i);
		c->err = get_fields(c, k->fields, json_array_get(items, i),
				    ret->v + ret->n++ * k->bytes);
	}
	memcpy(c->path, outer, sizeof(outer));
	return c->err;
}

static int get_tids(struct ctx *c, const json_t *j, struct session_tids *ret)
{
	const struct field f = {"tids", K_NUM, 0, sizeof(pid_t), 1, INT32_MAX};
	const json_t *list = get_list(c, j, "tids", SESSION_TIDS_MAX);

	for (size_t i = 0; list && !c->err && i < json_array_size(list); i++) {
		pid_t *tid = array_add(ret);

		c->err = tid ? get_value(c, &f, json_array_get(list, i), tid)
			     : fail(c, -ENOMEM, NULL, "needs more memory than there is");
	}
	return c->err;
}

static int check_vcpus(struct ctx *c, const struct session_vcpus *v)
{
	for (size_t i = 1; i < v->n; i++)
		if (v->v[i].id <= v->v[i - 1].id)
			return fail(c, -EBADMSG, "vcpus", "are not sorted by id");
	return 0;
}

static int get_part(struct ctx *c, const json_t *j, struct session_part *p)
{
	c->err = get_fields(c, part_fields, j, p);
	if (c->err || get_items(c, &cpu_list, j, LIST(&p->cpus)) ||
	    get_items(c, &place_list, j, LIST(&p->vcpus)))
		return c->err;
	return 0;
}

static int get_parts(struct ctx *c, const json_t *j, struct session_machine *m)
{
	const json_t *list = get_list(c, j, "parts", SESSION_PARTS_MAX);
	char outer[sizeof(c->path)];

	memcpy(outer, c->path, sizeof(outer));
	if (list && !m->file)
		return c->err = fail(c, -EBADMSG, "parts", "come after a first file");
	for (size_t i = 0; list && !c->err && i < json_array_size(list); i++) {
		struct session_part *p = array_add(&m->parts);

		if (!p)
			return c->err = fail(c, -ENOMEM, NULL, "needs more memory than there is");
		snprintf(c->path, sizeof(c->path), "%.40s.parts[%zu]", outer, i);
		c->err = get_part(c, json_array_get(list, i), p);
		if (!c->err && i && p->begin_tsc < p[-1].begin_tsc)
			c->err = fail(c, -EBADMSG, NULL, "is earlier than the part before it");
	}
	memcpy(c->path, outer, sizeof(outer));
	return c->err;
}

static int get_machine(struct ctx *c, const json_t *j, struct session_machine *m, size_t i)
{
	snprintf(c->path, sizeof(c->path), "machines[%zu]", i);
	c->err = get_fields(c, machine_fields, j, m);
	if (c->err)
		return c->err;
	if (m->is_guest != (i > 0))
		return fail(c, -EBADMSG, "is_guest",
			    "is wrong: the first machine is the host, and only it");
	if (get_items(c, &cpu_list, j, LIST(&m->cpus)) ||
	    get_items(c, &vcpu_list, j, LIST(&m->vcpus)) || get_tids(c, j, &m->tids) ||
	    get_parts(c, j, m))
		return c->err;
	return check_vcpus(c, &m->vcpus);
}

static int get_machines(struct ctx *c, const json_t *j, struct session_machines *ret)
{
	const json_t *list = get_list(c, j, "machines", SESSION_MACHINES_MAX);

	if (!c->err && (!list || !json_array_size(list)))
		return fail(c, -EBADMSG, "machines", "is empty or missing");
	for (size_t i = 0; list && !c->err && i < json_array_size(list); i++) {
		struct session_machine *m = array_add(ret);

		c->err = m ? get_machine(c, json_array_get(list, i), m, i)
			   : fail(c, -ENOMEM, NULL, "needs more memory than there is");
	}
	c->path[0] = 0;
	return c->err;
}

static int get_pairs(struct ctx *c, const json_t *j, struct session_pairs *ret)
{
	int r = get_items(c, &pair_list, j, LIST(ret));

	for (size_t i = 1; !r && i < ret->n; i++)
		if (ret->v[i].tsc < ret->v[i - 1].tsc)
			r = fail(c, -EBADMSG, "pairs", "are not in the order of tsc");
	return r;
}

static int check_version(struct ctx *c, const json_t *j)
{
	const char *format = json_string_value(json_object_get(j, "format"));
	const json_t *version = json_object_get(j, "version");

	if (!format || strcmp(format, "onetsc-session") || !json_is_integer(version) ||
	    json_integer_value(version) < 1)
		return fail(c, -EBADMSG, NULL, "it is not the description of a session");
	if (json_integer_value(version) > SESSION_VERSION)
		return fail(c, -EPROTONOSUPPORT, NULL,
			    "it has version %" JSON_INTEGER_FORMAT
			    " and this onetsc knows version %d: use the onetsc that recorded it",
			    json_integer_value(version), SESSION_VERSION);
	return 0;
}

static void cleanup_json(json_t **j)
{
	json_decref(*j);
}

int session_from_json(const char *text, size_t n, struct session *ret, struct session_why *why)
{
	json_error_t e = {0};
	_cleanup_(cleanup_json) json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
	_cleanup_session_ struct session s = {0};
	struct ctx c = {.why = why};
	int r;

	if (!j)
		return fail(&c, -EBADMSG, NULL, "line %d is not JSON: %.120s", e.line, e.text);
	r = check_version(&c, j);
	if (!r)
		r = get_fields(&c, session_fields, j, &s);
	if (!r)
		r = get_machines(&c, j, &s.machines);
	if (!r)
		r = get_pairs(&c, j, &s.pairs);
	if (r)
		return r;
	*ret = s;
	s = (struct session){0};
	return 0;
}
