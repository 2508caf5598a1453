// SPDX-License-Identifier: GPL-2.0-or-later
/* What a hostile agent or host may send: a stream of messages. Each is refused, or says the same
 * when it is encoded again; metadata keeps within its bounds. */
#include <stdlib.h>
#include <string.h>

#include "capture/meta.h"
#include "capture/wire/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static union {
	struct wire_hello hello;
	struct wire_refuse refuse;
	struct wire_start start;
	struct wire_meta meta;
	struct wire_cpus cpus;
	struct wire_pair pair;
	struct wire_stats stats;
} m;

static void keep(struct meta *all, const struct wire_meta *piece)
{
	char system[WIRE_TEXT_MAX + 1], name[WIRE_TEXT_MAX + 1];
	uint64_t before = all->bytes;

	memcpy(system, piece->system.s, piece->system.n);
	system[piece->system.n] = 0;
	memcpy(name, piece->name.s, piece->name.n);
	name[piece->name.n] = 0;
	if (meta_store(all, piece->kind, system, name, piece->text.s, piece->text.n))
		return;
	if (all->bytes != before + piece->text.n)
		abort();
}

/* Decodes; what was understood is encoded into out. */
static int handle(const struct wire_header *h, const uint8_t *body, struct meta *all,
		  struct strbuf *out)
{
	int r = -1;

	switch (h->type) {
	case WIRE_HELLO:
		r = wire_get_hello(body, h->len, &m.hello);
		if (!r)
			wire_put_hello(out, &m.hello);
		break;
	case WIRE_START:
		r = wire_get_start(body, h->len, &m.start);
		if (!r)
			wire_put_start(out, &m.start);
		break;
	case WIRE_META:
		r = wire_get_meta(body, h->len, &m.meta);
		if (!r)
			keep(all, &m.meta);
		if (!r)
			wire_put_meta(out, &m.meta);
		break;
	case WIRE_CPUS:
		r = wire_get_cpus(body, h->len, &m.cpus);
		if (!r)
			wire_put_cpus(out, &m.cpus);
		break;
	case WIRE_PAIR:
		r = wire_get_pair(body, h->len, &m.pair);
		if (!r)
			wire_put_pair(out, h->arg, &m.pair);
		break;
	case WIRE_STATS:
		r = wire_get_stats(body, h->len, &m.stats);
		if (!r)
			wire_put_stats(out, &m.stats);
		break;
	}
	return r;
}

static void check_same(const struct wire_header *h, const uint8_t *body, const struct strbuf *out)
{
	size_t said = out->n - WIRE_HEADER_BYTES;

	/* A HELLO of a later version may be longer than what this one understands. */
	if (h->type == WIRE_HELLO && m.hello.version != WIRE_VERSION ? said > h->len
								     : said != h->len)
		abort();
	if (memcmp(out->s + WIRE_HEADER_BYTES, body, said))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct wire_header h;
	struct meta all = {0};

	while (n >= WIRE_HEADER_BYTES && !wire_get_header(data, &h) &&
	       n - WIRE_HEADER_BYTES >= h.len) {
		_cleanup_strbuf_ struct strbuf out = {0};

		if (!handle(&h, data + WIRE_HEADER_BYTES, &all, &out))
			check_same(&h, data + WIRE_HEADER_BYTES, &out);
		if (h.type == WIRE_REFUSE &&
		    wire_get_refuse(data + WIRE_HEADER_BYTES, h.len, &m.refuse))
			break;
		data += WIRE_HEADER_BYTES + h.len;
		n -= WIRE_HEADER_BYTES + h.len;
	}
	if (meta_unify_cmdlines(&all))
		abort();
	meta_sort(&all);
	meta_free(&all);
	return 0;
}
