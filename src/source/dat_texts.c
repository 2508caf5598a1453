// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/texts.h"

#include <errno.h>

#include "source/dat.h"
#include "source/dat_format.h"

#define DESCRIPTIONS_AT 18 /* version 6: behind magic, version, endianness, long and page size */

struct part { /* of a file, in the order of version 6 */
	unsigned id;
	int (*take)(struct dat_in *in, struct source_texts *t);
};

static bool take_bytes(struct dat_in *in, uint64_t n, struct dat_text *ret)
{
	const void *p = dat_in_take(in, n);

	if (p)
		*ret = (struct dat_text){NULL, p, n};
	return p != NULL;
}

static int take_header(struct dat_in *in, struct source_texts *t)
{
	static const char *const names[] = {"header_page", "header_event"};
	uint64_t n;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!dat_in_magic(in, names[i], strlen(names[i]) + 1) || !dat_in_u64(in, &n) ||
		    !dat_in_take(in, n))
			return -ENODATA;
	return 0;
}

static int take_formats(struct dat_in *in, const char *system, bool is_ftrace,
			struct source_texts *t)
{
	uint32_t count;

	if (!dat_in_u32(in, &count))
		return -ENODATA;
	for (uint32_t i = 0; i < count; i++) {
		struct dat_text text, *to;
		uint64_t n;
		size_t fmt;

		if (!dat_in_u64(in, &n) || !take_bytes(in, n, &text))
			return -ENODATA;
		if (format_check(text.s, text.n, &fmt) == FORMAT_BAD)
			continue;
		to = is_ftrace ? array_add(&t->ftrace) : array_add(&t->events);
		if (!to)
			return -ENOMEM;
		*to = (struct dat_text){system, text.s, text.n};
	}
	return 0;
}

static int take_ftrace(struct dat_in *in, struct source_texts *t)
{
	return take_formats(in, "ftrace", true, t);
}

static int take_events(struct dat_in *in, struct source_texts *t)
{
	uint32_t systems;
	int r = 0;

	if (!dat_in_u32(in, &systems))
		return -ENODATA;
	for (uint32_t i = 0; i < systems && !r; i++) {
		const char *system = dat_in_str(in);

		r = system ? take_formats(in, system, false, t) : -ENODATA;
	}
	return r;
}

static int take_short(struct dat_in *in, struct dat_text *ret)
{
	uint32_t n;

	return dat_in_u32(in, &n) && take_bytes(in, n, ret) ? 0 : -ENODATA;
}

static int take_kallsyms(struct dat_in *in, struct source_texts *t)
{
	return take_short(in, &t->kallsyms);
}

static int take_printk(struct dat_in *in, struct source_texts *t)
{
	return take_short(in, &t->printk);
}

static int take_cmdlines(struct dat_in *in, struct source_texts *t)
{
	uint64_t n;

	return dat_in_u64(in, &n) && take_bytes(in, n, &t->cmdlines) ? 0 : -ENODATA;
}

static const struct part parts[] = {
	{DAT_HEADER_INFO, take_header},	  {DAT_FTRACE_EVENTS, take_ftrace},
	{DAT_EVENT_FORMATS, take_events}, {DAT_KALLSYMS, take_kallsyms},
	{DAT_PRINTK, take_printk},	  {DAT_CMDLINES, take_cmdlines},
};

/* One behind the other. Where one makes no sense there are no others: said when the file was opened. */
static int texts_v6(struct dat *d, struct source_texts *t)
{
	const struct dat_map *m = d->maps.v[0];
	struct dat_in in = {m->p, m->p, m->p + m->n, 0};
	int r = dat_in_take(&in, DESCRIPTIONS_AT) ? 0 : -ENODATA;

	for (unsigned i = 0; i < ARRAY_SIZE(parts) && !r; i++)
		r = parts[i].take(&in, t);
	return r == -ENODATA ? 0 : r;
}

static int texts_v7(struct dat *d, struct source_texts *t)
{
	int r = 0;

	for (unsigned i = 1; i < ARRAY_SIZE(parts) && (!r || r == -ENODATA); i++) {
		uint64_t at = d->section_at[parts[i].id];
		struct dat_section s;

		if (!at || dat_section_find(d, at, parts[i].id, &s))
			continue;
		t->own[i - 1] = s.own;
		r = parts[i].take(&s.in, t);
	}
	return r == -ENODATA ? 0 : r;
}

int source_texts(struct source *s, struct source_texts *ret)
{
	struct dat *d = (struct dat *)s;
	struct source_texts t = {0};
	int r;

	_Static_assert(ARRAY_SIZE(parts) == ARRAY_SIZE(t.own) + 1, "own has what sections hold");
	if (s->ops != &source_tracedat)
		return -EOPNOTSUPP;
	array_for_each(l, &d->lanes)
		if (l->page_bytes > t.page_bytes)
			t.page_bytes = l->page_bytes;
	r = d->version == 6 ? texts_v6(d, &t) : texts_v7(d, &t);
	if (r)
		source_texts_free(&t);
	else
		*ret = t;
	return r;
}

void source_texts_free(struct source_texts *t)
{
	array_free(&t->ftrace);
	array_free(&t->events);
	for (unsigned i = 0; i < ARRAY_SIZE(t->own); i++)
		free(t->own[i]);
	*t = (struct source_texts){0};
}
