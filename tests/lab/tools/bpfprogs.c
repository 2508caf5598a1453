// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of the BPF programs that are loaded, one a line. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static void print_name(uint32_t id)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attr = {.prog_id = id};
	long fd = bpf(BPF_PROG_GET_FD_BY_ID, &attr);

	if (fd < 0)
		return;
	memset(&attr, 0, sizeof(attr));
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	if (!bpf(BPF_OBJ_GET_INFO_BY_FD, &attr))
		printf("%s\n", info.name);
	close((int)fd);
}

int main(void)
{
	union bpf_attr attr = {0};

	while (!bpf(BPF_PROG_GET_NEXT_ID, &attr)) {
		uint32_t id = attr.next_id;

		print_name(id);
		memset(&attr, 0, sizeof(attr));
		attr.start_id = id;
	}
	if (errno == ENOENT)
		return 0;
	perror("BPF_PROG_GET_NEXT_ID");
	return 1;
}
