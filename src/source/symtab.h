/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Function names by kernel address, from the text of /proc/kallsyms; and trace_printk() formats by
 * theirs. Pure. Results are libtraceevent's: of equal addresses it knows the one that its binary
 * search meets, and of modules' names it shows nothing. */
#pragma once

#include "base/cleanup.h"

#include <stddef.h>
#include <stdint.h>

struct symtab;

/* The text (n bytes, up to a NUL) stays the caller's and is pointed into. Reading stops at a line
 * that is none of kallsyms. */
must_check int symtab_new(const char *text, size_t n, struct symtab **ret);
/* Lines are "0xADDRESS : "TEXT"", as of printk_formats. The texts are as in the source: escapes
 * remain; a final \n is gone. */
must_check int symtab_new_printk(const char *text, size_t n, struct symtab **ret);
void symtab_free(struct symtab *k);
/* Name of the function that addr lies in; NULL when none does, or behind the last one. */
const char *symtab_find(const struct symtab *k, uint64_t addr, uint64_t *ret_start, size_t *ret_n);
/* Of the lowest symbol of this name; 0: none. Slow. */
uint64_t symtab_address(const struct symtab *k, const char *name);
/* What lies at exactly this address. */
const char *symtab_find_exact(const struct symtab *k, uint64_t addr, size_t *ret_n);
