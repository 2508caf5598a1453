// SPDX-License-Identifier: GPL-2.0-or-later
/* A format file, a NUL, a record: libtraceevent parses the one, its program prints the other. */
#include <event-parse.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sink/fmt_compile.h"
#include "sink/fmt_run.h"
#include "source/dat_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define TEXT_BYTES 65536
#define FIELDS	   64

static const char *symbol(void *ctx, uint64_t addr, uint64_t *ret_start, size_t *ret_n)
{
	*ret_start = addr & ~UINT64_C(0xff);
	*ret_n = 4;
	return addr & 1 ? "func" : NULL;
}

static const char *guest_symbol(void *ctx, int tid, uint64_t addr, uint64_t *ret_start,
				size_t *ret_n)
{
	return symbol(ctx, addr, ret_start, ret_n);
}

static const char *printk(void *ctx, uint64_t addr, size_t *ret_n)
{
	*ret_n = 4;
	return addr & 1 ? "text" : NULL;
}

static uint64_t address(void *ctx, const char *name)
{
	return (uint64_t)(unsigned char)*name;
}

static const struct fmt_names names = {NULL, symbol, guest_symbol, printk, address};

/* For the forms of plugins: the numbers and arrays. */
static size_t fields_of(const struct tep_event *e, struct source_field *out)
{
	size_t n = 0;

	for (struct tep_format_field *f = e->format.fields; f && n < FIELDS; f = f->next)
		if (f->offset >= 0 && f->size >= 0 && f->offset + f->size < 65536)
			out[n++] = (struct source_field){
				.name = f->name,
				.offset = (uint16_t)f->offset,
				.size = (uint16_t)f->size,
				.type = f->flags & TEP_FIELD_IS_DYNAMIC ? FIELD_DYN_BYTES
					: f->flags & TEP_FIELD_IS_ARRAY ? FIELD_BYTES
									: FIELD_UINT};
	return n;
}

static void run(const struct fmt_prog *g, const uint8_t *record, size_t n)
{
	static char text[TEXT_BYTES + FMT_ROOM];
	uint8_t *copy = malloc(n ? n : 1);
	struct fmt_run r = {.out = {text, text + TEXT_BYTES},
			    .rec = copy,
			    .size = (uint32_t)n,
			    .names = &names};

	if (copy) {
		memcpy(copy, record, n);
		fmt_run(&r, g);
		if (r.out.p > text + sizeof(text))
			abort();
	}
	free(copy);
}

static void compile_and_run(struct tep_handle *tep, const uint8_t *record, size_t n)
{
	struct source_field fields[FIELDS];
	struct tep_event *e = tep_get_event(tep, 0);
	struct fmt_prog *g;

	if (!e || !e->name || !e->system)
		return;
	struct source_kind kind = {.system = e->system,
				   .name = e->name,
				   .min_bytes = 2,
				   .fields = fields,
				   .n_fields = fields_of(e, fields)};
	if (!fmt_compile(&kind, (struct source_format){e, true}, &names, &g)) {
		run(g, record, n);
		fmt_prog_free(g);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const uint8_t *nul = memchr(data, 0, n);
	const char *format = (const char *)data;
	struct tep_handle *tep;
	size_t n_format, fmt;

	if (!nul || n - (size_t)(nul - data) < 3)
		return 0;
	n_format = (size_t)(nul - data);
	if (format_check(format, n_format, &fmt) != FORMAT_SANE)
		return 0;
	tep_set_loglevel(TEP_LOG_NONE);
	tep = tep_alloc();
	if (!tep)
		return 0;
	tep_set_long_size(tep, 8);
	tep_parse_event(tep, format, n_format, "kvm");
	compile_and_run(tep, nul + 1, n - n_format - 1);
	tep_free(tep);
	return 0;
}
