/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Option tables: per command a static table into a typed, pre-set config struct. The parser has no
 * side effects but on that struct; help is generated from the same table. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum opt_type {
	OPT_FLAG,  /* bool, set to true */
	OPT_COUNT, /* int, incremented */
	OPT_STR,   /* const char *, points into argv */
	OPT_STRV,  /* struct opt_strv, repeatable */
	OPT_U64,   /* uint64_t */
	OPT_NS,	   /* uint64_t; "1.5s", "20ms", seconds without a unit */
	OPT_BYTES, /* uint64_t; "64K", "10M" */
};

#define OPT_STRV_MAX 64
struct opt_strv {
	const char *v[OPT_STRV_MAX];
	size_t n;
};

struct opt {
	char letter;	  /* 0: no short form */
	const char *name; /* long form without dashes; NULL ends the table */
	enum opt_type type;
	size_t at; /* offsetof in the config struct */
	const char *arg, *help;
};

struct opt_spec {
	const char *command; /* "list" */
	const char *args;    /* "[--] CMD…" */
	const char *summary; /* one sentence */
	const char *details; /* paragraphs for --help, may be NULL */
	const char *example; /* a command line per line, with what it does */
	const struct opt *opts;
};

/* Marks in the return value of opt_parse. */
#define OPT_HELP (-1000) /* --help was given and printed: exit 0 */

/* Parses argv[1..]; -h/--help, -v and -q are understood by every command. Options end at the first
 * positional argument or at "--". Returns the index of the first positional (== argc when none),
 * OPT_HELP, or -EINVAL after one message. */
int opt_parse(const struct opt_spec *spec, void *config, int argc, char **argv);

void opt_print_help(const struct opt_spec *spec, FILE *out);
