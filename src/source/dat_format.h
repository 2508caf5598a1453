/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an event's format file may be handed to libtraceevent. Its parser and printer trust what they
 * get (1.7.1: a field line without a name, a division by a record's 0, an array length from a record
 * each crash it), but a guest's formats and records are a guest's to choose. Silent and pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/array.h"
#include "base/cleanup.h"

enum format_sanity {
	FORMAT_BAD,    /* not a format file */
	FORMAT_FIELDS, /* the fields are fine; the text is not to be trusted */
	FORMAT_SANE,
};

struct format_field {	  /* as libtraceevent sees it (event_read_fields()) */
	const char *name; /* n_name bytes of the text */
	size_t n_name;
	unsigned offset, size;
	bool is_signed, is_array, is_text, is_dynamic, is_relative, is_pointer, is_common;
};

struct format_head {
	const char *name;
	size_t n_name;
	unsigned id;
	struct ARRAY(struct format_field) fields; /* the common ones first; the caller's to free */
};

/* What stands before "print fmt:", whose text is not looked at. ret->fields are written anew.
 * 0, -EBADMSG or -ENOMEM. */
must_check int format_read(const char *text, size_t n, struct format_head *ret);
/* *ret_fmt: where "print fmt:" begins, when the fields are fine. */
enum format_sanity format_check(const char *text, size_t n, size_t *ret_fmt);
/* A format string of trace_printk(), or of a "print fmt": no widths that records or large numbers
 * choose. */
bool format_string_is_sane(const char *s, size_t n);
/* What stands behind "print fmt: ": well-formed, and no lengths, indexes or divisors out of records, no fields
 * but the declared ones. */
bool print_is_sane(const char *text, size_t n, const char *fields, size_t n_fields);
