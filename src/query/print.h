/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes rows as people or programs want them. Used inside query/ only. */
#pragma once

#include <sqlite3.h>

#include "query/query.h"

struct print;

/* -ENOMEM. */
must_check int print_new(struct out *out, enum query_format format, struct print **ret);
void print_free(struct print *p);
/* A statement's first, each, and last row. The -errno of out, or -ENOMEM. */
must_check int print_begin(struct print *p, sqlite3_stmt *stmt);
must_check int print_row(struct print *p, sqlite3_stmt *stmt);
must_check int print_end(struct print *p);
