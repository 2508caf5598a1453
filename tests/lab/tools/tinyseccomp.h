/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Seccomp filters of tinyvmm. forbidden: SECCOMP_RET_*. False when they cannot be had. */
#pragma once

#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define TINY_LOAD(what)		 BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
#define TINY_IF_NOT(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), 0, skip)
#define TINY_IF(value, skip)	 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), skip, 0)
#define TINY_RETURN(what)	 BPF_STMT(BPF_RET | BPF_K, what)

static inline bool seccomp_install(struct sock_filter *code, size_t n)
{
	struct sock_fprog prog = {.len = (unsigned short)n, .filter = code};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

/* For threads that run no vCPU. */
static inline bool seccomp_forbid_attr(uint32_t forbidden)
{
	struct sock_filter code[] = {
		TINY_LOAD(nr),		TINY_IF_NOT(SYS_ioctl, 3),
		TINY_LOAD(args[1]),	TINY_IF_NOT(KVM_SET_DEVICE_ATTR, 1),
		TINY_RETURN(forbidden), TINY_RETURN(SECCOMP_RET_ALLOW),
	};

	return seccomp_install(code, sizeof(code) / sizeof(*code));
}

/* What a thread that runs a vCPU needs remains. */
static inline bool seccomp_forbid_most(uint32_t forbidden)
{
	struct sock_filter code[] = {
		TINY_LOAD(nr),
		TINY_IF(SYS_futex, 10),
		TINY_IF(SYS_write, 9),
		TINY_IF(SYS_rt_sigreturn, 8),
		TINY_IF(SYS_restart_syscall, 7),
		TINY_IF(SYS_exit, 6),
		TINY_IF(SYS_exit_group, 5),
		TINY_IF_NOT(SYS_ioctl, 3),
		TINY_LOAD(args[1]),
		TINY_IF(KVM_RUN, 2),
		TINY_IF(KVM_KVMCLOCK_CTRL, 1),
		TINY_RETURN(forbidden),
		TINY_RETURN(SECCOMP_RET_ALLOW),
	};

	return seccomp_install(code, sizeof(code) / sizeof(*code));
}
