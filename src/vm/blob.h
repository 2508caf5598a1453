/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The code and the stack frame that make one system call in a foreign thread and give the thread
 * back to itself. Pure arithmetic on bytes and registers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/user.h>

/* syscall; pop %rax; pop %rcx; pop %r11; pop %rdi; pop %rsi; pop %rdx; popf; ret $(to own rsp)
 * The last two load rflags, rip and rsp without touching another register: the frame lies at a
 * fixed distance below the thread's own stack pointer. (iretq would do the same, but QEMU 7.2's
 * emulated CPU runs it with the kernel's rights, which SMAP forbids: the thread is killed.) */
#define BLOB_BYTES	   13
#define BLOB_AREA_BYTES	   16 /* rounded up to what PTRACE_POKETEXT writes */
#define BLOB_AFTER_CALL	   2  /* where rip is when the call returns */
#define BLOB_FRAME_BYTES   64
#define BLOB_PAYLOAD_BYTES 192 /* above the frame, for the call's argument */
#define BLOB_STACK_BYTES   (BLOB_FRAME_BYTES + BLOB_PAYLOAD_BYTES)

/* What the blob takes, in this order, upwards in memory. */
struct blob_frame {
	uint64_t rax, rcx, r11, rdi, rsi, rdx, rflags, rip;
};

/* The area's bytes with the blob in place: its code, then what was there. */
void blob_overlay(const uint8_t orig[BLOB_AREA_BYTES], uint8_t ret[BLOB_AREA_BYTES]);
/* Does each 8-byte word hold either the blob's or the original's bytes? (a poke may be half done) */
bool blob_is_ours(const uint8_t now[BLOB_AREA_BYTES], const uint8_t orig[BLOB_AREA_BYTES]);
/* Do the bytes begin with the blob's code? */
bool blob_is_there(const uint8_t now[BLOB_AREA_BYTES]);
/* May code at an entry point be overlaid? Not when it leaves by a jump within the blob's length and
 * something other than padding follows: that may be another function, which still runs. */
bool blob_entry_usable(const uint8_t code[BLOB_AREA_BYTES]);
/* Is rip within the code placed at entry? */
bool blob_holds(uint64_t entry, uint64_t rip);

/* Lowest address of the BLOB_STACK_BYTES below the red zone of a thread with this rsp. */
uint64_t blob_stack(uint64_t rsp);

/* Can a thread with these registers be taken over? (64-bit code) */
bool blob_regs_usable(const struct user_regs_struct *r);

/* The frame that gives the thread back as if the kernel had interrupted it: of a system call that
 * the kernel would restart, rax and rip are those of a restart (arch_do_signal_or_restart(),
 * arch/x86/kernel/signal.c). -ERESTARTNOHAND becomes -EINTR: a handler may have run in between. */
void blob_frame_make(const struct user_regs_struct *r, struct blob_frame *ret);

/* Registers that start the blob at entry with system call nr and three arguments. */
void blob_regs_make(const struct user_regs_struct *r, uint64_t entry, long nr,
		    const uint64_t arg[3], struct user_regs_struct *ret);
