// SPDX-License-Identifier: GPL-2.0-or-later
/* Symbols and the formats of trace_printk(): read when first wanted, for us or for libtraceevent. */
#include <event-parse.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/log.h"
#include "source/dat.h"
#include "source/dat_format.h"
#include "source/symtab.h"

#define PRINTK_MAX 1024
#define TEXT_MAX   (256u << 20) /* kallsyms of a large kernel has 20 MB */

/* A format of trace_printk() comes with an address in front. */
static void drop_insane_lines(char *text)
{
	char *to = text;

	for (char *line = text; *line;) {
		size_t n = strcspn(line, "\n");

		n += line[n] == '\n';
		if (n < PRINTK_MAX && strstr(line, " : ") && format_string_is_sane(line, n)) {
			memmove(to, line, n);
			to += n;
		}
		line += n;
	}
	*to = 0;
}

/* The section, and in it the text behind its u32 length; false when there is none. */
static bool find_text(const struct dat *d, enum source_symbols which, struct dat_section *ret,
		      const char **ret_text, uint32_t *ret_n)
{
	bool functions = which == SYMBOLS_FUNCTIONS;
	unsigned id = functions ? DAT_KALLSYMS : DAT_PRINTK;
	uint64_t at = d->section_at[id];
	const char *wrong = NULL;

	*ret = (struct dat_section){.in = functions ? d->kallsyms : d->printk};
	if (d->version >= 7 && !at)
		return false;
	if (d->version >= 7)
		wrong = dat_section_find((struct dat *)d, at, id, ret);
	if (wrong)
		dat_warn(d, at, "section %u (%s) %s", id,
			 functions ? "symbols" : "texts of trace_printk", wrong);
	if (wrong || !dat_in_u32(&ret->in, ret_n) || *ret_n > TEXT_MAX)
		return false;
	*ret_text = dat_in_take(&ret->in, *ret_n);
	return *ret_text != NULL;
}

static void load(const struct dat *d, enum source_symbols which, struct dat_symbols *s)
{
	const char *text;
	uint32_t n;

	/* Without memory there are no names. */
	if (find_text(d, which, &s->section, &text, &n) &&
	    (which == SYMBOLS_FUNCTIONS ? symtab_new : symtab_new_printk)(text, n, &s->syms))
		s->syms = NULL;
}

const struct symtab *dat_symbols(const struct source *source, enum source_symbols which)
{
	struct dat *d = (struct dat *)source;
	struct dat_symbols *s = &d->symbols[which];

	if (atomic_load_explicit(&s->loaded, memory_order_acquire))
		return s->syms;
	pthread_mutex_lock(&d->symbols_lock);
	if (!atomic_load_explicit(&s->loaded, memory_order_relaxed)) {
		load(d, which, s);
		atomic_store_explicit(&s->loaded, true, memory_order_release);
	}
	pthread_mutex_unlock(&d->symbols_lock);
	return s->syms;
}

void dat_symbols_free(struct dat *d)
{
	pthread_mutex_destroy(&d->symbols_lock);
	for (unsigned i = 0; i < SYMBOLS_N; i++) {
		symtab_free(d->symbols[i].syms);
		dat_section_close(&d->symbols[i].section);
	}
}

void dat_symbols_to_tep(struct dat *d)
{
	if (d->texts_loaded)
		return;
	d->texts_loaded = true;
	for (unsigned i = 0; i < SYMBOLS_N; i++) {
		_cleanup_free_ char *copy = NULL;
		struct dat_section s;
		const char *text;
		uint32_t n;

		if (find_text(d, i, &s, &text, &n))
			copy = strndup(text, n);
		dat_section_close(&s);
		if (copy && i == SYMBOLS_PRINTK)
			drop_insane_lines(copy);
		if (copy)
			(i == SYMBOLS_PRINTK ? tep_parse_printk_formats
					     : tep_parse_kallsyms)(d->tep, copy);
	}
}
