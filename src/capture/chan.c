// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/chan.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#define FIRST_BYTES (64u << 10)

int chan_open(struct chan *c, struct link *link, int cancel_fd, int stall_ms)
{
	uint8_t *frame = malloc(FIRST_BYTES);

	if (!frame)
		return -ENOMEM;
	*c = (struct chan){*link, cancel_fd, stall_ms, frame, 0, FIRST_BYTES};
	*link = LINK_CLOSED;
	return 0;
}

void chan_close(struct chan *c)
{
	link_close(&c->link);
	free(c->frame);
	c->frame = NULL;
}

static int wait_out(struct chan *c)
{
	return link_wait(c->link.out, POLLOUT, c->stall_ms, c->cancel_fd);
}

static int send_bytes(struct chan *c, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t w = write(c->link.out, p, n);
		int r;

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno != EAGAIN)
			return -errno;
		if (w > 0) {
			p += w;
			n -= (size_t)w;
			continue;
		}
		r = wait_out(c);
		if (r)
			return r;
	}
	return 0;
}

int chan_send(struct chan *c, const struct strbuf *messages)
{
	return messages->failed ? -ENOMEM : send_bytes(c, messages->s, messages->n);
}

/* For what cannot be spliced to. The bytes are in the pipe already, so read(2) does not wait. */
static int send_copied(struct chan *c, int pipe_fd, size_t n)
{
	char buf[16384];
	int r = 0;

	while (!r && n) {
		ssize_t got = read(pipe_fd, buf, n < sizeof(buf) ? n : sizeof(buf));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO;
		r = send_bytes(c, buf, (size_t)got);
		n -= (size_t)got;
	}
	return r;
}

int chan_send_pages(struct chan *c, uint32_t cpu, int pipe_fd, size_t n)
{
	uint8_t header[WIRE_HEADER_BYTES];
	int r;

	wire_put_header(header, WIRE_DATA, cpu, n);
	r = send_bytes(c, header, sizeof(header));
	while (!r && n) {
		ssize_t w = splice(pipe_fd, NULL, c->link.out, NULL, n,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0 && errno == EINVAL)
			return send_copied(c, pipe_fd, n);
		if (w < 0 && errno != EAGAIN)
			return -errno;
		if (w > 0)
			n -= (size_t)w;
		else
			r = wait_out(c);
	}
	return r;
}

static int make_room(struct chan *c, size_t n)
{
	uint8_t *p;

	if (n <= c->size)
		return 0;
	p = realloc(c->frame, n);
	if (!p)
		return -ENOMEM;
	c->frame = p;
	c->size = n;
	return 0;
}

/* Until `want` bytes of the frame are there. */
static int fill(struct chan *c, size_t want, int timeout_ms)
{
	while (c->have < want) {
		ssize_t n = read(c->link.in, c->frame + c->have, want - c->have);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (!n)
			return -ENODATA;
		if (n > 0) {
			c->have += (size_t)n;
			continue;
		}
		r = link_wait(c->link.in, POLLIN, timeout_ms, c->cancel_fd);
		if (r)
			return r;
	}
	return 0;
}

int chan_receive(struct chan *c, int timeout_ms, struct wire_header *ret, const void **ret_body)
{
	struct wire_header h;
	int r = fill(c, WIRE_HEADER_BYTES, timeout_ms);

	if (!r)
		r = wire_get_header(c->frame, &h);
	if (!r)
		r = make_room(c, WIRE_HEADER_BYTES + (size_t)h.len);
	if (!r)
		r = fill(c, WIRE_HEADER_BYTES + (size_t)h.len, timeout_ms);
	if (r)
		return r;
	c->have = 0;
	*ret = h;
	*ret_body = c->frame + WIRE_HEADER_BYTES;
	return 0;
}
