/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The protocol between `record` (host) and `agent` (guest), version 2: docs/wire-protocol.md. What is
 * said; wire/codec.h turns it into bytes and back. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WIRE_VERSION	  2
#define WIRE_MAGIC	  "onetsc\r\n"
#define WIRE_MAGIC_BYTES  8
#define WIRE_HEADER_BYTES 12
#define WIRE_BODY_MAX	  (1u << 20)
#define WIRE_CPUS_MAX	  4096
#define WIRE_PATTERNS_MAX 256
#define WIRE_PROBES_MAX	  64
#define WIRE_TEXT_MAX	  512
#define WIRE_PAGE_MAX	  (64u << 10)
#define WIRE_DEFAULT_PORT 17217
#define WIRE_APIC_UNKNOWN UINT32_MAX

enum wire_type {
	WIRE_HELLO = 1, /* both: first message of each side; layout frozen for all versions */
	WIRE_REFUSE,	/* both: the session ends here, and why; layout frozen */
	WIRE_START,	/* host: what to record */
	WIRE_META,	/* agent: a piece of one metadata text */
	WIRE_CPUS,	/* agent: its CPUs */
	WIRE_STARTED,	/* agent: tracing is on */
	WIRE_DATA,	/* agent: whole ring-buffer pages of CPU arg */
	WIRE_PING,	/* host: arg is repeated in the answer */
	WIRE_PAIR,	/* agent: its clocks at one moment */
	WIRE_NOTE,	/* agent: one sentence for the user */
	WIRE_STOP,	/* host: end the recording */
	WIRE_STATS,	/* agent: per CPU totals */
	WIRE_BYE,	/* agent: all was sent */
	WIRE_TYPES
};

struct wire_header {
	uint32_t type, arg, len;
};

/* A piece of the received body: not terminated. */
struct wire_text {
	const char *s;
	size_t n;
};

struct wire_hello {
	uint32_t version;
	struct wire_text tool;	/* "onetsc 0.1.0" */
	struct wire_text name;	/* host name of the sender */
	struct wire_text token; /* host only; empty without */
};

enum wire_refusal {
	WIRE_REFUSED_OTHER,
	WIRE_REFUSED_VERSION,
	WIRE_REFUSED_BUSY,
	WIRE_REFUSED_TOKEN,
	WIRE_REFUSED_SETUP, /* the guest's tracefs said no */
};
struct wire_refuse {
	uint32_t code;
	struct wire_text why;
};

#define WIRE_START_OVERWRITE 1u
#define WIRE_NOTE_WARNING    1u /* arg of a NOTE: the user asked for what cannot be had */
struct wire_start {
	uint32_t flags;
	uint64_t buffer_bytes; /* per CPU */
	struct wire_text clock;
	uint32_t n, n_probes;
	struct wire_text patterns[WIRE_PATTERNS_MAX]; /* "system:event[ if filter]" */
	struct wire_text probes[WIRE_PROBES_MAX];     /* of userprobe_request() */
};

enum wire_meta_kind {
	META_HEADER_PAGE,
	META_HEADER_EVENT,
	META_FTRACE, /* events/ftrace/NAME/format */
	META_EVENT,  /* events/SYSTEM/NAME/format */
	META_KALLSYMS,
	META_PRINTK,
	META_CMDLINES,
	META_UNAME,
	META_CLOCK,
	META_KINDS
};
struct wire_meta {
	uint8_t kind;
	struct wire_text system, name; /* event formats only */
	struct wire_text text;	       /* pieces of equal kind and names are joined in order */
};

struct wire_cpu {
	uint32_t cpu, apic_id; /* WIRE_APIC_UNKNOWN: offline */
};
struct wire_cpus {
	uint32_t page_bytes; /* of the ring buffer: a power of two, 4 KiB to WIRE_PAGE_MAX */
	uint32_t streams;    /* DATA comes with arg 0..streams-1 */
	uint32_t n;
	struct wire_cpu v[WIRE_CPUS_MAX];
};

struct wire_pair {
	uint32_t cpu; /* on which it was read; UINT32_MAX: it moved meanwhile */
	uint64_t tsc, width_ticks;
	int64_t realtime_ns, monotonic_ns, boottime_ns;
};

struct wire_cpu_stats {
	uint64_t bytes, events, overrun, dropped;
};
struct wire_stats {
	uint64_t cpu_time_us; /* of the agent itself, in this session */
	uint32_t n;
	struct wire_cpu_stats v[WIRE_CPUS_MAX];
};
