// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

static int number_end(const char *end)
{
	while (isspace((unsigned char)*end))
		end++;
	return *end ? -EINVAL : 0;
}

static const char *skip_blanks(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static int number_base(const char *s)
{
	if (*s == '-' || *s == '+')
		s++;
	return s[0] == '0' && (s[1] == 'x' || s[1] == 'X') ? 16 : 10;
}

int text_to_u64(const char *text, uint64_t *ret)
{
	const char *s = skip_blanks(text);
	char *end;
	unsigned long long v;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, number_base(s));
	if (errno)
		return -errno;
	if (end == s || number_end(end))
		return -EINVAL;
	*ret = v;
	return 0;
}

int text_to_s64(const char *text, int64_t *ret)
{
	const char *s = skip_blanks(text);
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, number_base(s));
	if (errno)
		return -errno;
	if (end == s || number_end(end))
		return -EINVAL;
	*ret = v;
	return 0;
}

static int scaled(const char *text, uint64_t (*unit)(const char *), uint64_t *ret)
{
	const char *s = skip_blanks(text);
	char *end;
	double v;
	uint64_t mul;

	if (!isdigit((unsigned char)*s) && *s != '.')
		return -EINVAL;
	v = strtod(s, &end);
	mul = unit(end);
	if (end == s || !mul)
		return -EINVAL;
	if (v * (double)mul >= 9.2e18)
		return -ERANGE;
	*ret = (uint64_t)(v * (double)mul + 0.5);
	return 0;
}

static uint64_t unit_ns(const char *u)
{
	if (!*u || !strcmp(u, "s"))
		return 1000000000;
	if (!strcmp(u, "ms"))
		return 1000000;
	if (!strcmp(u, "us"))
		return 1000;
	if (!strcmp(u, "m") || !strcmp(u, "min"))
		return 60000000000;
	return !strcmp(u, "ns");
}

static uint64_t unit_bytes(const char *u)
{
	if (!*u)
		return 1;
	if (u[1] && strcmp(u + 1, "B") && strcmp(u + 1, "iB"))
		return 0;
	switch (toupper((unsigned char)*u)) {
	case 'K':
		return 1ull << 10;
	case 'M':
		return 1ull << 20;
	case 'G':
		return 1ull << 30;
	default:
		return 0;
	}
}

int text_to_ns(const char *text, uint64_t *ret_ns)
{
	return scaled(text, unit_ns, ret_ns);
}

int text_to_bytes(const char *text, uint64_t *ret_bytes)
{
	return scaled(text, unit_bytes, ret_bytes);
}

const char text_digit_pairs[] = "00010203040506070809101112131415161718192021222324"
				"25262728293031323334353637383940414243444546474849"
				"50515253545556575859606162636465666768697071727374"
				"75767778798081828384858687888990919293949596979899";

char *text_digits(char *end, uint64_t v)
{
	for (; v >= 100; v /= 100)
		memcpy(end -= 2, text_digit_pairs + v % 100 * 2, 2);
	if (v >= 10)
		return memcpy(end - 2, text_digit_pairs + v * 2, 2);
	*--end = (char)('0' + v);
	return end;
}

char *text_escape(char *dst, size_t n, const char *src)
{
	size_t k = 0;

	for (; *src && k + 5 <= n; src++) {
		unsigned char c = (unsigned char)*src;

		if (c >= 0x20 && c < 0x7f && c != '\\') {
			dst[k++] = (char)c;
			continue;
		}
		snprintf(dst + k, n - k, "\\x%02x", c);
		k += 4;
	}
	if (n)
		dst[k] = 0;
	return dst;
}

void strbuf_free(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){0};
}

/* Room for n more bytes and a NUL. */
static bool strbuf_room(struct strbuf *b, size_t n)
{
	size_t want = b->n + n + 1, size = b->size ? b->size : 128;
	char *p;

	if (b->failed)
		return false;
	if (want <= b->size)
		return true;
	while (size < want)
		size *= 2;
	p = realloc(b->s, size);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->s = p;
	b->size = size;
	return true;
}

void strbuf_add(struct strbuf *b, const char *s, size_t n)
{
	if (!strbuf_room(b, n))
		return;
	memcpy(b->s + b->n, s, n);
	b->n += n;
	b->s[b->n] = 0;
}

void strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !strbuf_room(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->s + b->n, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

size_t text_utf8_len(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc2 ? 2 : 0;

	if (!len || len > n || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

void strbuf_json(struct strbuf *b, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	strbuf_puts(b, "\"");
	for (size_t i = 0; i < n;) {
		size_t len = text_utf8_len(s + i, n - i);

		if (!len) {
			strbuf_puts(b, "\\ufffd");
			i++;
			continue;
		}
		if (p[i] == '"' || p[i] == '\\')
			strbuf_printf(b, "\\%c", p[i]);
		else if (p[i] < 0x20 || p[i] == 0x7f)
			strbuf_printf(b, "\\u%04x", p[i]);
		else
			strbuf_add(b, s + i, len);
		i += len;
	}
	strbuf_puts(b, "\"");
}

bool text_is_utf8(const char *s, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = (unsigned char)s[i] < 0x80 ? 1 : text_utf8_len(s + i, n - i);
		if (!len)
			return false;
	}
	return true;
}

void strbuf_utf8(struct strbuf *b, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t len = text_utf8_len(s + i, n - i);

		if (len)
			strbuf_add(b, s + i, len);
		else
			strbuf_puts(b, "\xef\xbf\xbd");
		i += len ?: 1;
	}
}
