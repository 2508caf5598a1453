// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/elfimage.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* Copies n bytes at an offset, wherever they are aligned. False: not all of them are in the file. */
static bool get(const struct elf_image *e, uint64_t at, void *to, size_t n)
{
	if (at > e->n || n > e->n - at)
		return false;
	memcpy(to, e->at + at, n);
	return true;
}

static bool section_get(const struct elf_image *e, size_t i, Elf64_Shdr *to)
{
	return i < e->sections && get(e, e->sections_at + i * sizeof(*to), to, sizeof(*to));
}

/* Does a table of n entries lie in the file? */
static bool fits(const struct elf_image *e, uint64_t at, uint64_t n, size_t size)
{
	return at <= e->n && n <= (e->n - at) / size;
}

int elf_open(const void *at, size_t n, struct elf_image *ret)
{
	struct elf_image e = {.at = at, .n = n};
	Elf64_Shdr first;
	Elf64_Ehdr h;

	if (!get(&e, 0, &h, sizeof(h)) || memcmp(h.e_ident, ELFMAG, SELFMAG) ||
	    h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_ident[EI_DATA] != ELFDATA2LSB ||
	    h.e_machine != EM_X86_64 || (h.e_type != ET_EXEC && h.e_type != ET_DYN))
		return -ENOEXEC;
	if ((h.e_shoff && h.e_shentsize != sizeof(Elf64_Shdr)) ||
	    (h.e_phnum && h.e_phentsize != sizeof(Elf64_Phdr)))
		return -EBADMSG;
	e.entry = h.e_entry;
	e.segments_at = h.e_phoff;
	e.segments = h.e_phnum;
	e.sections_at = h.e_shoff;
	e.sections = h.e_shoff ? h.e_shnum : 0;
	if (h.e_shoff && !h.e_shnum) { /* 65280 sections or more: the first one says */
		if (!get(&e, h.e_shoff, &first, sizeof(first)))
			return -EBADMSG;
		e.sections = first.sh_size;
	}
	if (!fits(&e, e.segments_at, e.segments, sizeof(Elf64_Phdr)) ||
	    !fits(&e, e.sections_at, e.sections, sizeof(Elf64_Shdr)))
		return -EBADMSG;
	*ret = e;
	return 0;
}

int elf_offset(const struct elf_image *e, uint64_t vaddr, bool code, uint64_t *ret)
{
	for (size_t i = 0; i < e->segments; i++) {
		Elf64_Phdr p;

		if (!get(e, e->segments_at + i * sizeof(p), &p, sizeof(p)))
			return -ENOENT;
		if (p.p_type != PT_LOAD || vaddr < p.p_vaddr || vaddr - p.p_vaddr >= p.p_filesz ||
		    (code && !(p.p_flags & PF_X)))
			continue;
		vaddr -= p.p_vaddr;
		if (p.p_offset >= e->n || vaddr >= e->n - p.p_offset)
			return -ENOENT;
		*ret = p.p_offset + vaddr;
		return 0;
	}
	return -ENOENT;
}

/* Is the text at an offset of that section exactly this name? */
static bool is_named(const struct elf_image *e, const Elf64_Shdr *strings, uint64_t at,
		     const char *name)
{
	size_t n = strlen(name) + 1;

	return strings->sh_type == SHT_STRTAB && at < strings->sh_size &&
	       n <= strings->sh_size - at && fits(e, strings->sh_offset, strings->sh_size, 1) &&
	       !memcmp(e->at + strings->sh_offset + at, name, n);
}

struct search {
	const char *name;
	unsigned char type; /* STT_FUNC, STT_OBJECT */
	bool global, found, several;
	Elf64_Sym symbol;
};

static void consider(struct search *s, const Elf64_Sym *sym)
{
	bool global = ELF64_ST_BIND(sym->st_info) != STB_LOCAL;

	if (s->found && s->global == global && s->symbol.st_value != sym->st_value)
		s->several = true;
	if (s->found && s->global >= global)
		return;
	if (global)
		s->several = false;
	s->found = true;
	s->global = global;
	s->symbol = *sym;
}

static void search_table(const struct elf_image *e, const Elf64_Shdr *table, struct search *s)
{
	Elf64_Shdr strings;

	if (table->sh_entsize != sizeof(Elf64_Sym) ||
	    !fits(e, table->sh_offset, table->sh_size, 1) ||
	    !section_get(e, table->sh_link, &strings))
		return;
	for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym sym;

		if (get(e, table->sh_offset + i * sizeof(sym), &sym, sizeof(sym)) &&
		    ELF64_ST_TYPE(sym.st_info) == s->type && sym.st_shndx != SHN_UNDEF &&
		    is_named(e, &strings, sym.st_name, s->name))
			consider(s, &sym);
	}
}

/* One table of each kind: a file that names thousands, all over the same bytes, costs nothing more. */
static int search_symbol(const struct elf_image *e, const char *name, unsigned char type,
			 Elf64_Sym *ret)
{
	struct search s = {.name = name, .type = type};
	bool done[2] = {false, false};

	for (size_t i = 0; i < e->sections; i++) {
		Elf64_Shdr h;

		if (!section_get(e, i, &h) ||
		    (h.sh_type != SHT_DYNSYM && h.sh_type != SHT_SYMTAB) ||
		    done[h.sh_type == SHT_DYNSYM])
			continue;
		done[h.sh_type == SHT_DYNSYM] = true;
		search_table(e, &h, &s);
	}
	if (!s.found)
		return -ENOENT;
	if (s.several)
		return -ENOTUNIQ;
	*ret = s.symbol;
	return 0;
}

int elf_function(const struct elf_image *e, const char *name, struct elf_symbol *ret)
{
	Elf64_Sym sym;
	uint64_t offset;
	int r = search_symbol(e, name, STT_FUNC, &sym);

	if (r)
		return r;
	if (elf_offset(e, sym.st_value, true, &offset))
		return -EBADMSG;
	*ret = (struct elf_symbol){sym.st_value, sym.st_size, offset};
	return 0;
}

int elf_variable(const struct elf_image *e, const char *name, struct elf_symbol *ret)
{
	Elf64_Sym sym;
	int r = search_symbol(e, name, STT_OBJECT, &sym);

	if (!r)
		*ret = (struct elf_symbol){sym.st_value, sym.st_size, 0};
	return r;
}

/* Index of the section with the sections' names. */
static uint64_t names_index(const struct elf_image *e)
{
	Elf64_Shdr first;
	Elf64_Ehdr h;

	if (!get(e, 0, &h, sizeof(h)))
		return UINT64_MAX;
	if (h.e_shstrndx != SHN_XINDEX)
		return h.e_shstrndx;
	return section_get(e, 0, &first) ? first.sh_link : UINT64_MAX;
}

int elf_section(const struct elf_image *e, const char *name, struct elf_bytes *ret)
{
	Elf64_Shdr names, h;

	if (!section_get(e, names_index(e), &names))
		return -ENOENT;
	for (size_t i = 0; section_get(e, i, &h); i++) {
		if (!is_named(e, &names, h.sh_name, name))
			continue;
		if (h.sh_type == SHT_NOBITS || !fits(e, h.sh_offset, h.sh_size, 1))
			return -EBADMSG;
		*ret = (struct elf_bytes){e->at + h.sh_offset, h.sh_size, h.sh_addr};
		return 0;
	}
	return -ENOENT;
}
