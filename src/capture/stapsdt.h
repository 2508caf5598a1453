/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Static probes (<sys/sdt.h>) of an ELF file: the notes of section .note.stapsdt, and their arguments
 * as fetch arguments of a uprobe. Pure; the file is hostile.
 * The format: sourceware.org/systemtap/wiki/UserSpaceProbeImplementation. */
#pragma once

#include "base/text.h"
#include "capture/elfimage.h"

#define STAPSDT_ARGS_MAX 12 /* that the macros can make */

struct stapsdt_note {
	uint64_t offset;		    /* in the file, of the nop */
	uint64_t semaphore;		    /* likewise, of a u16; 0 none */
	const char *provider, *name, *args; /* valid during the call */
};

/* Calls take() for each note in the file's order until it returns something else than 0, which is
 * returned. -ENOENT: the file has none; -EBADMSG: a note does not fit its section, or points outside of
 * the file (those before it were given). */
must_check int stapsdt_each(const struct elf_image *e,
			    int (*take)(void *ctx, const struct stapsdt_note *note), void *ctx);

/* "-4@%r13d 8@24(%rsp)" → "arg1=%r13:s32 arg2=+24(%sp):u64", appended. *ret_left_out counts those that
 * a uprobe cannot fetch: index registers, addresses relative to rip or a segment, floating point. */
void stapsdt_args(const char *args, struct strbuf *b, unsigned *ret_left_out);
