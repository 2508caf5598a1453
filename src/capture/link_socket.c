// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "base/text.h"
#include "capture/link_kind.h"
#include "capture/wire/wire.h"

#define SOCKET_FLAGS (SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static int parse_port(const char *text, unsigned max, unsigned *ret)
{
	uint64_t v;
	int r = text_to_u64(text, &v);

	if (r || !v || v > max)
		return -EINVAL;
	*ret = (unsigned)v;
	return 0;
}

/* The socket is handed over or closed. */
static int finish_connect(int fd, const struct sockaddr *sa, socklen_t n, int timeout_ms,
			  int cancel_fd, struct link *ret)
{
	_cleanup_fd_ int s = fd;
	socklen_t len = sizeof(int);
	int err = 0, r;

	if (connect(s, sa, n)) {
		if (errno != EINPROGRESS && errno != EAGAIN)
			return -errno;
		r = link_wait(s, POLLOUT, timeout_ms, cancel_fd);
		if (r)
			return r;
		if (getsockopt(s, SOL_SOCKET, SO_ERROR, &err, &len))
			return -errno;
		if (err)
			return -err;
	}
	ret->in = ret->out = TAKE_FD(s);
	return 0;
}

static int bind_listen(int fd, const struct sockaddr *sa, socklen_t n, int *ret_fd)
{
	_cleanup_fd_ int s = fd;

	if (bind(s, sa, n) || listen(s, 4))
		return -errno;
	*ret_fd = TAKE_FD(s);
	return 0;
}

static int accept_socket(int fd, struct sockaddr *sa, socklen_t *n, struct link *ret)
{
	int s = accept4(fd, sa, n, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (s < 0)
		return -errno;
	ret->in = ret->out = s;
	return 0;
}

/* --- vsock --- */
static int vsock_parse(const char *rest, bool listen, struct link_addr *a)
{
	char text[32];
	char *colon;

	a->port = WIRE_DEFAULT_PORT;
	a->any_port = true;
	a->cid = VMADDR_CID_ANY;
	if (listen)
		return rest ? parse_port(rest, UINT32_MAX - 1, &a->port) : 0;
	if (!rest || strlen(rest) >= sizeof(text))
		return -EINVAL;
	snprintf(text, sizeof(text), "%s", rest);
	colon = strchr(text, ':');
	if (colon) {
		*colon = 0;
		a->any_port = false;
		if (parse_port(colon + 1, UINT32_MAX - 1, &a->port))
			return -EINVAL;
	}
	return parse_port(text, UINT32_MAX - 1, &a->cid);
}

static struct sockaddr_vm vsock_sockaddr(const struct link_addr *a)
{
	return (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = a->cid, .svm_port = a->port};
}

static int vsock_dial(const struct link_addr *a, int timeout_ms, int cancel_fd, struct link *ret)
{
	struct sockaddr_vm sa = vsock_sockaddr(a);
	int s = socket(AF_VSOCK, SOCKET_FLAGS, 0);

	if (s < 0)
		return -errno;
	ret->trusted = true;
	return finish_connect(s, (struct sockaddr *)&sa, sizeof(sa), timeout_ms, cancel_fd, ret);
}

static int vsock_listen(const struct link_addr *a, int *ret_fd)
{
	struct sockaddr_vm sa = vsock_sockaddr(a);
	int s = socket(AF_VSOCK, SOCKET_FLAGS, 0);

	return s < 0 ? -errno : bind_listen(s, (struct sockaddr *)&sa, sizeof(sa), ret_fd);
}

static int vsock_accept(int fd, struct link *ret)
{
	struct sockaddr_vm sa = {0};
	socklen_t n = sizeof(sa);
	int r = accept_socket(fd, (struct sockaddr *)&sa, &n, ret);

	if (r)
		return r;
	/* The transport sets the source CID; a guest cannot pretend to be the host. */
	ret->trusted = sa.svm_cid == VMADDR_CID_HOST;
	snprintf(ret->peer, sizeof(ret->peer), "vsock CID %u", sa.svm_cid);
	return 0;
}

/* Another buffer size is told to the peer at once (virtio_transport_notify_buffer_size(), since 5.5),
 * and a guest that does not know the connection answers with a reset. One byte more each time: a
 * smaller size could be less than what is on its way. */
static void vsock_probe(int fd)
{
	uint64_t size;
	socklen_t n = sizeof(size);

	if (getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, &n))
		return;
	size++;
	if (setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &size, sizeof(size)) ||
	    setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &size, sizeof(size)))
		log_debug("SO_VM_SOCKETS_BUFFER_SIZE: %m");
}

/* --- tcp: numeric addresses only, so that a static agent needs no resolver --- */
struct tcp_addr {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} sa;
	socklen_t n;
};

static int tcp_sockaddr(const struct link_addr *a, struct tcp_addr *ret)
{
	struct tcp_addr t = {0};
	const char *host = a->host ?: "0.0.0.0";

	if (inet_pton(AF_INET, host, &t.sa.v4.sin_addr) == 1) {
		t.sa.v4.sin_family = AF_INET;
		t.sa.v4.sin_port = htons((uint16_t)a->port);
		t.n = sizeof(t.sa.v4);
	} else if (inet_pton(AF_INET6, host, &t.sa.v6.sin6_addr) == 1) {
		t.sa.v6.sin6_family = AF_INET6;
		t.sa.v6.sin6_port = htons((uint16_t)a->port);
		t.n = sizeof(t.sa.v6);
	} else {
		return -EINVAL;
	}
	*ret = t;
	return 0;
}

