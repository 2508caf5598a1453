// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "vm/blob.h"

#define RIP 0x401002u

static struct blob_frame frame_of(long rax, long orig_rax)
{
	struct user_regs_struct r = {.rax = (unsigned long)rax,
				     .orig_rax = (unsigned long)orig_rax,
				     .rip = RIP,
				     .rcx = 1,
				     .r11 = 2,
				     .rdi = 3,
				     .rsi = 4,
				     .rdx = 5,
				     .cs = 0x33,
				     .ss = 0x2b,
				     .rsp = 0x7000,
				     .eflags = 0x246};
	struct blob_frame f;

	blob_frame_make(&r, &f);
	assert_int_equal(f.rcx, 1);
	assert_int_equal(f.r11, 2);
	assert_int_equal(f.rdi, 3);
	assert_int_equal(f.rsi, 4);
	assert_int_equal(f.rdx, 5);
	assert_int_equal(f.rflags, 0x246);
	return f;
}

#define assert_frame(ax, orig_ax, want_rax, want_rip)         \
	do {                                                  \
		struct blob_frame f_ = frame_of(ax, orig_ax); \
		assert_int_equal((long)f_.rax, want_rax);     \
		assert_int_equal(f_.rip, want_rip);           \
	} while (0)

static void interrupted_calls(void **state)
{
	assert_frame(-EINTR, 16, -EINTR, RIP); /* KVM_RUN */
	assert_frame(-512, 202, 202, RIP - 2);
	assert_frame(-513, 0, 0, RIP - 2); /* read is number 0 */
	assert_frame(-514, 271, -EINTR, RIP);
	assert_frame(-516, 7, 219, RIP - 2);
	assert_frame(-516, 0x40000007, 0x400000db, RIP - 2); /* x32 */
	assert_frame(0, 16, 0, RIP);
	/* Not in a system call: the same number in rax is the program's own. */
	assert_frame(-512, -1, -512, RIP);
	assert_frame(-516, -1, -516, RIP);
}

static void registers(void **state)
{
	struct user_regs_struct r = {.rsp = 0x7fff1234, .eflags = 0x746, .rbx = 9, .r15 = 10}, b;
	const uint64_t args[3] = {7, 8, 9};

	blob_regs_make(&r, 0x401000, 16, args, &b);
	assert_int_equal(b.rip, 0x401000);
	assert_int_equal(b.rax, 16);
	assert_int_equal((long)b.orig_rax, -1);
	assert_int_equal(b.rdi, 7);
	assert_int_equal(b.rsi, 8);
	assert_int_equal(b.rdx, 9);
	assert_int_equal(b.rbx, 9);
	assert_int_equal(b.r15, 10);
	assert_int_equal(b.eflags, 0x246); /* no single step, direction up */
	assert_int_equal(b.rsp + BLOB_STACK_BYTES, r.rsp - 128);
}

static void usable_registers(void **state)
{
	struct user_regs_struct r = {.cs = 0x33, .eflags = 0x246};

	assert_true(blob_regs_usable(&r));
	r = (struct user_regs_struct){.cs = 0x23};
	assert_false(blob_regs_usable(&r));
}

static void overlay(void **state)
{
	uint8_t orig[16] = {0x31, 0xed, 0x49, 0x89, 0xd1, 0x5e, 0x48, 0x89,
			    0xe2, 0x48, 0x83, 0xe4, 0xf0, 0x50, 0x54, 0x45};
	uint8_t now[16], other[16] = {0};

	blob_overlay(orig, now);
	assert_true(blob_is_there(now));
	assert_false(blob_is_there(orig));
	assert_memory_equal(now + BLOB_BYTES, orig + BLOB_BYTES, 16 - BLOB_BYTES);
	assert_true(blob_is_ours(now, orig));
	assert_true(blob_is_ours(orig, orig));
	memcpy(now + 8, orig + 8, 8); /* killed between the two pokes */
	assert_true(blob_is_ours(now, orig));
	assert_false(blob_is_ours(other, orig));
	now[15] ^= 1;
	assert_false(blob_is_ours(now, orig));
	assert_true(blob_holds(0x1000, 0x1000));
	assert_true(blob_holds(0x1000, 0x100c));
	assert_false(blob_holds(0x1000, 0x100d));
	assert_false(blob_holds(0x1000, 0xfff));
}

