// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/record_child.h"
#include "capture/userprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"

int record_child_check(const char *name)
{
	_cleanup_free_ char *path = NULL;
	int r = userprobe_find_program(name, &path);

	if (r == -ENOENT)
		log_err("cannot run \"%s\": there is no such program", name);
	return r;
}

/* The only code between fork and exec. The parent's end of go closes when the parent dies. */
static void wait_and_exec(char *const *argv, int go_fd, int err_fd)
{
	sigset_t none;
	char word;
	int err;

	if (read(go_fd, &word, 1) != 1)
		_exit(0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	err = errno;
	if (write(err_fd, &err, sizeof(err)) != sizeof(err))
		_exit(125);
	_exit(err == ENOENT ? 127 : 126);
}

int record_child_fork(char *const *argv, struct record_child *ret)
{
	_cleanup_fd_ int go_r = -1, go_w = -1, err_r = -1, err_w = -1;
	int go[2], err[2];
	pid_t pid;

	if (pipe2(go, O_CLOEXEC))
		return log_err_r(-errno, "cannot create a pipe: %m");
	go_r = go[0];
	go_w = go[1];
	if (pipe2(err, O_CLOEXEC))
		return log_err_r(-errno, "cannot create a pipe: %m");
	err_r = err[0];
	err_w = err[1];
	pid = fork();
	if (pid < 0)
		return log_err_r(-errno, "cannot start a process: %m");
	if (!pid) {
		close(go_w);
		wait_and_exec(argv, go_r, err_w);
	}
	*ret = (struct record_child){pid, TAKE_FD(go_w), TAKE_FD(err_r), 0};
	return 0;
}

static void close_pipes(struct record_child *c)
{
	if (c->go_fd >= 0)
		close(c->go_fd);
	if (c->err_fd >= 0)
		close(c->err_fd);
	c->go_fd = c->err_fd = -1;
}

int record_child_go(struct record_child *c, const char *name)
{
	int err = 0, r = fd_write_all(c->go_fd, "g", 1);

	if (r)
		return log_err_r(r, "cannot start \"%s\": %m", name);
	/* The child's end closes at a successful exec. */
	r = fd_read_all(c->err_fd, &err, sizeof(err));
	close_pipes(c);
	if (r)
		return 0;
	c->status = err == ENOENT ? 127 : 126;
	return log_err_r(-err, "cannot run \"%s\": %m", name);
}

bool record_child_ended(struct record_child *c)
{
	int st;

	if (c->pid <= 0 || waitpid(c->pid, &st, WNOHANG) != c->pid)
		return false;
	c->pid = 0;
	c->status = WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
	return true;
}

void record_child_signal(const struct record_child *c, int sig)
{
	if (c->pid > 0 && kill(c->pid, sig))
		log_debug("kill %d: %m", c->pid);
}

void record_child_release(struct record_child *c)
{
	bool waiting = c->go_fd >= 0;

	close_pipes(c);
	if (waiting && c->pid > 0 && waitpid(c->pid, NULL, 0) == c->pid)
		c->pid = 0;
}
