/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Symbols and sections of an x86-64 ELF file that lies in memory. Pure; the file is hostile: nothing
 * outside of it is read, and the work is bounded by its size. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct elf_image {
	const uint8_t *at;
	size_t n;
	uint64_t entry; /* address */
	uint64_t sections_at, segments_at;
	size_t sections, segments;
};

struct elf_bytes {
	const uint8_t *at;
	size_t n;
	uint64_t vaddr;
};

struct elf_symbol {
	uint64_t vaddr, size;
	uint64_t offset; /* in the file; functions only */
};

/* -ENOEXEC: no 64-bit x86 ELF executable or library; -EBADMSG: its tables lie outside of it. The bytes
 * must outlive the image. */
must_check int elf_open(const void *at, size_t n, struct elf_image *ret);
/* A function of that name from .dynsym or .symtab; a global one wins over local ones. -ENOENT: none;
 * -ENOTUNIQ: several, and no single global one; -EBADMSG: it does not lie in code of the file. */
must_check int elf_function(const struct elf_image *e, const char *name, struct elf_symbol *ret);
/* A variable of that name, likewise; has no offset (it may be zeros that the file does not hold). */
must_check int elf_variable(const struct elf_image *e, const char *name, struct elf_symbol *ret);
/* Where the byte of that address is in the file. -ENOENT: not in the file. */
must_check int elf_offset(const struct elf_image *e, uint64_t vaddr, bool code, uint64_t *ret);
/* A section by its name. -ENOENT. */
must_check int elf_section(const struct elf_image *e, const char *name, struct elf_bytes *ret);
