// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/symtab.h"

#include <emmintrin.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/large.h"

#define NAME_MAX_BYTES 1024 /* KSYM_NAME_LEN is 512 */
#define LINE_BYTES     36   /* about what a line of kallsyms has; they average 42 */
#define LINE_HEAD      19   /* "ADDRESS TYPE " with all digits */

struct ksym {
	uint64_t addr;
	uint32_t at, n; /* its name in the text */
};

struct symtab {
	const char *text;
	size_t n, size, n_ordered; /* so many are in the order of the text and of addresses */
	struct ksym *syms;	   /* by address; of equal ones the later in the text first */
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

static bool grow(struct symtab *k)
{
	size_t size = 2 * k->size + 16;
	struct ksym *p = reallocarray(k->syms, size, sizeof(*p));

	if (!p)
		return false;
	k->syms = p;
	k->size = size;
	return true;
}

static inline bool add(struct symtab *k, uint64_t addr, const char *name, size_t n)
{
	if (k->n == k->size && !grow(k))
		return false;
	k->n_ordered += k->n == k->n_ordered && (!k->n || addr >= k->syms[k->n - 1].addr);
	k->syms[k->n++] = (struct ksym){addr, (uint32_t)(name - k->text), (uint32_t)n};
	return true;
}

static inline bool add_symbol(struct symtab *k, uint64_t addr, char type, const char *name,
			      size_t n)
{
	/* '$': marks of ARM's assembler; 'a': per-CPU offsets of x86 */
	return *name == '$' || type == 'A' || type == 'a' || add(k, addr, name, n);
}

/* "ADDRESS TYPE NAME" and perhaps "\t[MODULE]". */
static bool take_line(struct symtab *k, const char *p, const char *end)
{
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
	return p > name && p - name <= NAME_MAX_BYTES &&
	       add_symbol(k, addr, type, name, (size_t)(p - name));
}

/* 16 small hex digits at once; false when they are others. */
static inline bool parse_16(const char *p, uint64_t *ret)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i digit = _mm_sub_epi8(v, _mm_set1_epi8('0'));
	__m128i letter = _mm_sub_epi8(v, _mm_set1_epi8('a'));
	/* unsigned: less than 10, less than 6 */
	__m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
	__m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(5)), letter);

	if (_mm_movemask_epi8(_mm_or_si128(is_digit, is_letter)) != 0xffff)
		return false;
	letter = _mm_and_si128(is_letter, _mm_add_epi8(letter, _mm_set1_epi8(10)));
	v = _mm_or_si128(_mm_and_si128(is_digit, digit), letter);
	/* in each 16 bits the digit in front is the low byte */
	v = _mm_or_si128(_mm_slli_epi16(v, 4), _mm_srli_epi16(v, 8));
	v = _mm_packus_epi16(_mm_and_si128(v, _mm_set1_epi16(0xff)), _mm_setzero_si128());
	*ret = __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(v));
	return true;
}

/* Where the name ends: the next blank or newline, or NULL when it is not near. */
static inline const char *end_of_name(const char *p, const char *end)
{
	for (unsigned i = 0; i < 4 && end - p >= 16; i++, p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		__m128i low = _mm_cmpeq_epi8(v, _mm_set1_epi8('\n'));

		low = _mm_or_si128(low, _mm_cmpeq_epi8(v, _mm_set1_epi8('\t')));
		low = _mm_or_si128(low, _mm_cmpeq_epi8(v, _mm_set1_epi8(' ')));
		if (_mm_movemask_epi8(low))
			return p + __builtin_ctz((unsigned)_mm_movemask_epi8(low));
	}
	return NULL;
}

