// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/symtab.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define NAME_MAX_BYTES 1024 /* KSYM_NAME_LEN is 512 */

struct ksym {
	uint64_t addr;
	const char *name;
	uint32_t n;
	uint32_t order; /* the later in the file, the lower */
};

struct symtab {
	struct ARRAY(struct ksym) syms; /* by address */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Up to 16 digits; returns how many. */
static unsigned parse_hex(const char *p, const char *end, uint64_t *ret)
{
	unsigned n = 0;

	for (*ret = 0; p + n < end && n < 16; n++) {
		unsigned d = (unsigned char)p[n] - '0';

		if (d > 9) {
			d = ((unsigned char)p[n] | 32u) - 'a' + 10;
			if (d < 10 || d > 15)
				break;
		}
		*ret = *ret << 4 | d;
	}
	return n;
}

/* "ADDRESS TYPE NAME" and perhaps "\t[MODULE]". */
static bool take_line(struct symtab *k, const char *p, const char *end)
{
	struct ksym *s;
	uint64_t addr;
	unsigned n = parse_hex(p, end, &addr);
	const char *name;
	char type;

	p += n;
	if (!n || end - p < 4 || !is_blank(*p))
		return false;
	while (p < end && is_blank(*p))
		p++;
	type = p < end ? *p++ : 0;
	while (p < end && is_blank(*p))
		p++;
	for (name = p; p < end && !is_blank(*p); p++)
		;
	if (p == name || p - name > NAME_MAX_BYTES)
		return false;
	/* '$': marks of ARM's assembler; 'a': per-CPU offsets of x86 */
	if (*name == '$' || type == 'A' || type == 'a')
		return true;
	s = array_add(&k->syms);
	if (s)
		*s = (struct ksym){addr, name, (uint32_t)(p - name), 0 - (uint32_t)k->syms.n};
	return s != NULL;
}

static bool take_printk(struct symtab *k, const char *p, const char *end)
{
	struct ksym *s;
	uint64_t addr;
	unsigned n;

	if (end - p > 2 && p[0] == '0' && (p[1] | 32) == 'x')
		p += 2;
	n = parse_hex(p, end, &addr);
	p = memchr(p, ':', (size_t)(end - p));
	if (!n || !p)
		return false;
	for (p++; p < end && *p == ' '; p++)
		;
	p += p < end && *p == '"';
	end -= end > p && end[-1] == '"';
	end -= end - p >= 2 && !memcmp(end - 2, "\\n", 2) ? 2 : 0;
	s = array_add(&k->syms);
	if (s)
		*s = (struct ksym){addr, p, (uint32_t)(end - p), 0 - (uint32_t)k->syms.n};
	return s != NULL;
}

static int compare(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static int build(const char *text, size_t n,
		 bool (*take)(struct symtab *, const char *, const char *), struct symtab **ret)
{
	struct symtab *k = calloc(1, sizeof(*k));
	const char *end;

	if (!k)
		return -ENOMEM;
	n = strnlen(text, n);
	for (end = text + n; text < end;) {
		const char *eol = memchr(text, '\n', (size_t)(end - text)) ?: end;

		if (eol > text && !take(k, text, eol))
			break;
		text = eol + 1;
	}
	if (k->syms.n)
		qsort(k->syms.v, k->syms.n, sizeof(*k->syms.v), compare);
	*ret = k;
	return 0;
}

int symtab_new(const char *text, size_t n, struct symtab **ret)
{
	return build(text, n, take_line, ret);
}

int symtab_new_printk(const char *text, size_t n, struct symtab **ret)
{
	return build(text, n, take_printk, ret);
}

void symtab_free(struct symtab *k)
{
	if (!k)
		return;
	array_free(&k->syms);
	free(k);
}

/* libtraceevent's func_bcmp() under bsearch(3): the last symbol has no end, and so only its very
 * address is in it. */
const char *symtab_find(const struct symtab *k, uint64_t addr, uint64_t *ret_start, size_t *ret_n)
{
	size_t lo = 0, hi = k ? k->syms.n : 0;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct ksym *s = &k->syms.v[mid];
		uint64_t next = mid + 1 < k->syms.n ? s[1].addr : 0;

		if (addr == s->addr || (addr > s->addr && addr < next)) {
			*ret_start = s->addr;
			*ret_n = s->n;
			return s->name;
		}
		if (addr < s->addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const char *symtab_find_exact(const struct symtab *k, uint64_t addr, size_t *ret_n)
{
	uint64_t start;
	const char *name = symtab_find(k, addr, &start, ret_n);

	return name && start == addr ? name : NULL;
}

uint64_t symtab_address(const struct symtab *k, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; k && i < k->syms.n; i++)
		if (k->syms.v[i].n == n && !memcmp(k->syms.v[i].name, name, n))
			return k->syms.v[i].addr;
	return 0;
}
