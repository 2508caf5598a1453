/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kind of link must provide; private to link*.c. Everything here is silent. */
#pragma once

#include "capture/link.h"

struct link_kind {
	const char *name;
	bool single; /* one stream only: nothing can be accepted while it is in use */
	/* What follows "KIND:", NULL when nothing does. */
	int (*parse)(const char *rest, bool listen, struct link_addr *a);
	int (*dial)(const struct link_addr *a, int timeout_ms, int cancel_fd, struct link *ret);
	int (*listen)(const struct link_addr *a, int *ret_fd);
	int (*accept)(int fd, struct link *ret);
	void (*probe)(int fd); /* NULL: the kernel tells by itself */
};

extern const struct link_kind link_vsock, link_tcp, link_unix, link_serial, link_stdio;

int link_parse_path(const char *rest, bool listen, struct link_addr *a);
