/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Byte streams between host and guest, one kind per way to get there. A new kind is a line in
 * link.c's table and a struct of functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct link_kind;

struct link_addr {
	const struct link_kind *kind;
	char *host;    /* tcp: IP; unix, serial: path; else NULL */
	unsigned cid;  /* vsock */
	unsigned port; /* vsock, tcp */
	bool any_port; /* vsock: none was given, port is the agent's default */
};

/* An open stream; in == out for sockets. Both are non-blocking. */
struct link {
	int in, out;
	bool trusted; /* the kernel vouches for the peer: host CID, same user, a device of ours */
	char peer[128];
};

#define LINK_CLOSED ((struct link){-1, -1, false, ""})

/* "vsock:CID[:PORT]", "tcp:IP:PORT", "unix:PATH". To listen: "vsock[:PORT]", "tcp:[IP:]PORT",
 * "unix:PATH", "serial:PATH" (virtio-serial port), "stdio". -EINVAL after a message that lists the
 * forms. */
must_check int link_parse(const char *text, bool listen, struct link_addr *ret);
/* The address as text, in a static buffer per thread. */
const char *link_text(const struct link_addr *a);
void link_addr_free(struct link_addr *a);

/* Connects; gives up after timeout_ms, or with -ECANCELED when cancel_fd becomes readable (-1: none).
 * Silent: callers retry. */
must_check int link_dial(const struct link_addr *a, int timeout_ms, int cancel_fd,
			 struct link *ret);

/* A descriptor to poll for the next peer. One message on failure. A stale Unix socket of a dead
 * listener is replaced, nothing else is. */
must_check int link_listen(const struct link_addr *a, int *ret_fd);
/* The peer that waits at fd. -EAGAIN when there is none after all. Silent. */
must_check int link_accept(const struct link_addr *a, int fd, struct link *ret);
/* Kinds with a single stream have nothing to accept from while a session runs. */
bool link_is_single(const struct link_addr *a);
void link_unlisten(const struct link_addr *a, int fd);
void link_close(struct link *l);
/* Makes the other end say so if it no longer knows of this connection (a guest that was reset does
 * not take leave); the answer is that reading ends. Call it when nothing came for a while. Nothing
 * is put into the stream. */
void link_probe(const struct link_addr *a, const struct link *l);

/* Waits until fd is ready for events (poll(2)). 0, -ETIMEDOUT, -ECANCELED when cancel_fd becomes
 * readable first, -errno. timeout_ms < 0: for ever. */
must_check int link_wait(int fd, short events, int timeout_ms, int cancel_fd);
