// SPDX-License-Identifier: GPL-2.0-or-later
/* Unix sockets, and libvirt's virsh. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mono.h"
#include "capture/qmp_kind.h"

/* --- a Unix socket --- */
static int await_connect(const struct qmp_io *io, int fd)
{
	socklen_t len = sizeof(int);
	int err = 0, r = qmp_wait(io, fd, POLLOUT);

	if (!r && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		r = -errno;
	return r ? r : -err;
}

/* The path may be longer than an address takes, hence by descriptor. A full backlog is EAGAIN. */
static int unix_connect(const struct qmp_io *io, int fd)
{
	_cleanup_fd_ int at = open(io->where, O_PATH | O_CLOEXEC);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	if (at < 0)
		return -errno;
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d", at);
	if (!connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		return 0;
	if (errno == EAGAIN)
		return -ETIMEDOUT;
	return errno == EINPROGRESS ? await_connect(io, fd) : -errno;
}

static int unix_open(struct qmp_io *io)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	int r = fd < 0 ? -errno : unix_connect(io, fd);

	if (r)
		return r;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		io->pid = peer.pid;
	io->fd = TAKE_FD(fd);
	return 0;
}

static ssize_t send_with(int to, const char *text, size_t n, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec v = {(void *)text, n};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (fd >= 0) {
		m.msg_control = control.buf;
		m.msg_controllen = sizeof(control.buf);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	return sendmsg(to, &m, MSG_NOSIGNAL);
}

static int unix_send(struct qmp_io *io, const char *line, int fd)
{
	size_t left = strlen(line);

	while (left) {
		ssize_t n = send_with(io->fd, line, left, fd);
		int r;

		if (n >= 0) {
			line += n;
			left -= (size_t)n;
			fd = -1;
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return errno == EPIPE ? -ECONNRESET : -errno;
		r = qmp_wait(io, io->fd, POLLOUT);
		if (r)
			return r;
	}
	return 0;
}

const struct qmp_way qmp_unix = {.prefix = "unix:",
				 .greets = true,
				 .passes_fds = true,
				 .open = unix_open,
				 .send = unix_send};

/* --- virsh: a process for each command, whose output is the answer --- */
extern char **environ;

static int spawn(struct qmp_io *io, const char *const argv[], int out)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t set;
	int r = posix_spawn_file_actions_init(&files);

	if (r)
		return -r;
	r = posix_spawnattr_init(&attr);
	if (!r) {
		sigemptyset(&set);
		posix_spawnattr_setsigmask(&attr, &set);
		sigaddset(&set, SIGPIPE);
		posix_spawnattr_setsigdefault(&attr, &set);
		/* A group of its own: Ctrl-C is for us, who will still need it. */
		posix_spawnattr_setpgroup(&attr, 0);
		posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
							POSIX_SPAWN_SETPGROUP);
		r = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
		if (!r)
			r = posix_spawn_file_actions_adddup2(&files, out, 1);
		if (!r)
			r = posix_spawnp(&io->pid, "virsh", &files, &attr, (char *const *)argv,
					 environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&files);
	return r == ENOENT ? -ESRCH : -r;
}

static int virsh_send(struct qmp_io *io, const char *line, int fd)
{
	_cleanup_free_ char *json = strndup(line, strcspn(line, "\n"));
	const char *argv[] = {"virsh", "--quiet", "qemu-monitor-command", "--domain", io->where,
			      json,    NULL};
	_cleanup_fd_ int in = -1, out = -1;
	int p[2], r;

	if (fd >= 0)
		return -EOPNOTSUPP;
	if (!json)
		return -ENOMEM;
	if (pipe2(p, O_CLOEXEC))
		return -errno;
	in = p[0];
	out = p[1];
	r = spawn(io, argv, out);
	if (!r)
		io->fd = TAKE_FD(in);
	return r;
}

/* It ends by itself once it has answered; one that did not is ended. */
static void virsh_done(struct qmp_io *io)
{
	if (io->fd >= 0)
		close(io->fd);
	io->fd = -1;
	if (io->pid <= 0)
		return;
	for (;;) {
		pid_t pid = waitpid(io->pid, NULL, WNOHANG);

		if (pid == io->pid || (pid < 0 && errno != EINTR))
			break;
		if (mono_ms() >= io->end_ms)
			kill(io->pid, SIGKILL);
		poll(NULL, 0, 5);
	}
	io->pid = 0;
}

const struct qmp_way qmp_virsh = {.prefix = "virsh:", .send = virsh_send, .done = virsh_done};
