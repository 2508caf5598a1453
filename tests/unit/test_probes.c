// SPDX-License-Identifier: GPL-2.0-or-later
/* ELF symbols, static probes, definitions of uprobes: a small ELF file made here, then damaged. */
#include "test.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "capture/elfimage.h"
#include "capture/probedef.h"
#include "capture/stapsdt.h"
#include "capture/uprobes.h"
#include "capture/vmmprobe.h"

enum { STRINGS = 1, SYMBOLS, DYNAMIC, NOTES, BASE, BSS, SECTIONS };

#define CODE_AT	   0x1000u /* in the file; its address is VADDR higher */
#define VADDR	   0x400000u
#define NOTE_SHIFT 0x100u /* by which a prelinker moved it */

struct file {
	Elf64_Ehdr h;
	Elf64_Phdr ph[2];
	Elf64_Shdr sh[SECTIONS];
	Elf64_Sym symbols[6], dynamic[3];
	char strings[256];
	struct {
		Elf64_Nhdr h;
		char owner[8];
		uint64_t pc, base, semaphore;
		char texts[24];
	} __attribute__((packed)) note;
	char pad[CODE_AT - 1164];
	uint8_t code[0x800];
};

static size_t put_string(struct file *f, const char *s)
{
	size_t at = 1;

	while (f->strings[at])
		at += strlen(f->strings + at) + 1;
	strcpy(f->strings + at, s);
	return at;
}

static Elf64_Sym symbol(struct file *f, const char *name, int bind, int type, uint64_t value)
{
	return (Elf64_Sym){.st_name = (uint32_t)put_string(f, name),
			   .st_info = (unsigned char)ELF64_ST_INFO(bind, type),
			   .st_shndx = 1,
			   .st_value = value,
			   .st_size = 16};
}

#define SECTION(type, member, entry, to)                                              \
	(Elf64_Shdr)                                                                  \
	{                                                                             \
		.sh_type = (type), .sh_offset = offsetof(struct file, member),        \
		.sh_size = sizeof(((struct file *)0)->member), .sh_entsize = (entry), \
		.sh_link = (to)                                                       \
	}

static void fill_symbols(struct file *f)
{
	f->symbols[1] = symbol(f, "local_once", STB_LOCAL, STT_FUNC, VADDR + CODE_AT + 0x10);
	f->symbols[2] = symbol(f, "twice", STB_LOCAL, STT_FUNC, VADDR + CODE_AT + 0x20);
	f->symbols[3] = symbol(f, "twice", STB_LOCAL, STT_FUNC, VADDR + CODE_AT + 0x30);
	f->symbols[4] = symbol(f, "both", STB_LOCAL, STT_FUNC, VADDR + CODE_AT + 0x40);
	f->symbols[5] = symbol(f, "nowhere", STB_GLOBAL, STT_FUNC, 0x99999999);
	f->dynamic[1] = symbol(f, "both", STB_GLOBAL, STT_FUNC, VADDR + CODE_AT + 0x50);
	f->dynamic[2] = symbol(f, "variable", STB_GLOBAL, STT_OBJECT, VADDR + 0x8000000);
}

static void fill_note(struct file *f)
{
	static const char texts[] = "prov\0name\0-4@%edi 8@%rsi";

	_Static_assert(sizeof(texts) > sizeof(f->note.texts), "the last one is shortened");
	f->note.h = (Elf64_Nhdr){8, 3 * 8 + sizeof(f->note.texts), 3};
	memcpy(f->note.owner, "stapsdt", 8);
	f->note.base = VADDR + 0x2000 - NOTE_SHIFT;
	f->note.pc = VADDR + CODE_AT + 0x60 - NOTE_SHIFT;
	f->note.semaphore = VADDR + CODE_AT + 0x70 - NOTE_SHIFT;
	memcpy(f->note.texts, texts, sizeof(f->note.texts));
	f->note.texts[sizeof(f->note.texts) - 1] = 0;
}

