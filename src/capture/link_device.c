// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>

#include "capture/link_kind.h"

/* --- serial: the device is the peer; whoever made it is the host --- */
static int serial_listen(const struct link_addr *a, int *ret_fd)
{
	int fd = open(a->host, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

/* A port whose other end nobody has open reads as ended (POLLHUP, 0 bytes). */
static int serial_accept(int fd, struct link *ret)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (poll(&p, 1, 0) <= 0 || (p.revents & POLLHUP) || !(p.revents & POLLIN))
		return -EAGAIN;
	ret->in = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (ret->in < 0)
		return -errno;
	ret->out = ret->in;
	ret->trusted = true;
	snprintf(ret->peer, sizeof(ret->peer), "the host's end of the port");
	return 0;
}

/* --- stdio --- */
static int stdio_parse(const char *rest, bool listen, struct link_addr *a)
{
	return rest ? -EINVAL : 0;
}

static int stdio_listen(const struct link_addr *a, int *ret_fd)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int stdio_accept(int fd, struct link *ret)
{
	ret->in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	ret->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (ret->in < 0 || ret->out < 0 || fcntl(ret->in, F_SETFL, O_NONBLOCK) ||
	    fcntl(ret->out, F_SETFL, O_NONBLOCK)) {
		int r = -errno;

		link_close(ret);
		return r;
	}
	ret->trusted = true;
	snprintf(ret->peer, sizeof(ret->peer), "standard input");
	return 0;
}

const struct link_kind link_serial = {"serial", true,	       link_parse_path,
				      NULL,	serial_listen, serial_accept};
const struct link_kind link_stdio = {"stdio", true, stdio_parse, NULL, stdio_listen, stdio_accept};
