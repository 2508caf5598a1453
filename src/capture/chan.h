/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of the wire protocol over a link, with time-outs and a descriptor that cancels. Silent. */
#pragma once

#include "capture/link.h"
#include "capture/wire/codec.h"

struct chan {
	struct link link;
	int cancel_fd;	/* readable: every call returns -ECANCELED; -1: none */
	int stall_ms;	/* sending gives up when the peer takes nothing for so long */
	uint8_t *frame; /* header and body under way */
	size_t have, size;
};

/* Takes the link over. -ENOMEM leaves it with the caller. */
must_check int chan_open(struct chan *c, struct link *link, int cancel_fd, int stall_ms);
/* Sends a whole buffer of messages. -ETIMEDOUT when the peer stalls, -EPIPE when it went away. */
must_check int chan_send(struct chan *c, const struct strbuf *messages);
/* Sends one DATA message whose body is n bytes that wait in a pipe: spliced, not copied. */
must_check int chan_send_pages(struct chan *c, uint32_t cpu, int pipe_fd, size_t n);
/* The next message; *ret_body points into the channel and holds until the next call. -ETIMEDOUT
 * (what came so far is kept), -ENODATA at the end of the stream, -EBADMSG, -ECANCELED. */
must_check int chan_receive(struct chan *c, int timeout_ms, struct wire_header *ret,
			    const void **ret_body);
void chan_close(struct chan *c);
