/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bounded reader over bytes of a file: nothing is read past the end, every failure knows its
 * place. Little endian, as everything that has a TSC. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct dat_in {
	const uint8_t *start, *p, *end;
	uint64_t base; /* file offset of start; of the section when it was decompressed */
};

static inline uint64_t dat_in_offset(const struct dat_in *in)
{
	return in->base + (uint64_t)(in->p - in->start);
}

static inline size_t dat_in_left(const struct dat_in *in)
{
	return (size_t)(in->end - in->p);
}

/* The next n bytes, or NULL when there are fewer. */
static inline const void *dat_in_take(struct dat_in *in, uint64_t n)
{
	const uint8_t *p = in->p;

	if (n > dat_in_left(in))
		return NULL;
	in->p += n;
	return p;
}

static inline bool dat_in_num(struct dat_in *in, void *ret, size_t n)
{
	const void *p = dat_in_take(in, n);

	if (p)
		memcpy(ret, p, n);
	return p != NULL;
}

static inline bool dat_in_u16(struct dat_in *in, uint16_t *ret)
{
	return dat_in_num(in, ret, 2);
}

static inline bool dat_in_u32(struct dat_in *in, uint32_t *ret)
{
	return dat_in_num(in, ret, 4);
}

static inline bool dat_in_u64(struct dat_in *in, uint64_t *ret)
{
	return dat_in_num(in, ret, 8);
}

/* A NUL-terminated text inside the bytes, or NULL. */
static inline const char *dat_in_str(struct dat_in *in)
{
	const void *nul = memchr(in->p, 0, dat_in_left(in));
	const char *s = (const char *)in->p;

	if (!nul)
		return NULL;
	in->p = (const uint8_t *)nul + 1;
	return s;
}

/* The bytes must begin with these n. */
static inline bool dat_in_magic(struct dat_in *in, const void *magic, size_t n)
{
	const void *p = dat_in_take(in, n);

	return p && !memcmp(p, magic, n);
}
