// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "capture/wire/wire.h"

int token_read(const char *option, char **ret)
{
	_cleanup_free_ char *token = NULL;
	int r;

	if (!option) {
		*ret = NULL;
		return 0;
	}
	if (option[0] == '@') {
		r = file_read(AT_FDCWD, option + 1, WIRE_TEXT_MAX + 1, &token, NULL);
		if (r)
			return log_err_r(r, "cannot read the token in \"%s\": %m", option + 1);
		token[strcspn(token, "\n")] = 0;
	} else {
		token = strdup(option);
		if (!token)
			return -ENOMEM;
	}
	if (!*token || strlen(token) > WIRE_TEXT_MAX) {
		log_err("a token has 1 to %d bytes", WIRE_TEXT_MAX);
		return -EINVAL;
	}
	*ret = TAKE_PTR(token);
	return 0;
}
