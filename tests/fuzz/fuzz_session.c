// SPDX-License-Identifier: GPL-2.0-or-later
/* session.json: any bytes are refused or become a session that saves and loads unchanged. */
#include <stdlib.h>
#include <string.h>

#include "session/session_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	_cleanup_session_ struct session s = {0}, again = {0};
	_cleanup_strbuf_ struct strbuf one = {0}, two = {0};
	struct session_why why = {0};

	if (session_from_json((const char *)data, n, &s, &why)) {
		if (!why.text[0])
			abort();
		return 0;
	}
	session_to_json(&s, &one);
	if (session_from_json(one.s, one.n, &again, &why))
		abort();
	session_to_json(&again, &two);
	if (one.n != two.n || memcmp(one.s, two.s, one.n))
		abort();
	return 0;
}
