/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where an export is written: under a temporary name beside its final one, which it gets when it is
 * whole. */
#pragma once

#include "cmd/export.h"

struct export_place {
	char *final; /* NULL: a stream to fd that is nobody's file: stdout, a pipe, a device */
	char *tmp;   /* what to remove */
	int fd;	     /* EXPORT_STREAM */
	enum export_shape shape;
};

/* name "-" is stdout. One message per failure. */
must_check int export_place_open(const char *name, enum export_shape shape,
				 struct export_place *ret);
/* Puts it in place. After a failure nothing is left. */
must_check int export_place_commit(struct export_place *p);
/* Removes what is not in place. */
void export_place_close(struct export_place *p);
