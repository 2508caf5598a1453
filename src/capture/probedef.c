// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/probedef.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RETURN "%return"

static bool is_plain(const char *s)
{
	for (; *s; s++)
		if (iscntrl((unsigned char)*s))
			return false;
	return true;
}

/* The last colon before the first blank: paths may have colons, arguments too. */
static const char *find_colon(const char *text, const char *end)
{
	while (end > text && *end != ':')
		end--;
	return *end == ':' ? end : NULL;
}

static int fill(const char *text, const char *colon, const char *blank, struct probe_spec *s)
{
	size_t n = (size_t)(blank - colon - 1), tail = strlen(RETURN);

	s->is_return = n > tail && !strncmp(blank - tail, RETURN, tail);
	s->binary = strndup(text, (size_t)(colon - text));
	s->symbol = strndup(colon + 1, s->is_return ? n - tail : n);
	blank += strspn(blank, " ");
	s->args = *blank ? strdup(blank) : NULL;
	return s->binary && s->symbol && (s->args || !*blank) ? 0 : -ENOMEM;
}

int probe_spec_parse(const char *text, struct probe_spec *ret)
{
	const char *blank = text + strcspn(text, " "), *colon = find_colon(text, blank);
	struct probe_spec s = {0};
	int r;

	if (!is_plain(text) || !colon || colon == text || colon + 1 == blank)
		return -EINVAL;
	r = fill(text, colon, blank, &s);
	if (!r && (!*s.symbol || strchr(s.symbol, '%')))
		r = -EINVAL;
	if (r)
		probe_spec_free(&s);
	else
		*ret = s;
	return r;
}

void probe_spec_free(struct probe_spec *s)
{
	free(s->binary);
	free(s->symbol);
	free(s->args);
	*s = (struct probe_spec){0};
}

void probe_name(const char *text, char buf[static PROBE_NAME_MAX + 1])
{
	size_t n = 0;

	if (isdigit((unsigned char)*text))
		buf[n++] = '_';
	for (; *text && n < PROBE_NAME_MAX; text++)
		buf[n++] = (char)(isascii(*text) && isalnum((unsigned char)*text) ? *text : '_');
	buf[n] = 0;
	if (!n)
		snprintf(buf, PROBE_NAME_MAX + 1, "probe");
}

void probe_define(struct strbuf *b, const char *group, const char *file, const struct probe *p)
{
	strbuf_printf(b, "%c:%s/%s %s:0x%llx", p->is_return ? 'r' : 'p', group, p->name, file,
		      (unsigned long long)p->offset);
	if (p->semaphore)
		strbuf_printf(b, "(0x%llx)", (unsigned long long)p->semaphore);
	if (p->args && *p->args)
		strbuf_printf(b, " %s", p->args);
}

const char *probe_line_name(const char *line, const char *group, size_t *ret_n)
{
	size_t n = strlen(group);

	if ((line[0] != 'p' && line[0] != 'r') || line[1] != ':' || strncmp(line + 2, group, n) ||
	    line[2 + n] != '/')
		return NULL;
	line += 3 + n;
	*ret_n = strcspn(line, " \n");
	return *ret_n ? line : NULL;
}

void probe_free(struct probe *p)
{
	free(p->name);
	free(p->args);
	*p = (struct probe){0};
}
