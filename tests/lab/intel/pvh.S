/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A multiboot image around an uncompressed Linux: turns the multiboot information into the
 * hvm_start_info of the PVH boot protocol (include/xen/interface/hvm/start_info.h of Linux) and
 * enters the kernel there, so that nothing is unpacked by an emulated CPU.
 * KERNEL: its loaded image, KERNEL_BSS bytes of zeros follow; KERNEL_ENTRY: its XEN_ELFNOTE_PHYS32_ENTRY.
 */
#define MB_MAGIC 0x1badb002
#define MB_FLAGS 3 /* modules at page borders, a memory map */
/* struct multiboot_info */
#define MB_CMDLINE    16
#define MB_MODS_ADDR  24
#define MB_MMAP_BYTES 44
#define MB_MMAP_ADDR  48

	.code32
	.section .start, "ax"
	.globl start
	.balign 4
	.long MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)
start:
	cli
	cld
	mov MB_CMDLINE(%ebx), %eax
	mov %eax, info_cmdline
	mov MB_MODS_ADDR(%ebx), %esi /* start, end of the only module: the initramfs */
	mov (%esi), %eax
	mov %eax, module
	mov 4(%esi), %edx
	sub %eax, %edx
	mov %edx, module_bytes

	/* Entries { u32 size of the rest; u64 address, bytes; u32 type } become { address, bytes, type, 0 }. */
	mov MB_MMAP_ADDR(%ebx), %edx
	mov MB_MMAP_BYTES(%ebx), %ebp
	add %edx, %ebp
	mov $map, %edi
1:	cmp %ebp, %edx
	jae 2f
	cmp $map_end, %edi
	jae 2f
	lea 4(%edx), %esi
	mov $5, %ecx
	rep movsl
	movl $0, (%edi)
	add $4, %edi
	incl info_map_entries
	add (%edx), %edx
	add $4, %edx
	jmp 1b
2:	mov $info, %ebx
	mov $KERNEL_ENTRY, %eax
	jmp *%eax

	.balign 8
info:	.long 0x336ec578, 1, 0, 1 /* magic, version, flags, modules */
	.long module, 0
info_cmdline: .quad 0
	.quad 0 /* RSDP: found by search */
	.long map, 0
info_map_entries: .long 0
	.long 0
module: .quad 0
module_bytes: .quad 0
	.quad 0, 0 /* its command line, reserved */
map:	.fill 64 * 24, 1, 0
map_end:

	.section .kernel, "awx", @progbits
	.incbin KERNEL
	.bss /* that of the kernel: the boot loader puts the initramfs behind */
	.skip KERNEL_BSS
	.section .note.GNU-stack, "", @progbits
