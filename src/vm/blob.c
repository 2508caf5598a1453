// SPDX-License-Identifier: GPL-2.0-or-later
#include "vm/blob.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#define RED_ZONE_BYTES 128 /* System V ABI, x86-64 */
#define CS_USER64      0x33
#define FLAG_TRAP      (1ull << 8)
#define FLAG_DIRECTION (1ull << 10)
#define X32_BIT	       0x40000000ull

/* Kernel-internal results, include/linux/errno.h. */
enum { RESTART_SYS = 512, RESTART_NOINTR = 513, RESTART_NOHAND = 514, RESTART_BLOCK = 516 };

/* ret skips the payload and the red zone. */
#define RET_BYTES (BLOB_PAYLOAD_BYTES + RED_ZONE_BYTES)

static const uint8_t code[BLOB_BYTES] = {0x0f,		0x05, 0x58, 0x59, 0x41, 0x5b,
					 0x5f,		0x5e, 0x5a, 0x9d, 0xc2, RET_BYTES & 0xff,
					 RET_BYTES >> 8};

_Static_assert(sizeof(struct blob_frame) == BLOB_FRAME_BYTES, "eight words");

void blob_overlay(const uint8_t orig[BLOB_AREA_BYTES], uint8_t ret[BLOB_AREA_BYTES])
{
	memcpy(ret, orig, BLOB_AREA_BYTES);
	memcpy(ret, code, BLOB_BYTES);
}

bool blob_is_ours(const uint8_t now[BLOB_AREA_BYTES], const uint8_t orig[BLOB_AREA_BYTES])
{
	uint8_t with[BLOB_AREA_BYTES];

	blob_overlay(orig, with);
	for (int at = 0; at < BLOB_AREA_BYTES; at += 8)
		if (memcmp(now + at, with + at, 8) && memcmp(now + at, orig + at, 8))
			return false;
	return true;
}

bool blob_is_there(const uint8_t now[BLOB_AREA_BYTES])
{
	return !memcmp(now, code, BLOB_BYTES);
}

/* Compilers and linkers pad with int3, zeros, or nops (66* 2e? 90, 66* 2e? 0f 1f ...). The rest
 * behind the first of the long ones is taken for granted. */
static bool is_padding(const uint8_t *p, int n)
{
	int same = 0;

	while (same < n && (p[same] == 0xcc || p[same] == 0x90 || p[same] == 0))
		same++;
	if (same == n)
		return true;
	while (n && (*p == 0x66 || *p == 0x2e)) {
		p++;
		n--;
	}
	return !n || *p == 0x90 || (*p == 0x0f && (n == 1 || p[1] == 0x1f));
}

bool blob_entry_usable(const uint8_t bytes[BLOB_AREA_BYTES])
{
	static const uint8_t endbr64[4] = {0xf3, 0x0f, 0x1e, 0xfa};
	int at = memcmp(bytes, endbr64, sizeof(endbr64)) ? 0 : 4;

	if (bytes[at] == 0xe9)
		at += 5;
	else if (bytes[at] == 0xeb)
		at += 2;
	else
		return true;
	return at >= BLOB_BYTES || is_padding(bytes + at, BLOB_BYTES - at);
}

bool blob_holds(uint64_t entry, uint64_t rip)
{
	return rip - entry < BLOB_BYTES;
}

uint64_t blob_stack(uint64_t rsp)
{
	return rsp - RED_ZONE_BYTES - BLOB_STACK_BYTES;
}

bool blob_regs_usable(const struct user_regs_struct *r)
{
	return r->cs == CS_USER64;
}

static void restart(const struct user_regs_struct *r, struct blob_frame *f)
{
	if ((int64_t)r->orig_rax < 0)
		return; /* was not in a system call */
	switch (-(int64_t)r->rax) {
	case RESTART_SYS:
	case RESTART_NOINTR:
		f->rax = r->orig_rax;
		f->rip -= 2;
		break;
	case RESTART_NOHAND:
		f->rax = (uint64_t)-EINTR;
		break;
	case RESTART_BLOCK:
		f->rax = SYS_restart_syscall | (r->orig_rax & X32_BIT);
		f->rip -= 2;
		break;
	}
}

void blob_frame_make(const struct user_regs_struct *r, struct blob_frame *ret)
{
	*ret = (struct blob_frame){
		.rax = r->rax,
		.rcx = r->rcx,
		.r11 = r->r11,
		.rdi = r->rdi,
		.rsi = r->rsi,
		.rdx = r->rdx,
		.rip = r->rip,
		.rflags = r->eflags,
	};
	restart(r, ret);
}

void blob_regs_make(const struct user_regs_struct *r, uint64_t entry, long nr,
		    const uint64_t arg[3], struct user_regs_struct *ret)
{
	*ret = *r;
	ret->rip = entry;
	ret->rsp = blob_stack(r->rsp);
	ret->rax = (uint64_t)nr;
	ret->orig_rax = (uint64_t)-1; /* no restart handling of what was interrupted */
	ret->rdi = arg[0];
	ret->rsi = arg[1];
	ret->rdx = arg[2];
	ret->eflags &= ~(FLAG_TRAP | FLAG_DIRECTION);
}
