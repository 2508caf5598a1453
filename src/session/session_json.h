/* SPDX-License-Identifier: GPL-2.0-or-later */
/* struct session to and from the text of session.json. Pure: no I/O, no logging. */
#pragma once

#include "base/text.h"
#include "session/session.h"

/* Why a text was refused, for people: "machines[1].vcpus[0].frac is out of range". */
struct session_why {
	char text[200];
};

/* Appends the text; check .failed for memory. */
void session_to_json(const struct session *s, struct strbuf *ret);
/* -EBADMSG, -EPROTONOSUPPORT or -ENOMEM, with why filled in. */
must_check int session_from_json(const char *text, size_t n, struct session *ret,
				 struct session_why *why);
