// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs in the guest: executes shell commands that arrive over vsock, many at once. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "wire.h"

enum { MAX_COMMAND = 1 << 20 };

static char *read_command(int conn)
{
	struct lab_frame f;
	char *cmd;

	if (!lab_read(conn, &f, sizeof(f)) || f.type != 'c' || f.len > MAX_COMMAND)
		return NULL;
	cmd = calloc(1, (size_t)f.len + 1);
	if (cmd && lab_read(conn, cmd, f.len))
		return cmd;
	free(cmd);
	return NULL;
}

static pid_t start(const char *cmd, int in[2], int out[2])
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execl("/bin/sh", "sh", "-c", cmd, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	return pid;
}

/* One pump step; false when there is nothing more to expect from the source. */
static bool forward_output(int out, int conn)
{
	char buf[16384];
	ssize_t n = read(out, buf, sizeof(buf));

	return n > 0 && lab_send(conn, 'o', buf, (size_t)n);
}

static bool forward_input(int conn, int in)
{
	char buf[16384];
	ssize_t n = read(conn, buf, sizeof(buf));

	return n > 0 && lab_write(in, buf, (size_t)n);
}

/*
 * The end of the command is its exit, not the end of its output: what it left
 * in the background may hold the pipe for ever.
 */
static void pump(int conn, int in, int out, pid_t pid)
{
	int pidfd_gone = 0, status = 0;
	int32_t code;
	struct pollfd p[2] = {{.fd = conn, .events = POLLIN}, {.fd = out, .events = POLLIN}};

	while (!pidfd_gone) {
		poll(p, 2, 20);
		if (p[1].revents && !forward_output(out, conn))
			p[1].fd = -1;
		if (p[0].revents && !forward_input(conn, in)) {
			p[0].fd = -1;
			close(in);
		}
		pidfd_gone = waitpid(pid, &status, WNOHANG) == pid;
	}
	fcntl(out, F_SETFL, O_NONBLOCK);
	if (p[1].fd >= 0)
		while (forward_output(out, conn))
			;
	code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	lab_send(conn, 's', &code, sizeof(code));
}

static void serve(int conn)
{
	char *cmd = read_command(conn);
	int in[2], out[2];
	pid_t pid;

	signal(SIGCHLD, SIG_DFL);
	if (!cmd || pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		return;
	pid = start(cmd, in, out);
	if (pid > 0)
		pump(conn, in[1], out[0], pid);
	free(cmd);
}

int main(void)
{
	int fd = lab_listen(LAB_PORT_CMD);

	if (fd < 0) {
		perror("labd: vsock");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (conn < 0)
			continue;
		if (fork() == 0) {
			close(fd);
			serve(conn);
			return 0;
		}
		close(conn);
	}
}
