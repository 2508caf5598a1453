// SPDX-License-Identifier: GPL-2.0-or-later
#include "sink/html_block.h"

#include <errno.h>
#include <zlib.h>

#define KEEP_BYTES (64u << 10)
#define PART	   (48u << 10) /* a multiple of 3: base64 without padding in between */

struct block {
	struct out *out;
	z_stream z;
	int err;
	uint8_t buf[PART];
};

void col_grow(struct col *c, size_t more)
{
	size_t want = c->size ? c->size * 2 : 256;
	uint8_t *p;

	while (want - c->n < more)
		want *= 2;
	p = c->failed ? NULL : realloc(c->p, want);
	if (!p) {
		c->failed = true;
		return;
	}
	c->p = p;
	c->size = want;
}

void col_free(struct col *c)
{
	free(c->p);
	*c = (struct col){0};
}

void col_reset(struct col *c)
{
	if (c->size > KEEP_BYTES)
		col_free(c);
	c->n = 0;
}

void col_bytes(struct col *c, const void *p, size_t n)
{
	if (c->size - c->n < n)
		col_grow(c, n);
	if (c->failed || !n)
		return;
	memcpy(c->p + c->n, p, n);
	c->n += n;
}

int block_new(struct out *out, struct block **ret)
{
	struct block *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->out = out;
	if (deflateInit(&b->z, Z_DEFAULT_COMPRESSION) != Z_OK) {
		free(b);
		return -ENOMEM;
	}
	*ret = b;
	return 0;
}

void block_free(struct block *b)
{
	if (!b)
		return;
	deflateEnd(&b->z);
	free(b);
}

static void put_base64(struct out *o, const uint8_t *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[4];

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)p[i] << 16;

		v |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		v |= left > 2 ? p[i + 2] : 0;
		text[0] = digits[v >> 18];
		text[1] = digits[v >> 12 & 63];
		text[2] = left > 1 ? digits[v >> 6 & 63] : '=';
		text[3] = left > 2 ? digits[v & 63] : '=';
		out_put(o, text, 4);
	}
}

/* Compresses what is given; a full buffer goes out. */
static void run_deflate(struct block *b, int flush)
{
	int r;

	do {
		if (!b->z.avail_out) {
			put_base64(b->out, b->buf, PART);
			b->z.next_out = b->buf;
			b->z.avail_out = PART;
		}
		r = deflate(&b->z, flush);
	} while (r == Z_OK && (flush == Z_FINISH || b->z.avail_in));
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		b->err = -EIO;
}

void block_begin(struct block *b, char letter)
{
	char text[] = "<script type=\"application/x-onetsc\" class=\"?\">";

	*strchr(text, '?') = letter;
	out_puts(b->out, text);
	if (deflateReset(&b->z) != Z_OK)
		b->err = -EIO;
	b->z.next_out = b->buf;
	b->z.avail_out = PART;
}

void block_put(struct block *b, const void *p, size_t n)
{
	const uint8_t *from = p;

	while (n && !b->err) {
		uInt part = n > (1u << 30) ? 1u << 30 : (uInt)n;

		b->z.next_in = (Bytef *)from;
		b->z.avail_in = part;
		run_deflate(b, Z_NO_FLUSH);
		from += part;
		n -= part;
	}
}

void block_col(struct block *b, const struct col *c)
{
	if (c->failed)
		b->err = -ENOMEM;
	block_put(b, c->p, c->n);
}

void block_fail(struct block *b)
{
	b->err = -ENOMEM;
}

void block_u64(struct block *b, uint64_t v)
{
	uint8_t buf[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		buf[n++] = (uint8_t)(v | 0x80);
	buf[n++] = (uint8_t)v;
	block_put(b, buf, n);
}

int block_end(struct block *b)
{
	b->z.next_in = NULL;
	b->z.avail_in = 0;
	if (!b->err)
		run_deflate(b, Z_FINISH);
	put_base64(b->out, b->buf, PART - b->z.avail_out);
	out_puts(b->out, "</script>\n");
	return b->err;
}
