// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

const uint8_t *file_start;

void die(const uint8_t *at, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "byte %ld: ", (long)(at - file_start));
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

uint64_t varint(struct bytes *b)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (b->p == b->end)
			die(b->p, "a number is cut");
		v |= (uint64_t)(*b->p & 0x7f) << shift;
		if (!(*b->p++ & 0x80))
			return v;
	}
	die(b->p, "a number of more than 64 bits");
}

bool next(struct bytes *m, struct field *f)
{
	uint64_t tag;

	if (m->p == m->end)
		return false;
	tag = varint(m);
	f->number = (uint32_t)(tag >> 3);
	f->wire = tag & 7;
	if (!f->number)
		die(m->p, "field 0");
	if (f->wire == 0) {
		f->v = varint(m);
	} else if (f->wire == 1) {
		if (m->end - m->p < 8)
			die(m->p, "a fixed number is cut");
		memcpy(&f->v, m->p, 8);
		m->p += 8;
	} else if (f->wire == 2) {
		uint64_t n = varint(m);

		if (n > (uint64_t)(m->end - m->p))
			die(m->p, "a length of %llu runs over", (unsigned long long)n);
		f->b = (struct bytes){m->p, m->p + n};
		m->p += n;
	} else {
		die(m->p, "wire type %u", f->wire);
	}
	return true;
}

/* Any field but those: "1v 2b 47f" (varint, bytes, fixed). */
void allow(const struct field *f, const struct bytes *m, const char *fields)
{
	char want[16];
	const char *at;

	snprintf(want, sizeof(want), " %u%c ", f->number, "vfb"[f->wire]);
	at = strstr(fields, want);
	if (!at)
		die(m->p, "field%s is not one of%s", want, fields);
}

char *text(struct bytes b)
{
	for (const uint8_t *p = b.p; p < b.end;) {
		size_t n = text_utf8_len((const char *)p, (size_t)(b.end - p));

		if (!n || *p < 0x20 || *p == 0x7f)
			die(p, "text with byte %02x", *p);
		p += n;
	}
	return strndup((const char *)b.p, (size_t)(b.end - b.p));
}

/* --- counts -------------------------------------------------------------------------------- */

static struct count {
	char *key;
	uint64_t n, ns;
} counts[65536];

void count(uint64_t ns, const char *fmt, ...)
{
	char key[600];
	uint32_t h = 5381;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(key, sizeof(key), fmt, ap);
	va_end(ap);
	for (const char *c = key; *c; c++)
		h = h * 33 + (uint8_t)*c;
	for (h %= 65536; counts[h].key && strcmp(counts[h].key, key);)
		h = (h + 1) % 65536;
	if (!counts[h].key)
		counts[h].key = strdup(key);
	counts[h].n++;
	counts[h].ns += ns;
}

static int by_key(const void *a, const void *b)
{
	const char *x = ((const struct count *)a)->key, *y = ((const struct count *)b)->key;

	return x && y ? strcmp(x, y) : !x - !y;
}

void print_counts(void)
{
	qsort(counts, 65536, sizeof(*counts), by_key);
	for (size_t i = 0; i < 65536 && counts[i].key; i++) {
		printf("%llu\t%s", (unsigned long long)counts[i].n, counts[i].key);
		if (!strncmp(counts[i].key, "slice ", 6))
			printf("\tns %llu", (unsigned long long)counts[i].ns);
		putchar('\n');
	}
}
