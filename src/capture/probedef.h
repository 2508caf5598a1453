/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a uprobe's definition, as the kernel's uprobe_events takes it
 * (Documentation/trace/uprobetracer.rst). Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

#define PROBE_NAME_MAX 56 /* the kernel's limit is 63; a number may have to follow */

struct probe {
	char *name;	    /* of the event: letters, digits, _ */
	uint64_t offset;    /* in the file */
	uint64_t semaphore; /* offset of a u16 counter that the program looks at, 0 none */
	bool is_return;
	char *args; /* "name=%di:x64 …", NULL none */
};

/* "BINARY:SYMBOL[%return][ ARGS]" in parts. */
struct probe_spec {
	char *binary, *symbol, *args; /* args NULL: none */
	bool is_return;
};

/* 0, -EINVAL: not of that form, or with bytes that do not belong there; -ENOMEM. */
must_check int probe_spec_parse(const char *text, struct probe_spec *ret);
void probe_spec_free(struct probe_spec *s);

/* Makes an event's name of any text; "" becomes "probe". */
void probe_name(const char *text, char buf[static PROBE_NAME_MAX + 1]);
/* "p:GROUP/NAME FILE:0xOFFSET(0xSEMAPHORE) ARGS" is appended. */
void probe_define(struct strbuf *b, const char *group, const char *file, const struct probe *p);
/* The name of an event of the group in a line of uprobe_events, and its length. NULL: another's. */
const char *probe_line_name(const char *line, const char *group, size_t *ret_n);
void probe_free(struct probe *p);