/* Nearly all lines are of one form. *ret: where the next one begins, NULL: this one is of another. */
static inline bool take_usual_line(struct symtab *k, const char *p, const char *end,
				   const char **ret)
{
	const char *name = p + LINE_HEAD, *name_end;
	uint64_t addr;

	*ret = NULL;
	if (end - p < LINE_HEAD || !is_blank(p[16]) || !is_blank(p[18]) || is_blank(p[17]) ||
	    p[17] == '\n' || !parse_16(p, &addr))
		return true;
	name_end = end_of_name(name, end);
	if (!name_end || name_end == name)
		return true;
	*ret = *name_end == '\n' ? name_end : memchr(name_end, '\n', (size_t)(end - name_end));
	*ret = *ret ? *ret + 1 : end;
	return add_symbol(k, addr, p[17], name, (size_t)(name_end - name));
}

static bool take_printk(struct symtab *k, const char *p, const char *end)
{
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
	return add(k, addr, p, (size_t)(end - p));
}

static int compare(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->at > y->at ? -1 : x->at < y->at;
}

static void reverse_equal(struct ksym *v, size_t n)
{
	for (size_t i = 0, end; i < n; i = end) {
		for (end = i + 1; end < n && v[end].addr == v[i].addr; end++)
			;
		for (size_t lo = i, hi = end - 1; lo < hi; lo++, hi--) {
			struct ksym s = v[lo];

			v[lo] = v[hi];
			v[hi] = s;
		}
	}
}

/* The kernel's own symbols come in order, and then those of modules, which do not. */
static int sort(struct symtab *k)
{
	size_t n = k->n_ordered, n_rest = k->n - n;
	struct ksym *rest = n_rest ? malloc(n_rest * sizeof(*rest)) : NULL;

	if (n_rest && !rest)
		return -ENOMEM;
	reverse_equal(k->syms, n);
	if (n_rest) {
		memcpy(rest, k->syms + n, n_rest * sizeof(*rest));
		qsort(rest, n_rest, sizeof(*rest), compare);
	}
	for (size_t to = k->n; n_rest;)
		k->syms[--to] = n && compare(&k->syms[n - 1], &rest[n_rest - 1]) > 0
					? k->syms[--n]
					: rest[--n_rest];
	free(rest);
	return 0;
}

static int build(const char *text, size_t n, bool printk, struct symtab **ret)
{
	struct symtab *k = calloc(1, sizeof(*k));
	const char *end, *next;
	bool go_on = true;

	if (!k)
		return -ENOMEM;
	k->text = text;
	n = strnlen(text, n < UINT32_MAX ? n : UINT32_MAX);
	k->size = n / LINE_BYTES + 16;
	k->syms = large_new(k->size * sizeof(*k->syms));
	for (end = text + n; text < end && go_on && k->syms; text = next) {
		next = NULL;
		if (!printk)
			go_on = take_usual_line(k, text, end, &next);
		if (next)
			continue;
		next = memchr(text, '\n', (size_t)(end - text)) ?: end;
		if (next > text)
			go_on = (printk ? take_printk : take_line)(k, text, next);
		next++;
	}
	if (!k->syms || sort(k)) {
		symtab_free(k);
		return -ENOMEM;
	}
	*ret = k;
	return 0;
}

int symtab_new(const char *text, size_t n, struct symtab **ret)
{
	return build(text, n, false, ret);
}

int symtab_new_printk(const char *text, size_t n, struct symtab **ret)
{
	return build(text, n, true, ret);
}

void symtab_free(struct symtab *k)
{
	if (!k)
		return;
	free(k->syms);
	free(k);
}

/* libtraceevent's func_bcmp() under bsearch(3): the last symbol has no end, and so only its very
 * address is in it. */
const char *symtab_find(const struct symtab *k, uint64_t addr, uint64_t *ret_start, size_t *ret_n)
{
	size_t lo = 0, hi = k ? k->n : 0;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct ksym *s = &k->syms[mid];
		uint64_t next = mid + 1 < k->n ? s[1].addr : 0;

		if (addr == s->addr || (addr > s->addr && addr < next)) {
			*ret_start = s->addr;
			*ret_n = s->n;
			return k->text + s->at;
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

	for (size_t i = 0; k && i < k->n; i++)
		if (k->syms[i].n == n && !memcmp(k->text + k->syms[i].at, name, n))
			return k->syms[i].addr;
	return 0;
}
