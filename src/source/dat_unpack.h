/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decompression of trace.dat version 7. Silent and pure. */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"

enum dat_compression { DAT_PLAIN, DAT_ZLIB, DAT_ZSTD };

/* Keeps what is costly to make; zero-initialise. */
struct dat_unpacker {
	void *zstd;
};
/* Exactly out_bytes must come out. 0, -EBADMSG or -ENOMEM. */
must_check int dat_unpack(struct dat_unpacker *u, enum dat_compression how, const void *in,
			  size_t in_bytes, void *out, size_t out_bytes);
void dat_unpacker_free(struct dat_unpacker *u);
