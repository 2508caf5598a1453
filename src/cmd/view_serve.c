// SPDX-License-Identifier: GPL-2.0-or-later
/* One file for one reader: enough HTTP for a browser's fetch(), and no more. */
#include "cmd/view.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mono.h"

#define HEAD_MAX   8192
#define HEAD_MS	   5000 /* for a request's head */
#define STALL_S	   30	/* without progress a transfer is given up */
#define WAIT_S	   600	/* for the first request */
#define CLIENT_MAX 200	/* requests in all: a browser makes three */

/* --- pure -------------------------------------------------------------------------------------- */

struct view_words {
	const char *s;
	size_t n;
};

static bool is(struct view_words w, const char *text)
{
	return w.n == strlen(text) && !memcmp(w.s, text, w.n);
}

/* A header's value without blanks around; s NULL: not there. */
static struct view_words header(const char *head, size_t n, const char *name)
{
	const char *end = head + n, *line = memchr(head, '\n', n);
	size_t len = strlen(name);

	while (line && ++line < end) {
		const char *next = memchr(line, '\n', (size_t)(end - line));
		struct view_words v = {line + len + 1, 0};

		if (!next)
			break;
		if ((size_t)(next - line) > len && line[len] == ':' &&
		    !strncasecmp(line, name, len)) {
			while (v.s < next && (*v.s == ' ' || *v.s == '\t'))
				v.s++;
			v.n = (size_t)(next - v.s);
			while (v.n && (v.s[v.n - 1] == '\r' || v.s[v.n - 1] == ' '))
				v.n--;
			return v;
		}
		line = next;
	}
	return (struct view_words){0};
}

static bool is_own_name(struct view_words host, unsigned port)
{
	char name[32];

	snprintf(name, sizeof(name), "127.0.0.1:%u", port);
	if (is(host, name))
		return true;
	snprintf(name, sizeof(name), "localhost:%u", port);
	return is(host, name);
}

static struct view_answer refuse(unsigned status, const char *text)
{
	return (struct view_answer){VIEW_REFUSE, status, text};
}

struct view_answer view_judge(const char *head, size_t n, const char *path, unsigned port)
{
	const char *eol = memchr(head, '\n', n), *space, *second;
	struct view_words method, target, origin = header(head, n, "Origin");

	space = eol ? memchr(head, ' ', (size_t)(eol - head)) : NULL;
	second = space ? memchr(space + 1, ' ', (size_t)(eol - space - 1)) : NULL;
	if (!second || eol - second < 9 || memcmp(second + 1, "HTTP/1.", 7))
		return refuse(400, "Bad Request");
	method = (struct view_words){head, (size_t)(space - head)};
	target = (struct view_words){space + 1, (size_t)(second - space - 1)};
	if (!is_own_name(header(head, n, "Host"), port))
		return refuse(403, "Forbidden");
	if (!origin.s || !is(origin, VIEW_ORIGIN))
		return refuse(403, "Forbidden");
	if (!is(target, path))
		return refuse(404, "Not Found");
	if (is(method, "GET"))
		return (struct view_answer){VIEW_GET, 200, "OK"};
	if (is(method, "HEAD"))
		return (struct view_answer){VIEW_HEAD, 200, "OK"};
	if (is(method, "OPTIONS"))
		return (struct view_answer){VIEW_ALLOW, 204, "No Content"};
	return refuse(405, "Method Not Allowed");
}

/* --- sockets ----------------------------------------------------------------------------------- */

int view_listen(unsigned port, struct view_server *ret)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_fd_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t n = sizeof(at);
	uint64_t token;
	int on = 1;

	if (fd < 0)
		return log_err_r(-errno, "cannot open a socket: %m");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 8) ||
	    getsockname(fd, (struct sockaddr *)&at, &n))
		return log_err_r(
			-errno,
			"cannot listen on 127.0.0.1:%u: %m; end what uses the port "
			"(another onetsc view?), it is the one that Perfetto may read from",
			port);
	if (getrandom(&token, sizeof(token), 0) != sizeof(token))
		return log_err_r(-EIO, "cannot get random bytes");
	ret->port = ntohs(at.sin_port);
	snprintf(ret->path, sizeof(ret->path), "/%016" PRIx64 "/trace.pftrace", token);
	ret->fd = TAKE_FD(fd);
	return 0;
}

