/* SPDX-License-Identifier: GPL-2.0-or-later */
/* long victim_spin_regs(long rounds, long have_avx): fills everything a thread owns, spins without
 * touching it, and compares. Returns 0 or the number of the first difference. */
	.section .rodata
	.balign 32
vec:	.quad 0x1122334455667788, 0x99aabbccddeeff00, 0x0f1e2d3c4b5a6978, 0x8796a5b4c3d2e1f0
regs:	.quad 0xa1a1a1a100000001, 0xa1a1a1a100000002, 0xa1a1a1a100000003, 0xa1a1a1a100000004
	.quad 0xa1a1a1a100000005, 0xa1a1a1a100000006, 0xa1a1a1a100000007, 0xa1a1a1a100000008
	.quad 0xa1a1a1a100000009, 0xa1a1a1a10000000a, 0xa1a1a1a10000000b, 0xa1a1a1a10000000c
	.quad 0xa1a1a1a10000000d

	.text
	.globl victim_spin_regs
	.type victim_spin_regs, @function
victim_spin_regs:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rsi			/* have_avx at 0(%rsp) */
	mov %rsp, %fs:spin_rsp@tpoff
	mov %rdi, %rcx
	movdqu vec(%rip), %xmm0
	movdqa %xmm0, %xmm7
	movdqa %xmm0, %xmm15
	test %rsi, %rsi
	jz 1f
	vmovdqu vec(%rip), %ymm1
	vmovdqa %ymm1, %ymm14
1:	movabs $0x5a5a5a5a12345678, %rax
	mov %rax, -16(%rsp)
	mov %rax, -64(%rsp)
	mov %rax, -120(%rsp)
	mov %rax, -128(%rsp)
	fldpi
	push $0xcd7			/* OF DF SF ZF AF PF CF, IF stays */
	popfq
	mov regs+0(%rip), %rax
	mov regs+8(%rip), %rbx
	mov regs+16(%rip), %rdx
	mov regs+24(%rip), %rsi
	mov regs+32(%rip), %rdi
	mov regs+40(%rip), %rbp
	mov regs+48(%rip), %r8
	mov regs+56(%rip), %r9
	mov regs+64(%rip), %r10
	mov regs+72(%rip), %r11
	mov regs+80(%rip), %r12
	mov regs+88(%rip), %r13
	mov regs+96(%rip), %r14
	lea victim_spin_regs(%rip), %r15
2:	loop 2b				/* changes no flag */
	/* flags first: the compares change them */
	pushfq
	pop %rcx
	push %rcx
	push %rax
	mov $1, %eax
	and $0xcd5, %ecx
	cmp $0xcd5, %ecx
	cld
	jne bad2
	pop %rax
	pop %rcx
	mov $2, %ecx
	cmp regs+0(%rip), %rax
	jne bad
	inc %ecx
	cmp regs+8(%rip), %rbx
	jne bad
	inc %ecx
	cmp regs+16(%rip), %rdx
	jne bad
	inc %ecx
	cmp regs+24(%rip), %rsi
	jne bad
	inc %ecx
	cmp regs+32(%rip), %rdi
	jne bad
	inc %ecx
	cmp regs+40(%rip), %rbp
	jne bad
	inc %ecx
	cmp regs+48(%rip), %r8
	jne bad
	inc %ecx
	cmp regs+56(%rip), %r9
	jne bad
	inc %ecx
	cmp regs+64(%rip), %r10
	jne bad
	inc %ecx
	cmp regs+72(%rip), %r11
	jne bad
	inc %ecx
	cmp regs+80(%rip), %r12
	jne bad
	inc %ecx
	cmp regs+88(%rip), %r13
	jne bad
	inc %ecx
	cmp regs+96(%rip), %r14
	jne bad
	inc %ecx			/* 15 */
	lea victim_spin_regs(%rip), %rdi
	cmp %rdi, %r15
	jne bad
	inc %ecx
	mov %fs:spin_rsp@tpoff, %rdi
	cmp %rdi, %rsp
	jne bad
	inc %ecx			/* 17: red zone; two words were pushed over its top */
	movabs $0x5a5a5a5a12345678, %rax
	cmp %rax, -64(%rsp)
	jne bad
	cmp %rax, -120(%rsp)
	jne bad
	cmp %rax, -128(%rsp)
	jne bad
	inc %ecx			/* 18: vectors */
	movdqu vec(%rip), %xmm2
	pcmpeqb %xmm2, %xmm0
	pcmpeqb %xmm2, %xmm7
	pcmpeqb %xmm2, %xmm15
	pand %xmm7, %xmm0
	pand %xmm15, %xmm0
	pmovmskb %xmm0, %eax
	cmp $0xffff, %eax
	jne bad
	inc %ecx			/* 19 */
	fldpi
	fcomip %st(1), %st
	jne bad
	cmpq $0, (%rsp)
	je good
	inc %ecx			/* 20 */
	vmovdqu vec(%rip), %ymm2
	vpxor %ymm2, %ymm14, %ymm3
	vpxor %ymm2, %ymm1, %ymm4
	vptest %ymm3, %ymm3
	jnz bad
	vptest %ymm4, %ymm4
	jnz bad
	vzeroupper
good:	xor %ecx, %ecx
bad:	mov %rcx, %rax
	jmp out
bad2:	pop %rcx
	pop %rcx
out:	fninit
	mov %fs:spin_rsp@tpoff, %rsp
	pop %rsi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .tbss, "awT", @nobits
	.balign 8
spin_rsp:
	.zero 8
	.section .note.GNU-stack, "", @progbits
