/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the text of an event needs of its file: names of addresses, and libtraceevent. */
#pragma once

#include "source/source.h"

struct tep_event;
struct tep_handle;

/* Function of the machine's kernel around an address, or NULL: name (ret_n bytes), where it begins.
 * source_printk(): a text that events tell by its address. Any thread may call these three. */
const char *source_symbol(const struct source *s, uint64_t addr, uint64_t *ret_start,
			  size_t *ret_n);
uint64_t source_symbol_address(const struct source *s, const char *name); /* 0: not there */
const char *source_printk(const struct source *s, uint64_t addr, size_t *ret_n);
/* With libtraceevent's plugins; symbols: and with the symbols and texts that they print. Neither
 * this nor the handle is for two threads at a time. */
struct tep_handle *source_tep(const struct source *s, bool symbols);

struct source_format {
	struct tep_event *event; /* NULL: libtraceevent has none, as for unknown ids */
	bool has_text;		 /* it tells a text that is to be trusted */
};
/* The format of one of its kinds, which libtraceevent reads when first asked for. The source's;
 * not for two threads at a time, nor while another one uses the handle. */
struct source_format source_format(const struct source *s, const struct source_kind *k);