static struct file *make(void)
{
	struct file *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(offsetof(struct file, code), CODE_AT);
	memcpy(f->h.e_ident, ELFMAG, SELFMAG);
	f->h.e_ident[EI_CLASS] = ELFCLASS64;
	f->h.e_ident[EI_DATA] = ELFDATA2LSB;
	f->h.e_machine = EM_X86_64;
	f->h.e_type = ET_DYN;
	f->h.e_phoff = offsetof(struct file, ph);
	f->h.e_phentsize = sizeof(Elf64_Phdr);
	f->h.e_phnum = 2;
	f->h.e_shoff = offsetof(struct file, sh);
	f->h.e_shentsize = sizeof(Elf64_Shdr);
	f->h.e_shnum = SECTIONS;
	f->h.e_shstrndx = STRINGS;
	f->ph[0] = (Elf64_Phdr){.p_type = PT_NOTE, .p_filesz = UINT64_MAX};
	f->ph[1] = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_offset = CODE_AT,
				.p_vaddr = VADDR + CODE_AT,
				.p_filesz = sizeof(f->code),
				.p_memsz = sizeof(f->code)};
	f->sh[STRINGS] = SECTION(SHT_STRTAB, strings, 0, 0);
	f->sh[SYMBOLS] = SECTION(SHT_SYMTAB, symbols, sizeof(Elf64_Sym), STRINGS);
	f->sh[DYNAMIC] = SECTION(SHT_DYNSYM, dynamic, sizeof(Elf64_Sym), STRINGS);
	f->sh[NOTES] = SECTION(SHT_NOTE, note, 0, 0);
	f->sh[NOTES].sh_name = (uint32_t)put_string(f, ".note.stapsdt");
	f->sh[BASE] = SECTION(SHT_PROGBITS, pad, 0, 0);
	f->sh[BASE].sh_addr = VADDR + 0x2000;
	f->sh[BASE].sh_name = (uint32_t)put_string(f, ".stapsdt.base");
	f->sh[BSS] = (Elf64_Shdr){.sh_type = SHT_NOBITS, .sh_size = UINT64_MAX};
	f->sh[BSS].sh_name = (uint32_t)put_string(f, ".bss");
	fill_symbols(f);
	fill_note(f);
	return f;
}

static void symbols(void **state)
{
	struct file *f = make();
	struct elf_symbol s;
	struct elf_bytes b;
	struct elf_image e;
	uint64_t at;

	assert_int_equal(elf_open(f, sizeof(*f), &e), 0);
	assert_int_equal(elf_function(&e, "local_once", &s), 0);
	assert_int_equal(s.offset, CODE_AT + 0x10);
	assert_int_equal(s.vaddr, VADDR + CODE_AT + 0x10);
	assert_int_equal(elf_function(&e, "twice", &s), -ENOTUNIQ);
	assert_int_equal(elf_function(&e, "both", &s), 0); /* the global one */
	assert_int_equal(s.offset, CODE_AT + 0x50);
	assert_int_equal(elf_function(&e, "nowhere", &s), -EBADMSG);
	assert_int_equal(elf_function(&e, "variable", &s), -ENOENT);
	assert_int_equal(elf_function(&e, "local_onc", &s), -ENOENT);
	assert_int_equal(elf_variable(&e, "variable", &s), 0);
	assert_int_equal(s.vaddr, VADDR + 0x8000000);
	assert_int_equal(elf_section(&e, ".bss", &b), -EBADMSG);
	assert_int_equal(elf_section(&e, ".text", &b), -ENOENT);
	assert_int_equal(elf_offset(&e, VADDR + CODE_AT + 0x7ff, true, &at), 0);
	assert_int_equal(at, CODE_AT + 0x7ff);
	assert_int_equal(elf_offset(&e, VADDR + CODE_AT + 0x800, true, &at), -ENOENT);
	f->ph[1].p_flags = PF_R;
	assert_int_equal(elf_offset(&e, VADDR + CODE_AT, true, &at), -ENOENT);
	assert_int_equal(elf_offset(&e, VADDR + CODE_AT, false, &at), 0);
	free(f);
}

static void not_elf(void **state)
{
	struct file *f = make();
	struct elf_image e;

	assert_int_equal(elf_open("#!/bin/sh\n", 10, &e), -ENOEXEC);
	assert_int_equal(elf_open("", 0, &e), -ENOEXEC);
	f->h.e_machine = EM_AARCH64;
	assert_int_equal(elf_open(f, sizeof(*f), &e), -ENOEXEC);
	f->h.e_machine = EM_X86_64;
	f->h.e_shnum = 0; /* then the first section says how many, here 0 */
	assert_int_equal(elf_open(f, sizeof(*f), &e), 0);
	assert_int_equal(e.sections, 0);
	f->sh[0].sh_size = UINT64_MAX / 2;
	assert_int_equal(elf_open(f, sizeof(*f), &e), -EBADMSG);
	f->h.e_shnum = 1;
	f->h.e_shoff = UINT64_MAX - 8;
	assert_int_equal(elf_open(f, sizeof(*f), &e), -EBADMSG);
	free(f);
}

static int count_note(void *ctx, const struct stapsdt_note *n)
{
	unsigned *count = ctx;

	++*count;
	assert_string_equal(n->provider, "prov");
	assert_string_equal(n->name, "name");
	assert_string_equal(n->args, "-4@%edi 8@%rs");
	assert_int_equal(n->offset, CODE_AT + 0x60);
	assert_int_equal(n->semaphore, CODE_AT + 0x70);
	return 0;
}

