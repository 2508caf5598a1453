// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/source.h"

#include <errno.h>
#include <fcntl.h>

#include "base/fd.h"
#include "base/log.h"
#include "source/symtab.h"
#include "source/ops.h"
#include "source/symbols.h"

static const struct source_ops *const formats[] = {
	&source_tracedat,
	NULL,
};

#if defined(__has_feature)
#if __has_feature(address_sanitizer) /* clang's way to say so */
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
/* libtraceevent 1.7.1 loses a few bytes in each format with a cast (process_arg_token()). */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libtraceevent.so\n";
}
const char *__lsan_default_options(void)
{
	return "print_suppressions=0";
}
#endif

int source_open(const char *path, struct source **ret)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t head[64];
	ssize_t n;

	if (fd < 0)
		return log_err_r(-errno, "cannot open \"%s\": %m", path);
	n = read(fd, head, sizeof(head));
	if (n < 0)
		return log_err_r(-errno, "cannot read \"%s\": %m", path);
	for (size_t i = 0; formats[i]; i++)
		if (formats[i]->probe(path, head, (size_t)n))
			return formats[i]->open(path, ret);
	return log_err_r(-EMEDIUMTYPE,
			 "\"%s\" is not a trace file of a known format (trace.dat); a text "
			 "log is given as --text FILE,machine=…",
			 path);
}

void source_free(struct source *s)
{
	if (s)
		s->ops->free(s);
}

const struct source_facts *source_facts(const struct source *s)
{
	return &s->facts;
}

const struct source_kind *source_kind_find(const struct source *s, const char *system,
					   const char *name)
{
	for (size_t i = 0; i < s->facts.n_kinds; i++) {
		const struct source_kind *k = s->facts.kinds[i];

		if (!strcmp(k->name, name) && !strcmp(k->system, system))
			return k;
	}
	return NULL;
}

const char *source_comm(const struct source *s, int pid)
{
	return s->ops->comm(s, pid);
}

void source_comm_learn(struct source *s, int pid, const char *name, size_t n)
{
	s->ops->comm_learn(s, pid, name, n);
}

const char *source_symbol(const struct source *s, uint64_t addr, uint64_t *ret_start, size_t *ret_n)
{
	return symtab_find(s->ops->symbols(s, SYMBOLS_FUNCTIONS), addr, ret_start, ret_n);
}

uint64_t source_symbol_address(const struct source *s, const char *name)
{
	return symtab_address(s->ops->symbols(s, SYMBOLS_FUNCTIONS), name);
}

const char *source_printk(const struct source *s, uint64_t addr, size_t *ret_n)
{
	return symtab_find_exact(s->ops->symbols(s, SYMBOLS_PRINTK), addr, ret_n);
}

struct tep_handle *source_tep(const struct source *s, bool symbols)
{
	return s->ops->tep(s, symbols);
}

struct source_format source_format(const struct source *s, const struct source_kind *k)
{
	return s->ops->format(s, k);
}

int source_cursor_new(struct source *s, size_t lane, const bool *wanted, struct source_cursor **ret)
{
	return s->ops->cursor_new(s, lane, wanted, ret);
}

void source_cursor_free(struct source_cursor *c)
{
	if (c)
		c->ops->cursor_free(c);
}

int source_cursor_read(struct source_cursor *c, struct source_item *items, unsigned max)
{
	return c->ops->cursor_read(c, items, max);
}

bool source_cursor_is_threadable(const struct source_cursor *c)
{
	return c->ops->cursor_hold != NULL;
}

struct hold *source_cursor_hold(const struct source_cursor *c)
{
	return c->ops->cursor_hold(c);
}

void source_cursor_defer(struct source_cursor *c)
{
	c->ops->cursor_defer(c);
}

void source_cursor_tell(struct source_cursor *c)
{
	c->ops->cursor_tell(c);
}

bool source_cursor_is_damaged(const struct source_cursor *c)
{
	return c->ops->cursor_is_damaged(c);
}

void source_cursor_keep(struct source_cursor *c)
{
	if (c->ops->cursor_keep)
		c->ops->cursor_keep(c);
}

bool source_can_seek(const struct source *s)
{
	return s->ops->can_seek && s->ops->can_seek(s);
}

int source_seek_scan(struct source *s, size_t lane, struct seek_places *ret,
		     void (*take)(void *arg, const struct source_item *items, unsigned n),
		     void *arg)
{
	return s->ops->seek_scan(s, lane, ret, take, arg);
}

int source_cursor_seek(struct source_cursor *c, const struct seek_place *p)
{
	return c->ops->cursor_seek(c, p);
}

const struct source_field *source_field_find(const struct source_kind *k, const char *name)
{
	for (size_t i = 0; i < k->n_fields; i++)
		if (!strcmp(k->fields[i].name, name))
			return &k->fields[i];
	return NULL;
}

/* Where the field's bytes are; false when they are not all inside the record. */
static bool field_extent(const struct source_field *f, const void *record, size_t n, size_t *ret_at,
			 size_t *ret_n)
{
	uint32_t loc;

	*ret_at = f->offset;
	*ret_n = f->size;
	if (f->type >= FIELD_DYN_STRING && f->type != FIELD_BYTES) {
		if ((size_t)f->offset + 4 > n)
			return false;
		memcpy(&loc, (const char *)record + f->offset, 4);
		*ret_at = loc & 0xffff;
		*ret_n = loc >> 16;
		if (f->type == FIELD_REL_STRING || f->type == FIELD_REL_BYTES)
			*ret_at += (size_t)f->offset + 4;
	}
	if (*ret_at > n)
		return false;
	/* the last array of a record may be cut short (kernel_stack) or open-ended (print) */
	if (f->type == FIELD_STRING || f->type == FIELD_BYTES) {
		if (!*ret_n || *ret_n > n - *ret_at)
			*ret_n = n - *ret_at;
		return true;
	}
	return *ret_n <= n - *ret_at;
}

const void *source_field_bytes(const struct source_field *f, const void *record, size_t n,
			       size_t *ret_n)
{
	size_t at, len;

	*ret_n = 0;
	if (!field_extent(f, record, n, &at, &len))
		return NULL;
	if (f->type == FIELD_STRING || f->type == FIELD_DYN_STRING || f->type == FIELD_REL_STRING)
		len = strnlen((const char *)record + at, len);
	*ret_n = len;
	return (const char *)record + at;
}
