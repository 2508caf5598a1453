/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `trace-cmd agent` says and is told: docs/wire-protocol.md. Pure; knows nothing of sockets. Every
 * length, count and number of the other side is bounded here. Facts from trace-cmd 3.1.6:
 * lib/trace-cmd/trace-msg.c (messages), tracecmd/trace-agent.c (their order),
 * Documentation/trace-cmd/trace-cmd.dat.v6.5.txt (the head). */
#pragma once

#include "base/cleanup.h"
#include "base/text.h"
#include "capture/wire/wire.h"

#define TRACECMD_PORT	      823
#define TRACECMD_HEADER_BYTES 12
#define TRACECMD_MSG_MAX      8192 /* header included */

enum tracecmd_type {
	TRACECMD_CLOSE = 0,	 /* host: end the recording */
	TRACECMD_SEND_DATA = 3,	 /* agent: a piece of the head */
	TRACECMD_FIN_DATA = 4,	 /* agent: the head is complete */
	TRACECMD_NOT_SUPP = 5,	 /* both: not understood, goes on */
	TRACECMD_TRACE_REQ = 6,	 /* host: what to record */
	TRACECMD_TRACE_RESP = 7, /* agent: its CPUs, and where it listens for each */
	TRACECMD_CLOSE_RESP = 8, /* agent: all was sent */
	TRACECMD_TYPES = 12
};

struct tracecmd_header {
	uint32_t size; /* of the message, this header included */
	uint32_t type;
	uint32_t fixed; /* bytes of the body whose layout the type gives */
};

struct tracecmd_response {
	uint32_t flags, cpus, page_bytes;
	uint64_t trace_id;
	uint32_t ports[WIRE_CPUS_MAX]; /* of each CPU */
};

#define TRACECMD_FLAG_FIFOS 1u

/* -EBADMSG when type or lengths cannot be. */
must_check int tracecmd_get_header(const uint8_t from[TRACECMD_HEADER_BYTES],
				   struct tracecmd_header *ret);
/* Body of TRACE_RESP. -EBADMSG for anything cut, too long or out of range. */
must_check int tracecmd_get_response(const void *body, size_t n, uint32_t fixed,
				     struct tracecmd_response *ret);

/* Whole message appended to out; out of memory sets out->failed. */
void tracecmd_put_close(struct strbuf *out);
/* args as on the command line of trace-cmd record. No time synchronisation is asked for. -E2BIG when
 * that is more than a message holds. */
must_check int tracecmd_put_request(struct strbuf *out, uint64_t trace_id, const char *const *args,
				    size_t n_args);

/* Patterns of events_want() as arguments of trace-cmd record, which -i lets pass over those that the
 * guest's kernel does not have; bytes per CPU. The texts are the caller's strbuf, NUL between them;
 * *ret_n counts them. */
void tracecmd_arguments(const char *const *patterns, size_t n, uint64_t buffer_bytes,
			struct strbuf *out, size_t *ret_n);

/* Takes one text of the head; system and name as in struct wire_meta, NULL but for formats. */
typedef int tracecmd_emit_fn(void *ctx, enum wire_meta_kind kind, const char *system,
			     const char *name, const char *text, size_t n);

/* Takes the head apart: the part of a trace.dat version 6 before the CPU data. -EBADMSG when it is
 * none; -EPROTONOSUPPORT: of another version, byte order or word size; or what emit returned.
 * *ret_page_bytes is the size of a ring-buffer page. */
must_check int tracecmd_head(const void *head, size_t n, tracecmd_emit_fn *emit, void *ctx,
			     uint32_t *ret_page_bytes);