static int tcp_parse(const char *rest, bool listen, struct link_addr *a)
{
	const char *colon = rest ? strrchr(rest, ':') : NULL;
	struct tcp_addr t;

	if (!rest || (!colon && !listen))
		return -EINVAL;
	if (colon && colon > rest + 1 && rest[0] == '[' && colon[-1] == ']')
		a->host = strndup(rest + 1, (size_t)(colon - rest) - 2);
	else if (colon)
		a->host = strndup(rest, (size_t)(colon - rest));
	if (parse_port(colon ? colon + 1 : rest, 65535, &a->port))
		return -EINVAL;
	return tcp_sockaddr(a, &t);
}

static void tcp_no_delay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		log_debug("TCP_NODELAY: %m");
}

/* What link_probe() is for vsock. */
static void tcp_keep_alive(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 5},
		{IPPROTO_TCP, TCP_KEEPINTVL, 2},
		{IPPROTO_TCP, TCP_KEEPCNT, 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (setsockopt(fd, options[i].level, options[i].name, &options[i].value,
			       sizeof(options[i].value)))
			log_debug("TCP keep-alive: %m");
}

static int tcp_dial(const struct link_addr *a, int timeout_ms, int cancel_fd, struct link *ret)
{
	struct tcp_addr t;
	int s, r = tcp_sockaddr(a, &t);

	if (r)
		return r;
	s = socket(t.sa.any.sa_family, SOCKET_FLAGS, 0);
	if (s < 0)
		return -errno;
	tcp_no_delay(s);
	tcp_keep_alive(s);
	return finish_connect(s, &t.sa.any, t.n, timeout_ms, cancel_fd, ret);
}

static int tcp_listen(const struct link_addr *a, int *ret_fd)
{
	struct tcp_addr t;
	int one = 1, s, r = tcp_sockaddr(a, &t);

	if (r)
		return r;
	s = socket(t.sa.any.sa_family, SOCKET_FLAGS, 0);
	if (s < 0)
		return -errno;
	if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		log_debug("SO_REUSEADDR: %m");
	return bind_listen(s, &t.sa.any, t.n, ret_fd);
}

static int tcp_accept(int fd, struct link *ret)
{
	struct tcp_addr t = {.n = sizeof(t.sa)};
	char host[INET6_ADDRSTRLEN] = "?";
	bool v6;
	int r = accept_socket(fd, &t.sa.any, &t.n, ret);

	if (r)
		return r;
	tcp_no_delay(ret->in);
	v6 = t.sa.any.sa_family == AF_INET6;
	inet_ntop(t.sa.any.sa_family,
		  v6 ? (const void *)&t.sa.v6.sin6_addr : (const void *)&t.sa.v4.sin_addr, host,
		  sizeof(host));
	snprintf(ret->peer, sizeof(ret->peer), "%s port %u", host,
		 ntohs(v6 ? t.sa.v6.sin6_port : t.sa.v4.sin_port));
	return 0;
}

/* --- unix --- */
static int unix_sockaddr(const struct link_addr *a, struct sockaddr_un *sa)
{
	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(a->host) >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	memcpy(sa->sun_path, a->host, strlen(a->host));
	return 0;
}

static int unix_dial(const struct link_addr *a, int timeout_ms, int cancel_fd, struct link *ret)
{
	struct sockaddr_un sa;
	int s, r = unix_sockaddr(a, &sa);

	if (r)
		return r;
	s = socket(AF_UNIX, SOCKET_FLAGS, 0);
	if (s < 0)
		return -errno;
	ret->trusted = true;
	return finish_connect(s, (struct sockaddr *)&sa, sizeof(sa), timeout_ms, cancel_fd, ret);
}

/* Only a socket that nobody listens at any more is removed. */
static int unix_remove_stale(const struct link_addr *a)
{
	struct link probe = LINK_CLOSED;
	struct stat st;
	int r;

	if (lstat(a->host, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	r = unix_dial(a, 1000, -1, &probe);
	link_close(&probe);
	if (r != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(a->host) ? -errno : 0;
}

static int unix_listen(const struct link_addr *a, int *ret_fd)
{
	struct sockaddr_un sa;
	mode_t old;
	int s, r = unix_sockaddr(a, &sa);

	if (!r)
		r = unix_remove_stale(a);
	if (r)
		return r;
	s = socket(AF_UNIX, SOCKET_FLAGS, 0);
	if (s < 0)
		return -errno;
	old = umask(0177);
	r = bind_listen(s, (struct sockaddr *)&sa, sizeof(sa), ret_fd);
	umask(old);
	return r;
}

static int unix_accept(int fd, struct link *ret)
{
	struct ucred cred;
	socklen_t n = sizeof(cred);
	int r = accept_socket(fd, NULL, NULL, ret);

	if (r)
		return r;
	if (!getsockopt(ret->in, SOL_SOCKET, SO_PEERCRED, &cred, &n)) {
		ret->trusted = cred.uid == 0 || cred.uid == geteuid();
		snprintf(ret->peer, sizeof(ret->peer), "pid %d", cred.pid);
	}
	return 0;
}

const struct link_kind link_vsock = {.name = "vsock",
				     .parse = vsock_parse,
				     .dial = vsock_dial,
				     .listen = vsock_listen,
				     .accept = vsock_accept,
				     .probe = vsock_probe};
const struct link_kind link_tcp = {"tcp", false, tcp_parse, tcp_dial, tcp_listen, tcp_accept};
const struct link_kind link_unix = {"unix",    false,	    link_parse_path,
				    unix_dial, unix_listen, unix_accept};
