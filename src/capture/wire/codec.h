/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of wire/wire.h into bytes and back, little-endian. Pure; knows nothing of sockets. Every
 * length, count and number of the other side is bounded here. */
#pragma once

#include "base/cleanup.h"
#include "base/text.h"
#include "capture/wire/wire.h"

/* Text for a wire_text from a C string, cut at WIRE_TEXT_MAX. */
struct wire_text wire_text(const char *s);
/* Names of systems and events become words of a file: -EBADMSG unless it is short enough for buf and
 * holds nothing but what the kernel uses. */
must_check int wire_name(struct wire_text t, char *buf, size_t size);
/* Copies into buf, unprintable bytes escaped; always terminated. */
char *wire_text_print(struct wire_text t, char *buf, size_t n);

/* Whole message appended to out. Only out of memory fails: out->failed. */
void wire_put(struct strbuf *out, uint32_t type, uint32_t arg, const void *body, size_t n);
void wire_put_header(uint8_t to[WIRE_HEADER_BYTES], uint32_t type, uint32_t arg, size_t n);
void wire_put_hello(struct strbuf *out, const struct wire_hello *m);
void wire_put_refuse(struct strbuf *out, enum wire_refusal code, const char *why);
void wire_put_start(struct strbuf *out, const struct wire_start *m);
void wire_put_meta(struct strbuf *out, const struct wire_meta *m);
void wire_put_cpus(struct strbuf *out, const struct wire_cpus *m);
void wire_put_pair(struct strbuf *out, uint32_t arg, const struct wire_pair *m);
void wire_put_stats(struct strbuf *out, const struct wire_stats *m);

/* -EBADMSG when the type is unknown or the length above what that type may have. */
must_check int wire_get_header(const uint8_t from[WIRE_HEADER_BYTES], struct wire_header *ret);
/* Each decodes a whole body; texts point into it. -EBADMSG for anything cut, too long or out of
 * range. -EPROTO from wire_get_hello: the magic is wrong, the peer speaks something else. */
must_check int wire_get_hello(const void *body, size_t n, struct wire_hello *ret);
must_check int wire_get_refuse(const void *body, size_t n, struct wire_refuse *ret);
must_check int wire_get_start(const void *body, size_t n, struct wire_start *ret);
must_check int wire_get_meta(const void *body, size_t n, struct wire_meta *ret);
must_check int wire_get_cpus(const void *body, size_t n, struct wire_cpus *ret);
must_check int wire_get_pair(const void *body, size_t n, struct wire_pair *ret);
must_check int wire_get_stats(const void *body, size_t n, struct wire_stats *ret);