static void notes(void **state)
{
	struct file *f = make();
	unsigned n = 0;
	struct elf_image e;

	assert_int_equal(elf_open(f, sizeof(*f), &e), 0);
	assert_int_equal(stapsdt_each(&e, count_note, &n), 0);
	assert_int_equal(n, 1);
	f->note.texts[sizeof(f->note.texts) - 1] = 'x'; /* not terminated */
	assert_int_equal(stapsdt_each(&e, count_note, &n), -EBADMSG);
	f->note.texts[sizeof(f->note.texts) - 1] = 0;
	f->note.pc += 0x10000;
	assert_int_equal(stapsdt_each(&e, count_note, &n), -EBADMSG);
	f->note.h.n_descsz = UINT32_MAX;
	assert_int_equal(stapsdt_each(&e, count_note, &n), -EBADMSG);
	f->note.h.n_namesz = UINT32_MAX;
	assert_int_equal(stapsdt_each(&e, count_note, &n), -EBADMSG);
	f->sh[NOTES].sh_name = 0;
	assert_int_equal(stapsdt_each(&e, count_note, &n), -ENOENT);
	assert_int_equal(n, 1);
	free(f);
}

static int touch_note(void *ctx, const struct stapsdt_note *n)
{
	size_t *sum = ctx;

	*sum += strlen(n->provider) + strlen(n->name) + strlen(n->args) + n->offset;
	return 0;
}

/* Everything that reads a file; results do not matter, ASan looks. */
static void use(const void *at, size_t n)
{
	struct elf_symbol s;
	struct elf_image e;
	size_t sum = 0;

	if (elf_open(at, n, &e))
		return;
	if (elf_function(&e, "twice", &s) != -ENOENT)
		sum++;
	if (!elf_variable(&e, "variable", &s))
		sum++;
	if (!stapsdt_each(&e, touch_note, &sum))
		sum++;
}

static void cut(void **state)
{
	struct file *f = make();

	for (size_t n = 0; n <= sizeof(*f); n += n < CODE_AT ? 1 : 97) {
		void *copy = malloc(n ? n : 1); /* so that each byte too many is seen */

		memcpy(copy, f, n);
		use(copy, n);
		free(copy);
	}
	free(f);
}

static void damaged(void **state)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
	struct file *f = make();
	uint8_t *bytes = (uint8_t *)f;
	uint32_t seed = 1;

	for (size_t i = 0; i < offsetof(struct file, pad); i++) {
		uint8_t old = bytes[i];

		for (size_t k = 0; k < sizeof(values); k++) {
			bytes[i] = values[k];
			use(f, sizeof(*f));
		}
		bytes[i] = old;
	}
	for (int round = 0; round < 20000; round++) {
		struct file *g = malloc(sizeof(*g));

		memcpy(g, f, sizeof(*g));
		for (int k = 0; k < 4; k++) {
			seed = seed * 1664525 + 1013904223;
			((uint8_t *)g)[(seed >> 8) % offsetof(struct file, pad)] =
				(uint8_t)(seed >> 24);
		}
		use(g, sizeof(*g));
		free(g);
	}
	free(f);
}

static void expect_args(const char *args, const char *wanted, unsigned wanted_out)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	unsigned left_out;

	stapsdt_args(args, &b, &left_out);
	assert_string_equal(b.s ?: "", wanted);
	assert_int_equal(left_out, wanted_out);
}

static void arguments(void **state)
{
	expect_args("", "", 0);
	expect_args("-4@%r13d 4@%r14d", "arg1=%r13:s32 arg2=%r14:u32", 0);
	expect_args("8@%rax -1@%bl 2@%cx", "arg1=%ax:u64 arg2=%bx:s8 arg3=%cx:u16", 0);
	expect_args("8@24(%rsp) 4@-20(%rbp) 8@(%rdi)",
		    "arg1=+24(%sp):u64 arg2=-20(%bp):u32 arg3=+0(%di):u64", 0);
	expect_args("-4@$-7 8@$0x10", "arg1=\\-7:s32 arg2=\\16:u64", 0);
	expect_args("%rdi", "arg1=%di:u64", 0);
	/* the numbers of the others stay */
	expect_args("8@8(%rax,%rbx,4) 4@%esi", "arg2=%si:u32", 1);
	expect_args("8@stderr(%rip) 1@%ah 8f@%xmm0 4@%eip 3@%eax 8@%fs:16 8@ @ 8@$ 8@() 8@(%) "
		    "4@%edi",
		    "arg12=%di:u32", 11);
	expect_args("1@%al 1@%al 1@%al 1@%al 1@%al 1@%al 1@%al 1@%al 1@%al 1@%al 1@%al 1@%al 1@%al",
		    "arg1=%ax:u8 arg2=%ax:u8 arg3=%ax:u8 arg4=%ax:u8 arg5=%ax:u8 arg6=%ax:u8 "
		    "arg7=%ax:u8 arg8=%ax:u8 arg9=%ax:u8 arg10=%ax:u8 arg11=%ax:u8 arg12=%ax:u8",
		    1);
	expect_args("8@12 34(%rax) 8@1\n2(%rax)", "arg2=+34(%ax):u64", 2);
}

