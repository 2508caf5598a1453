/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of onetsc view. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Opens a URL in the user's browser: xdg-open, as the user behind sudo when there is one, never as
 * root. 0, or silently -ENODEV: no desktop, -EPERM: root itself, -errno: xdg-open cannot be run. */
must_check int view_open(const char *url);
/* Behind sudo: gives a file that we made to the user whose browser is to read it. Silent. */
void view_give(const char *path);

#define VIEW_PORT      9001 /* the only one that the content policy of ui.perfetto.dev allows */
#define VIEW_ORIGIN    "https://ui.perfetto.dev"
#define VIEW_TOKEN_MAX 40

/* What is to be done with the head of an HTTP request. Pure. */
enum view_verb { VIEW_REFUSE, VIEW_GET, VIEW_HEAD, VIEW_ALLOW /* a preflight */ };
struct view_answer {
	enum view_verb verb;
	unsigned status; /* 200, 204, 400, 403, 404, 405 */
	const char *text;
};
/* head: n bytes up to and with the empty line. path: what is served, "/token/name". Everything but that
 * path, our own name (a page of another site may have made its name ours) and Perfetto's origin is
 * refused. */
struct view_answer view_judge(const char *head, size_t n, const char *path, unsigned port);

struct view_server {
	int fd;
	unsigned port;
	char path[VIEW_TOKEN_MAX]; /* "/0123456789abcdef/x.pftrace" */
};
/* Listens on 127.0.0.1. One message per failure. */
must_check int view_listen(unsigned port, struct view_server *ret);
/* Answers until the file was fetched once, whole. -ETIMEDOUT after a message when nobody came. */
must_check int view_serve(const struct view_server *s, int file, uint64_t bytes);
