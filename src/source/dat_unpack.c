// SPDX-License-Identifier: GPL-2.0-or-later
#include "source/dat_unpack.h"

#include <errno.h>
#include <zlib.h>
#include <zstd.h>

static int unpack_zstd(struct dat_unpacker *u, const void *in, size_t in_bytes, void *out,
		       size_t out_bytes)
{
	if (!u->zstd)
		u->zstd = ZSTD_createDCtx();
	if (!u->zstd)
		return -ENOMEM;
	if (ZSTD_decompressDCtx(u->zstd, out, out_bytes, in, in_bytes) != out_bytes)
		return -EBADMSG;
	return 0;
}

static int unpack_zlib(const void *in, size_t in_bytes, void *out, size_t out_bytes)
{
	uLongf n = out_bytes;

	if (uncompress(out, &n, in, in_bytes) != Z_OK || n != out_bytes)
		return -EBADMSG;
	return 0;
}

int dat_unpack(struct dat_unpacker *u, enum dat_compression how, const void *in, size_t in_bytes,
	       void *out, size_t out_bytes)
{
	switch (how) {
	case DAT_ZLIB:
		return unpack_zlib(in, in_bytes, out, out_bytes);
	case DAT_ZSTD:
		return unpack_zstd(u, in, in_bytes, out, out_bytes);
	default:
		return -EBADMSG;
	}
}

void dat_unpacker_free(struct dat_unpacker *u)
{
	ZSTD_freeDCtx(u->zstd);
	u->zstd = NULL;
}