/* The code itself, in this process: a call that fails, and everything is back. */
static void runs(void **state)
{
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static _Alignas(16) uint8_t stack[8192];
	uint8_t none[BLOB_AREA_BYTES] = {0};
	struct user_regs_struct own = {.rax = 1, .rcx = 2, .r11 = 3, .rdi = 4, .rsi = 5, .rdx = 6};
	struct blob_frame frame;
	uint64_t out[8], own_rsp = (uint64_t)(stack + 4096);

	assert_ptr_not_equal(page, MAP_FAILED);
	blob_overlay(none, page);
	own.rsp = own_rsp;
	own.eflags = 0x246 | 0x8d1;
	own.orig_rax = (unsigned long)-1;
	blob_frame_make(&own, &frame);
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, %0" : "=m"(frame.rip) : : "rax");
	memcpy((void *)blob_stack(own_rsp), &frame, sizeof(frame));
	__asm__ volatile("mov %%rsp, %%r12\n"
			 "mov %[page], %%r13\n"
			 "mov %[out], %%r14\n"
			 "mov %[sp], %%rsp\n"
			 "mov $-1, %%rax\n"
			 "jmp *%%r13\n"
			 "1: mov %%rsp, %%r13\n"
			 "mov %%r12, %%rsp\n"
			 "mov %%rax, 0(%%r14)\n"
			 "mov %%rcx, 8(%%r14)\n"
			 "mov %%r11, 16(%%r14)\n"
			 "mov %%rdi, 24(%%r14)\n"
			 "mov %%rsi, 32(%%r14)\n"
			 "mov %%rdx, 40(%%r14)\n"
			 "mov %%r13, 48(%%r14)\n"
			 "lea -128(%%rsp), %%rsp\n"
			 "pushfq\n"
			 "pop %%rax\n"
			 "lea 128(%%rsp), %%rsp\n"
			 "mov %%rax, 56(%%r14)\n"
			 :
			 : [page] "r"(page), [out] "r"(out), [sp] "r"(blob_stack(own_rsp))
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r11", "r12", "r13", "r14",
			   "cc", "memory");
	for (uint64_t i = 0; i < 6; i++)
		assert_int_equal(out[i], i + 1);
	assert_int_equal(out[6], own_rsp);
	assert_int_equal(out[7], own.eflags);
	munmap(page, 4096);
}

static void entries(void **state)
{
	const uint8_t glibc[16] = {0x31, 0xed, 0x49, 0x89, 0xd1, 0x5e, 0x48, 0x89,
				   0xe2, 0x48, 0x83, 0xe4, 0xf0, 0x50, 0x54, 0x45};
	const uint8_t go[16] = {0xe9, 1, 2, 3, 4, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc};
	const uint8_t go_ibt[16] = {0xf3, 0x0f, 0x1e, 0xfa, 0xe9, 1,   2,
				    3,	  4,	0x66, 0x90, 0x66, 0x90};
	const uint8_t long_nop[16] = {0xe9, 1, 2, 3, 4, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0x00, 0x00};
	const uint8_t neighbour[16] = {0xe9, 1, 2, 3, 4, 0x55, 0x48, 0x89, 0xe5};
	const uint8_t near_neighbour[16] = {0xeb, 1, 0xcc, 0x55, 0x48, 0x89, 0xe5};

	assert_true(blob_entry_usable(glibc));
	assert_true(blob_entry_usable(go));
	assert_true(blob_entry_usable(go_ibt));
	assert_true(blob_entry_usable(long_nop));
	assert_false(blob_entry_usable(neighbour));
	assert_false(blob_entry_usable(near_neighbour));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupted_calls), cmocka_unit_test(registers),
		cmocka_unit_test(usable_registers),  cmocka_unit_test(overlay),
		cmocka_unit_test(entries),	     cmocka_unit_test(runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