/* Up to the empty line. 0 when it does not come, in time and within HEAD_MAX. */
static size_t read_head(int fd, char *buf)
{
	int64_t end = mono_ms() + HEAD_MS;
	size_t n = 0;

	while (n < HEAD_MAX) {
		struct pollfd p = {fd, POLLIN, 0};
		int64_t left = end - mono_ms();
		const char *empty;
		ssize_t r;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			return 0;
		r = recv(fd, buf + n, HEAD_MAX - n, MSG_DONTWAIT);
		if (r <= 0)
			return 0;
		n += (size_t)r;
		empty = memmem(buf, n, "\r\n\r\n", 4);
		if (empty)
			return (size_t)(empty - buf) + 4;
	}
	return 0;
}

static int put_head(int fd, const struct view_answer *a, uint64_t bytes)
{
	_cleanup_free_ char *text = NULL;
	bool has_file = a->verb == VIEW_GET || a->verb == VIEW_HEAD;
	int n = asprintf(&text,
			 "HTTP/1.1 %u %s\r\n"
			 "Access-Control-Allow-Origin: " VIEW_ORIGIN "\r\n"
			 "Access-Control-Allow-Methods: GET, HEAD\r\n"
			 "Access-Control-Allow-Private-Network: true\r\n"
			 "Cache-Control: no-store\r\n"
			 "X-Content-Type-Options: nosniff\r\n"
			 "Content-Type: application/octet-stream\r\n"
			 "Content-Length: %" PRIu64 "\r\n"
			 "Connection: close\r\n\r\n",
			 a->status, a->text, has_file ? bytes : 0);

	if (n < 0) {
		text = NULL;
		return -ENOMEM;
	}
	return fd_write_all(fd, text, (size_t)n);
}

static int put_file(int fd, int file, uint64_t bytes)
{
	off_t at = 0;

	while ((uint64_t)at < bytes) {
		uint64_t left = bytes - (uint64_t)at;
		ssize_t r = sendfile(fd, file, &at, left > (1u << 30) ? 1u << 30 : (size_t)left);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r ? -errno : -ENODATA;
	}
	return 0;
}

/* One request. 1: the file was fetched. */
static int serve_one(const struct view_server *s, int fd, int file, uint64_t bytes)
{
	const struct timeval stall = {.tv_sec = STALL_S};
	char head[HEAD_MAX + 1];
	struct view_answer a;
	size_t n;
	int r;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &stall, sizeof(stall));
	n = read_head(fd, head);
	if (!n)
		return 0;
	a = view_judge(head, n, s->path, s->port);
	r = put_head(fd, &a, bytes);
	if (!r && a.verb == VIEW_GET)
		r = put_file(fd, file, bytes);
	/* What the reader does not take is its affair: it may ask again. */
	if (r || a.verb != VIEW_GET)
		return 0;
	shutdown(fd, SHUT_WR);
	/* Until it closes: then it has all. */
	return poll(&(struct pollfd){fd, POLLIN, 0}, 1, HEAD_MS) >= 0;
}

int view_serve(const struct view_server *s, int file, uint64_t bytes)
{
	int64_t end = mono_ms() + WAIT_S * 1000;

	for (unsigned i = 0; i < CLIENT_MAX; i++) {
		struct pollfd p = {s->fd, POLLIN, 0};
		int64_t left = end - mono_ms();
		_cleanup_fd_ int fd = -1;
		int r = left > 0 ? poll(&p, 1, (int)left) : 0;

		if (r < 0)
			return log_err_r(-errno, "cannot wait for the browser: %m");
		if (!r)
			break;
		fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && serve_one(s, fd, file, bytes) > 0)
			return 0;
	}
	return log_err_r(-ETIMEDOUT,
			 "nobody fetched the trace; write it with onetsc export --to perfetto and "
			 "open the file at " VIEW_ORIGIN);
}
