// SPDX-License-Identifier: GPL-2.0-or-later
#include "capture/stapsdt.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <string.h>

#define TYPE_STAPSDT 3
#define OWNER	     "stapsdt"
#define WORD_MAX     80
#define DESC_MAX     4096

/* --- notes --- */
/* The three texts of a description behind its three addresses, each terminated. */
static bool split_texts(const char *p, size_t n, struct stapsdt_note *note)
{
	const char **to[] = {&note->provider, &note->name, &note->args};

	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		const char *end = n ? memchr(p, 0, n) : NULL;

		if (!end)
			return false;
		*to[i] = p;
		n -= (size_t)(end + 1 - p);
		p = end + 1;
	}
	return true;
}

/* The linker knows nothing of the notes' addresses when a prelinker moved the file: section
 * .stapsdt.base moved with it, and the note says where it was. */
static int fill(const struct elf_image *e, const char *desc, size_t n, uint64_t base,
		struct stapsdt_note *note)
{
	uint64_t at[3], moved;

	if (n < sizeof(at) || !split_texts(desc + sizeof(at), n - sizeof(at), note))
		return -EBADMSG;
	memcpy(at, desc, sizeof(at));
	moved = base ? base - at[1] : 0;
	if (elf_offset(e, at[0] + moved, true, &note->offset))
		return -EBADMSG;
	note->semaphore = 0;
	return at[2] && elf_offset(e, at[2] + moved, false, &note->semaphore) ? -EBADMSG : 0;
}

/* From a copy: the file may be changed meanwhile, and the texts must stay terminated. */
static int give(const struct elf_image *e, const uint8_t *desc, size_t n, uint64_t base,
		int (*take)(void *ctx, const struct stapsdt_note *note), void *ctx)
{
	struct stapsdt_note note = {0};
	char copy[DESC_MAX];
	int r;

	if (n > sizeof(copy))
		return -EBADMSG;
	memcpy(copy, desc, n);
	r = fill(e, copy, n, base, &note);
	return r ? r : take(ctx, &note);
}

int stapsdt_each(const struct elf_image *e, int (*take)(void *ctx, const struct stapsdt_note *note),
		 void *ctx)
{
	struct elf_bytes notes, base = {0};
	int r = elf_section(e, ".note.stapsdt", &notes);

	if (r)
		return r;
	if (elf_section(e, ".stapsdt.base", &base))
		base.vaddr = 0;
	for (size_t at = 0; !r && at < notes.n;) {
		size_t left = notes.n - at, name, desc;
		Elf64_Nhdr h;

		if (left < sizeof(h))
			return -EBADMSG;
		memcpy(&h, notes.at + at, sizeof(h));
		name = ((size_t)h.n_namesz + 3) & ~(size_t)3;
		desc = ((size_t)h.n_descsz + 3) & ~(size_t)3;
		left -= sizeof(h);
		if (name > left || h.n_descsz > left - name)
			return -EBADMSG;
		at += sizeof(h) + name;
		if (h.n_type == TYPE_STAPSDT && h.n_namesz == sizeof(OWNER) &&
		    !memcmp(notes.at + at - name, OWNER, sizeof(OWNER)))
			r = give(e, notes.at + at, h.n_descsz, base.vaddr, take, ctx);
		at += desc;
	}
	return r;
}

/* --- arguments --- */
struct reg {
	const char *name;     /* the kernel's (regs_query_register_offset()) */
	const char *names[4]; /* of 8, 4, 2, 1 bytes */
};

