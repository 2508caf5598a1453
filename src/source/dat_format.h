/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether an event's format file may be handed to libtraceevent. Its parser and printer trust what they
 * get (1.7.1: a field line without a name, a division by a record's 0, an array length from a record
 * each crash it), but a guest's formats and records are a guest's to choose. Silent and pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum format_sanity {
	FORMAT_BAD,    /* not a format file */
	FORMAT_FIELDS, /* the fields are fine; the text is not to be trusted */
	FORMAT_SANE,
};

/* *ret_fmt: where "print fmt:" begins, when the fields are fine. */
enum format_sanity format_check(const char *text, size_t n, size_t *ret_fmt);
/* A format string of trace_printk(), or of a "print fmt": no widths that records or large numbers
 * choose. */
bool format_string_is_sane(const char *s, size_t n);
/* What stands behind "print fmt: ": well-formed, and no lengths, indexes or divisors out of records, no fields
 * but the declared ones. */
bool print_is_sane(const char *text, size_t n, const char *fields, size_t n_fields);
