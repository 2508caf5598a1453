/* SPDX-License-Identifier: GPL-2.0-or-later */
/* printf() with a format out of a file and arguments out of another: nothing of both is trusted. Pure;
 * used by source/qemu*.c only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct strbuf;

struct qemuprint_arg {
	const char *s; /* a string of n bytes; NULL: the number v */
	size_t n;
	uint64_t v;
};

/* The text of C string literals and PRI macros, as in "a=0x%" PRIx64 " b", as one format. Other
 * macros count as a number in hexadecimal. -EBADMSG: a literal does not end; -ENOMEM. */
must_check int qemuprint_format(const char *p, const char *end, char **ret);

/* Conversions d i u x X o c p s with flags, width, precision and length; a string or number that
 * does not suit its conversion is shown as what it is. Missing arguments print "?", surplus ones
 * are left out. Control characters become blanks. */
void qemuprint(const char *format, const struct qemuprint_arg *args, size_t n, struct strbuf *b);
