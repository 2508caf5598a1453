// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/view.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"

/* The user who typed sudo; false: nobody did. */
static bool sudo_user(uid_t *uid, gid_t *gid)
{
	const char *u = getenv("SUDO_UID"), *g = getenv("SUDO_GID");
	uint64_t un, gn;

	if (geteuid() || !u || !g || text_to_u64(u, &un) || text_to_u64(g, &gn))
		return false;
	*uid = (uid_t)un;
	*gid = (gid_t)gn;
	return un && un < UINT32_MAX && gn < UINT32_MAX;
}

void view_give(const char *path)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	uid_t uid;
	gid_t gid;

	/* In a directory of that user something else may have taken its place. */
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return;
	/* Whoever cannot be given it reads the message of the browser. */
	if (sudo_user(&uid, &gid) && fchown(fd, uid, gid))
		return;
}

/* In the child: no way back to root. */
static int become(uid_t uid, gid_t gid)
{
	const struct passwd *pw = getpwuid(uid);
	char dir[40];

	if (!pw || initgroups(pw->pw_name, gid) || setgid(gid) || setuid(uid))
		return -EPERM;
	snprintf(dir, sizeof(dir), "/run/user/%u", uid);
	return setenv("HOME", pw->pw_dir, 1) || setenv("USER", pw->pw_name, 1) ||
			       setenv("LOGNAME", pw->pw_name, 1) ||
			       setenv("XDG_RUNTIME_DIR", dir, 0)
		       ? -errno
		       : 0;
}

/* The child of the child, so that nobody need wait for the browser. Tells why not through the pipe. */
static void run_child(const char *url, int tell)
{
	bool is_root = geteuid() == 0;
	uid_t uid = 0;
	gid_t gid = 0;
	int r = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fork())
		_exit(0);
	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		r = -errno;
	if (!r && is_root)
		r = sudo_user(&uid, &gid) ? become(uid, gid) : -EPERM;
	if (!r) {
		execlp("xdg-open", "xdg-open", url, (char *)NULL);
		r = -errno;
	}
	if (write(tell, &r, sizeof(r)) < 0)
		_exit(126);
	_exit(127);
}

int view_open(const char *url)
{
	const char *display = getenv("DISPLAY"), *wayland = getenv("WAYLAND_DISPLAY");
	uid_t uid;
	gid_t gid;
	int ends[2], r = 0;
	pid_t pid;

	if (!(display && *display) && !(wayland && *wayland))
		return -ENODEV;
	if (!geteuid() && !sudo_user(&uid, &gid))
		return -EPERM;
	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (!pid)
		run_child(url, ends[1]);
	close(ends[1]);
	if (pid < 0)
		r = -errno;
	else if (read(ends[0], &r, sizeof(r)) < (ssize_t)sizeof(r))
		r = 0; /* it became xdg-open */
	close(ends[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return r;
}