static void expect_spec(const char *text, const char *binary, const char *name, const char *args,
			bool is_return)
{
	struct probe_spec s = {0};

	assert_int_equal(probe_spec_parse(text, &s), 0);
	assert_string_equal(s.binary, binary);
	assert_string_equal(s.symbol, name);
	assert_string_equal(s.args ?: "", args);
	assert_int_equal(s.is_return, is_return);
	probe_spec_free(&s);
}

static void specs(void **state)
{
	static const char *const bad[] = {
		"", ":", "a", "a:", ":a", "a:%return", "a:b%", "a:b%ret", "a:b\np:x/y z:0", " a:b"};
	struct probe_spec s;

	expect_spec("/bin/a:f", "/bin/a", "f", "", false);
	expect_spec("/bin/a:b:f%return r=$retval", "/bin/a:b", "f", "r=$retval", true);
	expect_spec("qemu:f  x=%di:x64 y=+0(%si):string", "qemu", "f", "x=%di:x64 y=+0(%si):string",
		    false);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(probe_spec_parse(bad[i], &s), -EINVAL);
}

static void definitions(void **state)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct probe p = {.name = (char *)"n", .offset = 0x40, .semaphore = 0x80};
	char name[PROBE_NAME_MAX + 1];
	char longest[200];
	size_t n;

	probe_define(&b, "onetsc_1", "/proc/1/fd/3", &p);
	assert_string_equal(b.s, "p:onetsc_1/n /proc/1/fd/3:0x40(0x80)");
	b.n = 0;
	p = (struct probe){.name = (char *)"n", .is_return = true, .args = (char *)"a=%ax"};
	probe_define(&b, "onetsc_1", "/x", &p);
	assert_string_equal(b.s, "r:onetsc_1/n /x:0x0 a=%ax");
	probe_name("foo::bar(int)", name);
	assert_string_equal(name, "foo__bar_int_");
	probe_name("3d", name);
	assert_string_equal(name, "_3d");
	probe_name("", name);
	assert_string_equal(name, "probe");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	probe_name(longest, name);
	assert_int_equal(strlen(name), PROBE_NAME_MAX);
	assert_memory_equal(probe_line_name("p:onetsc_1/abc /x:0x1 a=%ax\n", "onetsc_1", &n), "abc",
			    3);
	assert_int_equal(n, 3);
	assert_null(probe_line_name("p:onetsc_12/abc /x:0x1", "onetsc_1", &n));
	assert_null(probe_line_name("p:other/onetsc_1/abc", "onetsc_1", &n));
	assert_null(probe_line_name("", "onetsc_1", &n));
}

static void seccomp(void **state)
{
	assert_true(uprobes_return_is_safe("6.1.0-18-amd64"));
	assert_true(uprobes_return_is_safe("6.10.9"));
	assert_false(uprobes_return_is_safe("6.11.0"));
	assert_false(uprobes_return_is_safe("6.13.9-rc1"));
	assert_true(uprobes_return_is_safe("6.14.0"));
	assert_true(uprobes_return_is_safe("5.15.1"));
	assert_true(uprobes_return_is_safe("7.11.1"));
	assert_false(uprobes_return_is_safe("rubbish"));
}

/* An undo entry may name no other group than one of ours. */
static void undo(void **state)
{
	assert_int_equal(uprobes_undo("/sys/kernel/tracing uprobes"), -EINVAL);
	assert_int_equal(uprobes_undo("/sys/kernel/tracing onetsc_"), -EINVAL);
	assert_int_equal(uprobes_undo("/sys/kernel/tracing onetsc_1*"), -EINVAL);
	assert_int_equal(uprobes_undo("onetsc_1"), -EINVAL);
	assert_int_equal(uprobes_undo("/nonexistent onetsc_1"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symbols), cmocka_unit_test(not_elf),
		cmocka_unit_test(notes),   cmocka_unit_test(cut),
		cmocka_unit_test(damaged), cmocka_unit_test(arguments),
		cmocka_unit_test(specs),   cmocka_unit_test(definitions),
		cmocka_unit_test(seccomp), cmocka_unit_test(undo),
	};

	return cmocka_run_group_tests_name("probes", tests, NULL, NULL);
}
