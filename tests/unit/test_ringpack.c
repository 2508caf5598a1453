// SPDX-License-Identifier: GPL-2.0-or-later
/* What the packer writes, the decoder of recorded pages must read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sink/ringpack.h"
#include "source/ringbuf.h"

#define PAGE 4096u

static const struct source_kind unknown = {.name = "unknown", .min_bytes = 2, .pid_at = -1};
static const struct source_kind broken = {.name = "broken", .pid_at = -1};

static struct ringbuf decoder(void)
{
	return (struct ringbuf){.kinds = {.unknown = &unknown, .broken = &broken},
				.commit_bytes = 8};
}

static uint64_t rnd(void)
{
	static uint64_t x = 88172645463325252u;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

struct record {
	uint64_t ticks;
	uint32_t n;
	uint8_t data[5000];
};

static void make(struct record *r, uint64_t *ticks)
{
	unsigned shift = (unsigned)(rnd() % 64);

	*ticks += shift < 4 ? 0 : rnd() >> (shift < 20 ? 20 : shift);
	r->ticks = *ticks;
	r->n = (uint32_t)(4 + 4 * (rnd() % (rnd() % 50 ? 40 : 1000)));
	for (uint32_t i = 0; i < r->n; i++)
		r->data[i] = (uint8_t)rnd();
}

static void expect(struct ringbuf *rb, const struct record *want, size_t *at, size_t n)
{
	struct source_item items[64];
	unsigned got;

	while ((got = ringbuf_read(rb, items, 64)))
		for (unsigned i = 0; i < got; i++) {
			const struct record *w = &want[(*at)++];

			assert_true(*at <= n);
			assert_false(items[i].flags & ITEM_LOST);
			assert_ptr_equal(items[i].kind, &unknown);
			assert_int_equal(items[i].raw_ticks, w->ticks);
			assert_int_equal(items[i].size, w->n);
			assert_memory_equal(items[i].data, w->data, w->n);
		}
}

/* Stamps with all widths of distances, records of all sizes. */
static void round_trip(void **state)
{
	enum { N = 3000 };
	struct record *records = calloc(N, sizeof(*records));
	uint8_t page[PAGE];
	struct ringpack p = {.page = page, .page_bytes = PAGE};
	struct ringbuf rb = decoder();
	uint64_t ticks = 1ull << 40;
	size_t read = 0, pages = 0;

	for (size_t i = 0; i < N; i++) {
		make(&records[i], &ticks);
		if (!ringpack_add(&p, records[i].ticks, records[i].data, records[i].n)) {
			assert_true(ringpack_close(&p));
			assert_true(ringbuf_page(&rb, page, PAGE, PAGE));
			expect(&rb, records, &read, i);
			assert_int_equal(read, i);
			pages++;
			assert_true(
				ringpack_add(&p, records[i].ticks, records[i].data, records[i].n));
		}
	}
	assert_true(ringpack_close(&p));
	assert_true(ringbuf_page(&rb, page, PAGE, PAGE));
	expect(&rb, records, &read, N);
	assert_int_equal(read, N);
	assert_true(pages > 20);
	free(records);
}

static void fits(void **state)
{
	uint8_t page[PAGE], data[PAGE] = {1};
	struct ringpack p = {.page = page, .page_bytes = PAGE};

	assert_true(ringpack_fits(&p, PAGE - RINGPACK_HEAD - 8));
	assert_false(ringpack_fits(&p, PAGE - RINGPACK_HEAD - 7));
	assert_false(ringpack_fits(&p, UINT32_MAX));
	assert_true(ringpack_add(&p, 5, data, PAGE - RINGPACK_HEAD - 8));
	assert_false(ringpack_add(&p, 6, data, 4));
	assert_false(ringpack_add(&p, 6, data, UINT32_MAX - 3));
	assert_true(ringpack_close(&p));
	assert_false(ringpack_close(&p));
}

static uint64_t lost_of(uint8_t *page)
{
	struct ringbuf rb = decoder();
	struct source_item items[2];

	assert_true(ringbuf_page(&rb, page, PAGE, PAGE));
	assert_in_range(ringbuf_read(&rb, items, 2), 1, 2);
	return items[0].flags & ITEM_LOST ? items[0].lost : 0;
}

static void lost(void **state)
{
	static const uint8_t data[64] = {1, 2, 3};
	uint8_t page[PAGE];
	struct ringpack p = {.page = page, .page_bytes = PAGE};

	ringpack_lost(&p, 123);
	ringpack_lost(&p, 4);
	while (ringpack_add(&p, 1000, data, sizeof(data))) /* the number has room behind them all */
		;
	ringpack_close(&p);
	assert_int_equal(lost_of(page), 127);
	assert_true(ringpack_add(&p, 1000, data, sizeof(data)));
	ringpack_close(&p);
	assert_int_equal(lost_of(page), 0);
	ringpack_lost(&p, 5);
	ringpack_lost(&p, UINT64_MAX);
	assert_true(ringpack_add(&p, 1000, data, sizeof(data)));
	ringpack_close(&p);
	assert_true(lost_of(page) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(fits),
		cmocka_unit_test(lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
