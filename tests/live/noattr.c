// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs a command as if on a kernel before 5.16: there are no vCPU device attributes, so the ioctls
 * fail with EINVAL, as kvm_arch_vcpu_ioctl() of 5.10 does. Usage: noattr COMMAND... */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <errno.h>
#include <unistd.h>

#define LOAD(field)	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define IF_NOT(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define IF(value, skip)	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), (skip), 0)

int main(int argc, char **argv)
{
	struct sock_filter code[] = {
		LOAD(nr),
		IF_NOT(SYS_ioctl, 4),
		LOAD(args[1]), /* the lower half */
		IF((unsigned)KVM_HAS_DEVICE_ATTR, 3),
		IF((unsigned)KVM_GET_DEVICE_ATTR, 2),
		IF((unsigned)KVM_SET_DEVICE_ATTR, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
	};
	struct sock_fprog prog = {sizeof(code) / sizeof(code[0]), code};

	if (argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
		perror("noattr");
		return 126;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 127;
}
