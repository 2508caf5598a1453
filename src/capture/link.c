// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/link.h"

#include <errno.h>
#include <linux/vm_sockets.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "base/mono.h"
#include "capture/link_kind.h"

static const struct link_kind *const kinds[] = {&link_vsock,  &link_tcp,   &link_unix,
						&link_serial, &link_stdio, NULL};

int link_wait(int fd, short events, int timeout_ms, int cancel_fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = events}, {.fd = cancel_fd, .events = POLLIN}};
	int64_t end = mono_ms() + timeout_ms;

	for (;;) {
		int64_t left = timeout_ms < 0 ? -1 : end - mono_ms();
		int n = poll(p, 2, timeout_ms < 0 ? -1 : (int)(left > 0 ? left : 0));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && p[1].revents)
			return -ECANCELED;
		if (n > 0)
			return 0;
		if (!n && timeout_ms >= 0)
			return -ETIMEDOUT;
	}
}

int link_parse_path(const char *rest, bool listen, struct link_addr *a)
{
	if (!rest || !*rest)
		return -EINVAL;
	a->host = strdup(rest);
	return a->host ? 0 : -ENOMEM;
}

int link_parse(const char *text, bool listen, struct link_addr *ret)
{
	struct link_addr a = {0};
	size_t n = strcspn(text, ":");

	for (size_t i = 0; kinds[i]; i++) {
		const struct link_kind *k = kinds[i];

		if (strlen(k->name) != n || strncmp(k->name, text, n))
			continue;
		if (!listen && !k->dial)
			continue;
		if (k->parse(text[n] ? text + n + 1 : NULL, listen, &a))
			break;
		a.kind = k;
		*ret = a;
		return 0;
	}
	link_addr_free(&a);
	log_err("\"%s\" is not an address; it is one of %s", text,
		listen ? "vsock[:PORT], tcp:[IP:]PORT, unix:PATH, serial:PATH, stdio"
		       : "vsock:CID[:PORT], tcp:IP:PORT, unix:PATH");
	return -EINVAL;
}

const char *link_text(const struct link_addr *a)
{
	static __thread char text[256];

	if (a->host && a->port)
		snprintf(text, sizeof(text), "%s:%s:%u", a->kind->name, a->host, a->port);
	else if (a->host)
		snprintf(text, sizeof(text), "%s:%s", a->kind->name, a->host);
	else if (a->port && a->cid && a->cid != VMADDR_CID_ANY)
		snprintf(text, sizeof(text), "%s:%u:%u", a->kind->name, a->cid, a->port);
	else if (a->port)
		snprintf(text, sizeof(text), "%s:%u", a->kind->name, a->port);
	else
		snprintf(text, sizeof(text), "%s", a->kind->name);
	return text;
}

void link_addr_free(struct link_addr *a)
{
	free(a->host);
	*a = (struct link_addr){0};
}

int link_dial(const struct link_addr *a, int timeout_ms, int cancel_fd, struct link *ret)
{
	struct link l = LINK_CLOSED;
	int r = a->kind->dial(a, timeout_ms, cancel_fd, &l);

	if (r)
		return r;
	snprintf(l.peer, sizeof(l.peer), "%s", link_text(a));
	*ret = l;
	return 0;
}

int link_listen(const struct link_addr *a, int *ret_fd)
{
	int r = a->kind->listen(a, ret_fd);

	if (r == -EAFNOSUPPORT)
		log_err("cannot listen at %s: this kernel has no vsock (modprobe "
			"vmw_vsock_virtio_transport, and the VM needs a vhost-vsock device)",
			link_text(a));
	else if (r)
		log_errno(r, "cannot listen at %s: %m%s", link_text(a),
			  r == -EADDRINUSE ? " (does another agent run?)" : "");
	return r;
}

int link_accept(const struct link_addr *a, int fd, struct link *ret)
{
	struct link l = LINK_CLOSED;
	int r = a->kind->accept(fd, &l);

	if (!r)
		*ret = l;
	return r;
}

void link_probe(const struct link_addr *a, const struct link *l)
{
	if (a->kind->probe)
		a->kind->probe(l->in);
}

bool link_is_single(const struct link_addr *a)
{
	return a->kind->single;
}

void link_unlisten(const struct link_addr *a, int fd)
{
	if (fd >= 0)
		close(fd);
	if (fd >= 0 && !strcmp(a->kind->name, "unix"))
		unlink(a->host);
}

void link_close(struct link *l)
{
	if (l->out >= 0 && l->out != l->in)
		close(l->out);
	if (l->in >= 0)
		close(l->in);
	l->in = l->out = -1;
}
