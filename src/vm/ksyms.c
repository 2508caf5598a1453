// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/ksyms.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/fd.h"

#define KALLSYMS_MAX_BYTES (256u << 20)

struct entry {
	uint64_t start;
	uint32_t name, module; /* places in text; module 0: none */
};

struct ksyms {
	char *text; /* the file, cut into strings; text[0] is NUL */
	struct ARRAY(struct entry) entries;
};

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* "ffffffffc0a1 t name\t[module]"; other lines are skipped. */
static int parse_line(struct ksyms *ks, char *line)
{
	char *end, *name, *module;
	uint64_t start = strtoull(line, &end, 16);
	struct entry *e;

	if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ' || !end[3])
		return 0;
	name = end + 3;
	module = strchr(name, '\t');
	if (module) {
		*module++ = 0;
		if (*module == '[')
			module++;
		module[strcspn(module, "]")] = 0;
	}
	e = array_add(&ks->entries);
	if (!e)
		return -ENOMEM;
	*e = (struct entry){start, (uint32_t)(name - ks->text),
			    module ? (uint32_t)(module - ks->text) : 0};
	return 0;
}

static int parse(struct ksyms *ks)
{
	char *line = ks->text, *nl;
	int r = 0;

	/* Place 0 must be an empty string: the first digit is never needed again. */
	for (; !r && *line; line = nl + 1) {
		nl = strchrnul(line, '\n');
		if (!*nl)
			nl[1] = 0;
		*nl = 0;
		r = parse_line(ks, line);
	}
	ks->text[0] = 0;
	if (r)
		return r;
	if (!ks->entries.n)
		return -EBADMSG;
	qsort(ks->entries.v, ks->entries.n, sizeof(*ks->entries.v), compare);
	return ks->entries.v[ks->entries.n - 1].start ? 0 : -EPERM;
}

int ksyms_load(const char *path, struct ksyms **ret)
{
	_cleanup_ksyms_ struct ksyms *ks = calloc(1, sizeof(*ks));
	_cleanup_free_ char *file = NULL;
	size_t n;
	int r;

	if (!ks)
		return -ENOMEM;
	r = file_read(AT_FDCWD, path ? path : "/proc/kallsyms", KALLSYMS_MAX_BYTES, &file, &n);
	if (r)
		return r;
	ks->text = realloc(file, n + 2);
	if (!ks->text)
		return -ENOMEM;
	file = NULL;
	ks->text[n + 1] = 0;
	r = parse(ks);
	if (!r)
		*ret = TAKE_PTR(ks);
	return r;
}

void ksyms_free(struct ksyms *ks)
{
	if (!ks)
		return;
	array_free(&ks->entries);
	free(ks->text);
	free(ks);
}

bool ksyms_find(const struct ksyms *ks, uint64_t address, struct ksym *ret)
{
	size_t lo = 0, hi = ks ? ks->entries.n : 0;
	const struct entry *e;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ks->entries.v[mid].start <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		return false;
	e = &ks->entries.v[lo - 1];
	*ret = (struct ksym){ks->text + e->name, ks->text + e->module, e->start};
	return true;
}
