// SPDX-License-Identifier: GPL-2.0-or-later
/* Programs that are probed: symbols, sections, static probes and their arguments. */
#include <stdint.h>
#include <string.h>

#include "capture/elfimage.h"
#include "capture/stapsdt.h"

static int take(void *ctx, const struct stapsdt_note *note)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	const struct elf_image *e = ctx;
	unsigned left_out;

	if (note->offset >= e->n || note->semaphore >= e->n)
		__builtin_trap();
	stapsdt_args(note->args, &b, &left_out);
	if (b.s && strchr(b.s, '\n'))
		__builtin_trap(); /* it would end the command to the kernel */
	return strlen(note->provider) + strlen(note->name) > e->n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const names[] = {"probed_step", "main", ""};
	struct elf_symbol s;
	struct elf_image e;

	if (elf_open(data, n, &e))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!elf_function(&e, names[i], &s) && s.offset >= n)
			__builtin_trap();
		if (!elf_variable(&e, names[i], &s) && !s.vaddr)
			return 0;
	}
	return stapsdt_each(&e, take, &e) == 1 ? -1 : 0;
}
