/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways to fill an input; used inside timeline/ only. in is zeroed but for title. */
#pragma once

#include "timeline/input.h"
#include "timeline/offsets.h"

must_check int input_from_session(struct input *in, const char *path, struct crew *crew);
must_check int input_from_files(struct input *in, const char *const *paths, size_t n,
				struct crew *crew);

/* A machine more, or NULL without memory. name is copied and made different from the others. */
struct input_machine *input_machine_add(struct input *in, const char *name, bool is_guest);
/* The guest's events cannot be put in host time; said when all is known. */
void input_set_unaligned(struct input_machine *m, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Epochs of all vCPUs of m from scan and known (per vCPU); sets aligned, conflict. */
must_check int input_align(struct input_machine *m, const struct offset_scan *scan,
			   const struct offset_known *known);

/* input_text.c: texts as machines, with what the host saw of their guests' offsets; an offset given
 * by hand; then, when all offsets are known, the vCPUs of the texts' lines. */
must_check int input_add_texts(struct input *in, const struct input_options *o, struct crew *crew);
/* input_qemu.c: a trace of QEMU's as a machine more, a part of the host; takes the spec over. */
struct textlog_spec;
must_check int input_add_qemu(struct input *in, struct textlog_spec *spec);
/* input_text.c: a machine of that name, whether or not there is one already; NULL without memory. */
struct input_machine *input_machine_add_same(struct input *in, const char *name, bool is_guest);
must_check int input_set_offset(struct input *in, const char *text);
must_check int input_place_texts(struct input *in);
