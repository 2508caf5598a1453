/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The strings of one block, each once. Used by the html sink only. */
#pragma once

#include "sink/html_block.h"

#define DICT_STRING_MAX 240 /* bytes; longer ones are cut */

struct dict { /* zero-initialise; dict_free() */
	struct col text;
	struct dict_slot {
		uint32_t hash, id, at, len; /* id 0: free */
	} * slots;
	uint32_t n, size;
	bool failed;
};

/* Number of the string from 1 on; 0 for NULL. */
uint32_t dict_add(struct dict *d, const char *s, size_t n);
uint32_t dict_adds(struct dict *d, const char *s);
/* How many, then length and bytes of each. */
void dict_put(const struct dict *d, struct block *b);
void dict_reset(struct dict *d);
void dict_free(struct dict *d);
