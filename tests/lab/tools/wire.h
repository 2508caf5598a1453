/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What labctl (host) and labd (guest) say to each other over vsock. */
#ifndef LAB_WIRE_H
#define LAB_WIRE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

enum { LAB_PORT_CMD = 5000, LAB_PORT_TSC = 5001 };

/*
 * Request: one frame 'c' with the shell command, then raw bytes for its
 * standard input until the client shuts down its sending side.
 * Answer: frames 'o' with output, then one frame 's' with the exit status.
 */
struct lab_frame {
	uint32_t type;
	uint32_t len;
};

static inline bool lab_write(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static inline bool lab_read(int fd, void *buf, size_t len)
{
	char *p = buf;

	while (len > 0) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static inline bool lab_send(int fd, uint32_t type, const void *buf, size_t len)
{
	struct lab_frame f = {type, (uint32_t)len};

	return lab_write(fd, &f, sizeof(f)) && lab_write(fd, buf, len);
}

static inline int lab_listen(unsigned int port)
{
	struct sockaddr_vm a = {
		.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 16) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

static inline int lab_connect(unsigned int cid, unsigned int port)
{
	struct sockaddr_vm a = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
	/* 2 s by default: a guest that shares two emulated CPUs with its load may need longer */
	struct timeval patience = {.tv_sec = 15};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0)
		setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &patience,
			   sizeof(patience));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

#endif