static const struct reg regs[] = {
	{"ax", {"rax", "eax", "ax", "al"}},	  {"bx", {"rbx", "ebx", "bx", "bl"}},
	{"cx", {"rcx", "ecx", "cx", "cl"}},	  {"dx", {"rdx", "edx", "dx", "dl"}},
	{"si", {"rsi", "esi", "si", "sil"}},	  {"di", {"rdi", "edi", "di", "dil"}},
	{"bp", {"rbp", "ebp", "bp", "bpl"}},	  {"sp", {"rsp", "esp", "sp", "spl"}},
	{"r8", {"r8", "r8d", "r8w", "r8b"}},	  {"r9", {"r9", "r9d", "r9w", "r9b"}},
	{"r10", {"r10", "r10d", "r10w", "r10b"}}, {"r11", {"r11", "r11d", "r11w", "r11b"}},
	{"r12", {"r12", "r12d", "r12w", "r12b"}}, {"r13", {"r13", "r13d", "r13w", "r13b"}},
	{"r14", {"r14", "r14d", "r14w", "r14b"}}, {"r15", {"r15", "r15d", "r15w", "r15b"}},
};

/* ah … dh are not there: a uprobe reads registers from their lowest byte. */
static const char *find_reg(const char *s, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		for (size_t k = 0; k < ARRAY_SIZE(regs[i].names); k++)
			if (strlen(regs[i].names[k]) == n && !strncmp(regs[i].names[k], s, n))
				return regs[i].name;
	return NULL;
}

/* "-4@" at *p → "s32", and *p behind it. NULL: of a size that there is not. */
static const char *type_of(const char **p)
{
	static const char *const types[2][9] = {
		{[1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64"},
		{[1] = "s8", [2] = "s16", [4] = "s32", [8] = "s64"}};
	const char *at = strchr(*p, '@');
	bool minus = **p == '-';
	const char *digit = *p + minus;

	if (!at)
		return "u64";
	if (!isdigit((unsigned char)*digit) || digit + 1 != at || *digit > '8')
		return NULL;
	*p = at + 1;
	return types[minus][*digit - '0'];
}

/* A number, and nothing else, in the n bytes at s. */
static bool is_number(const char *s, size_t n, int64_t *ret)
{
	char text[24];

	if (!n || n >= sizeof(text) || memchr(s, ' ', n))
		return false;
	memcpy(text, s, n);
	text[n] = 0;
	return !text_to_s64(text, ret);
}

/* "24(%rsp)": a number or nothing, and one register. */
static bool put_memory(struct strbuf *b, const char *gap, const char *op, const char *type,
		       unsigned i)
{
	const char *open = strchr(op, '('), *reg;
	int64_t disp = 0;
	size_t n = strlen(op);

	if (!open || op[n - 1] != ')' || open[1] != '%')
		return false;
	reg = find_reg(open + 2, (size_t)(op + n - 1 - (open + 2)));
	if (!reg || (open > op && !is_number(op, (size_t)(open - op), &disp)))
		return false;
	strbuf_printf(b, "%sarg%u=%+lld(%%%s):%s", gap, i, (long long)disp, reg, type);
	return true;
}

static bool put_arg(struct strbuf *b, const char *word, unsigned i)
{
	const char *type = type_of(&word), *reg;
	const char *gap = b->n && b->s[b->n - 1] != ' ' ? " " : "";
	int64_t value;

	if (!type || !*word)
		return false;
	if (*word == '$' && is_number(word + 1, strlen(word + 1), &value)) {
		strbuf_printf(b, "%sarg%u=\\%lld:%s", gap, i, (long long)value, type);
		return true;
	}
	if (*word != '%')
		return put_memory(b, gap, word, type, i);
	reg = find_reg(word + 1, strlen(word + 1));
	if (reg)
		strbuf_printf(b, "%sarg%u=%%%s:%s", gap, i, reg, type);
	return reg != NULL;
}

void stapsdt_args(const char *args, struct strbuf *b, unsigned *ret_left_out)
{
	unsigned i = 0;

	*ret_left_out = 0;
	for (args += strspn(args, " "); *args; args += strspn(args, " ")) {
		size_t n = strcspn(args, " ");
		char word[WORD_MAX];

		snprintf(word, sizeof(word), "%.*s", (int)(n < WORD_MAX ? n : WORD_MAX), args);
		args += n;
		if (++i > STAPSDT_ARGS_MAX || n >= sizeof(word) || !put_arg(b, word, i))
			++*ret_left_out;
	}
}
