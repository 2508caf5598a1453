// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/qemuevents.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "source/qemuprint.h"
#include "source/textlog_parts.h"

#define EVENTS_MAX 65536u

struct qemuevents {
	struct textlog_names names;
	struct ARRAY(struct line {
		const char *p;
		const char *end;
	}) lines; /* as the names are numbered */
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	return p;
}

/* The name of the event that a line describes; behind it is '('. False: it describes none. */
static bool find_name(const char *p, const char *end, const char **ret_name, size_t *ret_n)
{
	for (;;) {
		const char *word = skip_blanks(p, end);

		for (p = word; p < end && is_word(*p);)
			p++;
		if (p == word || p == end)
			return false;
		*ret_name = word;
		*ret_n = (size_t)(p - word);
		if (*p == '(')
			return true;
		if (*p != ' ' && *p != '\t') /* a property: "disable", "vcpu" */
			return false;
	}
}

static int add_line(struct qemuevents *e, const char *p, const char *end)
{
	struct line *line;
	const char *name;
	size_t n, i;
	int r;

	if (!find_name(p, end, &name, &n))
		return 0;
	r = textlog_names_add(&e->names, name, n, EVENTS_MAX, &i);
	if (r)
		return r == -ENOSPC ? 0 : r;
	if (i < e->lines.n) /* the first of that name counts */
		return 0;
	line = array_add(&e->lines);
	if (!line)
		return -ENOMEM;
	*line = (struct line){name + n, end};
	return 0;
}

int qemuevents_new(const char *text, size_t n, struct qemuevents **ret)
{
	struct qemuevents *e = calloc(1, sizeof(*e));
	const char *stop = text + n;
	int r = e ? 0 : -ENOMEM;

	for (const char *p = text; p < stop && !r;) {
		const char *end = memchr(p, '\n', (size_t)(stop - p)) ?: stop;

		if (*p != '#')
			r = add_line(e, p, end);
		p = end < stop ? end + 1 : stop;
	}
	if (!r && !e->lines.n)
		r = -ENODATA;
	if (r) {
		qemuevents_free(e);
		return r;
	}
	*ret = e;
	return 0;
}

void qemuevents_free(struct qemuevents *e)
{
	if (!e)
		return;
	textlog_names_free(&e->names);
	array_free(&e->lines);
	free(e);
}

static bool begins(const char *p, const char *end, const char *with)
{
	size_t n = strlen(with);

	return (size_t)(end - p) >= n && !memcmp(p, with, n);
}

/* As scripts/tracetool/backend/simple.py: is_string(). */
static bool is_string(const char *p, const char *end)
{
	p = skip_blanks(p, end);
	return begins(p, end, "const char*") || begins(p, end, "char*") ||
	       begins(p, end, "const char *") || begins(p, end, "char *");
}

/* Between the brackets: "void", or a type and a name per comma. */
static int parse_args(const char *p, const char *end, struct qemuevent *e)
{
	p = skip_blanks(p, end);
	if (p == end || (begins(p, end, "void") && skip_blanks(p + 4, end) == end))
		return 0;
	for (;;) {
		const char *comma = memchr(p, ',', (size_t)(end - p)) ?: end;

		if (e->n_args == QEMUEVENT_ARGS_MAX)
			return -EBADMSG;
		e->is_string[e->n_args++] = is_string(p, comma);
		if (comma == end)
			return 0;
		p = comma + 1;
	}
}

int qemuevents_get(const struct qemuevents *e, const char *name, size_t n, struct qemuevent *ret)
{
	size_t i = textlog_names_find(&e->names, name, n);
	const struct line *l;
	const char *quote, *close;
	int r;

	*ret = (struct qemuevent){0};
	if (i == SIZE_MAX)
		return -ENOENT;
	l = &e->lines.v[i];
	quote = memchr(l->p, '"', (size_t)(l->end - l->p)) ?: l->end;
	close = memrchr(l->p, ')', (size_t)(quote - l->p));
	if (!close)
		return -EBADMSG;
	r = parse_args(l->p + 1, close, ret);
	if (!r)
		r = qemuprint_format(close + 1, l->end, &ret->format);
	if (r)
		qemuevent_free(ret);
	return r;
}

void qemuevent_free(struct qemuevent *e)
{
	free(e->format);
	*e = (struct qemuevent){0};
}

/* The next argument off the payload; false: it ends before. */
static bool take_arg(const uint8_t **p, const uint8_t *end, bool string, struct qemuprint_arg *ret)
{
	size_t left = (size_t)(end - *p);
	uint32_t n;

	*ret = (struct qemuprint_arg){0};
	if (!string) {
		if (left < 8)
			return false;
		memcpy(&ret->v, *p, 8);
		*p += 8;
		return true;
	}
	if (left < 4)
		return false;
	memcpy(&n, *p, 4);
	if (n > left - 4)
		return false;
	ret->s = (const char *)*p + 4;
	ret->n = n;
	*p += 4 + (size_t)n;
	return true;
}

int qemuevent_print(const struct qemuevent *e, const uint8_t *payload, size_t n, struct strbuf *b)
{
	struct qemuprint_arg args[QEMUEVENT_ARGS_MAX];
	const uint8_t *p = payload;

	for (unsigned i = 0; i < e->n_args; i++)
		if (!take_arg(&p, payload + n, e->is_string[i], &args[i]))
			return -EBADMSG;
	if (p != payload + n)
		return -EBADMSG;
	qemuprint(e->format, args, e->n_args, b);
	return 0;
}
