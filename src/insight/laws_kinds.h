/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of events that laws are about, by index. Used by laws.c only. */
#pragma once

#include "timeline/input.h"

enum law_role {
	LAW_NO_ROLE,
	/* host */
	LAW_ENTRY,
	LAW_EXIT,	/* a, b: exit_reason, isa; NULL both when one is missing */
	LAW_INJECTION,	/* a: vector; b: soft, or NULL */
	LAW_MSR_ACCESS, /* a, b, c: ecx, data, write */
	/* guests */
	LAW_VECTOR_ENTRY, /* a: vector */
	LAW_MSR_WRITE,	  /* a, b: msr, val */
	LAW_SWITCH,	  /* a: next_pid */
};

struct law_kind {
	enum law_role role;
	const struct source_field *a, *b, *c;
};

struct law_kinds {
	struct law_kind *of; /* by kind index */
	bool has_switch;
};

/* Of a host, or of a guest with and without task switches that may be relied on. -ENOMEM. */
must_check int law_kinds_of_host(struct law_kinds *k, const struct source *s);
/* Effects are only looked for when the host's file has the kind of their causes. */
must_check int law_kinds_of_guest(struct law_kinds *k, const struct source *s,
				  const struct law_kinds *host, size_t n_host_kinds,
				  bool has_tasks);
void law_kinds_free(struct law_kinds *k);
