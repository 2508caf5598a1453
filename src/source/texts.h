/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a trace.dat says about its kernel, as its bytes are there: for writing another one. */
#pragma once

#include "base/array.h"
#include "session/datwriter.h"
#include "source/source.h"

struct source_texts {
	struct ARRAY(struct dat_text) ftrace, events; /* those that make sense */
	struct dat_text kallsyms, printk, cmdlines;
	uint32_t page_bytes; /* the largest of its ring buffers */
	void *own[5];
};

/* Valid as long as the source. -EOPNOTSUPP: not a trace.dat; -ENOMEM. What is missing in the file is empty. */
must_check int source_texts(struct source *s, struct source_texts *ret);
void source_texts_free(struct source_texts *t);
