// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages written byte by byte, as kernel/trace/ring_buffer.c writes them. */
#include "test.h"

#include <string.h>

#include "source/ringbuf.h"

#define PAGE 256u

static const struct source_kind broken = {.name = "broken", .id = UINT32_MAX, .min_bytes = 0};
static const struct source_kind unknown = {.name = "unknown", .id = UINT32_MAX, .index = 1};
static const struct source_kind five = {.name = "five", .id = 5, .index = 2, .min_bytes = 8};
static const struct source_kind *const by_id[6] = {[5] = &five};

static struct ringbuf fresh(const bool *wanted)
{
	return (struct ringbuf){
		.commit_bytes = 8,
		.kinds = {by_id, 6, &unknown, &broken, wanted},
	};
}

struct page {
	uint8_t b[PAGE];
	size_t n; /* committed */
};

static struct page page_at(uint64_t ticks)
{
	struct page p = {0};

	memcpy(p.b, &ticks, 8);
	return p;
}

static void put(struct page *p, uint32_t word)
{
	memcpy(p->b + 16 + p->n, &word, 4);
	p->n += 4;
	memcpy(p->b + 8, &(uint64_t){p->n}, 8);
}

static void put_record(struct page *p, uint32_t delta, uint16_t id)
{
	put(p, 2 | delta << 5); /* two words of data */
	put(p, id);
	put(p, 0x1234);
}

static void times(void **state)
{
	struct page p = page_at(1000);
	struct ringbuf rb = fresh(NULL);
	struct source_item it[8];

	put_record(&p, 0, 5);
	put_record(&p, 7, 5);
	put(&p, 30 | 3 << 5); /* TIME_EXTEND: 2 << 27 | 3 */
	put(&p, 2);
	put_record(&p, 1, 5);
	put(&p, 31 | 9 << 5); /* TIME_STAMP: 5 << 27 | 9, absolute */
	put(&p, 5);
	put_record(&p, 2, 5);
	assert_true(ringbuf_page(&rb, p.b, PAGE, PAGE));
	assert_int_equal(ringbuf_read(&rb, it, 8), 4);
	assert_int_equal(it[0].raw_ticks, 1000);
	assert_int_equal(it[1].raw_ticks, 1007);
	assert_int_equal(it[2].raw_ticks, 1007 + (2ull << 27) + 3 + 1);
	assert_int_equal(it[3].raw_ticks, (5ull << 27) + 9 + 2);
	assert_ptr_equal(it[0].kind, &five);
	assert_int_equal(it[0].size, 8);
	assert_int_equal(ringbuf_read(&rb, it, 8), 0);
}

/* The high bits of an absolute stamp are those of the time before. */
static void wrapped_stamp(void **state)
{
	struct page p = page_at(0xf9ull << 56 | 5);
	struct ringbuf rb = fresh(NULL);
	struct source_item it[4];

	put(&p, 31 | 6 << 5);
	put(&p, 0);
	put_record(&p, 0, 5);
	assert_true(ringbuf_page(&rb, p.b, PAGE, PAGE));
	assert_int_equal(ringbuf_read(&rb, it, 4), 1);
	/* below the running stamp: the 59 bits went over */
	assert_true(it[0].raw_ticks == (0xf8ull << 56 | 6) + (1ull << 59));
}

static void clamped(void **state)
{
	struct page p = page_at(1000);
	struct ringbuf rb = fresh(NULL);
	struct source_item it[8];

	put(&p, 30); /* the first record's extend is 0 by design */
	put(&p, 0);
	put_record(&p, 0, 5);
	put(&p, 30);
	put(&p, 0);
	put_record(&p, 0, 5);
	put_record(&p, 4, 5);
	put(&p, 31 | 2000 << 5); /* an absolute stamp ends it */
	put(&p, 0);
	put_record(&p, 0, 5);
	assert_true(ringbuf_page(&rb, p.b, PAGE, PAGE));
	assert_int_equal(ringbuf_read(&rb, it, 8), 4);
	assert_int_equal(it[0].flags, 0);
	assert_int_equal(it[1].flags, ITEM_CLAMPED | ITEM_CLAMP_FIRST);
	assert_int_equal(it[1].raw_ticks, 1000);
	assert_int_equal(it[2].flags, ITEM_CLAMPED);
	assert_int_equal(it[3].flags, 0);
}

/* A TIME_EXTEND of 0 with an absolute stamp behind its record: the record was interrupted, nothing
 * else is shifted. With a lower stamp the clock did go back. */
static void interrupted(void **state)
{
	for (uint32_t stamp = 1002; stamp <= 2000; stamp += 998) {
		struct page p = page_at(1000);
		struct ringbuf rb = fresh(NULL);
		struct source_item it[8];

		put_record(&p, 3, 5);
		put(&p, 30);
		put(&p, 0);
		put_record(&p, 0, 5);
		put(&p, 31 | stamp << 5);
		put(&p, 0);
		put_record(&p, 0, 5);
		put_record(&p, 1, 5);
		assert_true(ringbuf_page(&rb, p.b, PAGE, PAGE));
		assert_int_equal(ringbuf_read(&rb, it, 8), 4);
		assert_int_equal(it[0].raw_ticks, 1003);
		assert_int_equal(it[1].raw_ticks, stamp == 2000 ? 2000 : 1003);
		assert_int_equal(it[1].flags, stamp == 2000 ? ITEM_INTERRUPTED
							    : ITEM_CLAMPED | ITEM_CLAMP_FIRST);
		assert_int_equal(it[2].flags, 0);
		assert_int_equal(it[2].raw_ticks, stamp);
		assert_int_equal(it[3].raw_ticks, stamp + 1);
	}
}

static void long_and_discarded(void **state)
{
	struct page p = page_at(10);
	struct ringbuf rb = fresh(NULL);
	struct source_item it[4];

	put(&p, 0); /* length in the next word, itself included */
	put(&p, 4 + 8);
	put(&p, 5);
	put(&p, 0);
	put(&p, 29 | 3 << 5); /* discarded, with its time */
	put(&p, 8);
	put(&p, 0);
	put_record(&p, 1, 5);
	put(&p, 29); /* nothing up to the end of the page */
	put_record(&p, 1, 5);
	assert_true(ringbuf_page(&rb, p.b, PAGE, PAGE));
	assert_int_equal(ringbuf_read(&rb, it, 4), 2);
	assert_int_equal(it[0].size, 8);
	assert_int_equal(it[1].raw_ticks, 14);
}

static void losses(void **state)
{
	struct page p = page_at(10), q = page_at(50);
	struct ringbuf rb = fresh(NULL);
	struct source_item it[4];
	uint64_t commit;

	put_record(&p, 0, 5);
	put_record(&q, 0, 5);
	memcpy(q.b + 16 + q.n, &(uint64_t){77}, 8);
	commit = q.n | 1u << 31 | 1u << 30; /* RB_MISSED_EVENTS, RB_MISSED_STORED */
	memcpy(q.b + 8, &commit, 8);
	assert_true(ringbuf_page(&rb, p.b, PAGE, PAGE));
	assert_int_equal(ringbuf_read(&rb, it, 4), 1);
	assert_true(ringbuf_page(&rb, q.b, PAGE, PAGE));
	assert_int_equal(ringbuf_read(&rb, it, 4), 2);
	assert_int_equal(it[0].flags, ITEM_LOST);
	assert_int_equal(it[0].lost, 77);
	assert_int_equal(it[0].raw_ticks, 10);
	assert_int_equal(it[0].end_raw_ticks, 50);
	assert_int_equal(it[1].raw_ticks, 50);
}

static void nonsense(void **state)
{
	struct page p = page_at(10);
	struct ringbuf rb = fresh(NULL);
	struct source_item it[4];

	assert_false(ringbuf_page(&rb, p.b, 12, PAGE)); /* no header */
	memcpy(p.b + 8, &(uint64_t){PAGE}, 8);
	assert_false(ringbuf_page(&rb, p.b, PAGE, PAGE)); /* more than the page */
	p = page_at(10);
	put(&p, 28); /* 28 words, of which one is there */
	put(&p, 5);
	assert_true(ringbuf_page(&rb, p.b, PAGE, PAGE));
	assert_int_equal(ringbuf_read(&rb, it, 4), 0);
	assert_int_equal(rb.broken_pages, 3);
	p = page_at(20);
	put_record(&p, 0, 4); /* no such id */
	put(&p, 1);	      /* too short for its kind */
	put(&p, 5);
	assert_true(ringbuf_page(&rb, p.b, PAGE, PAGE));
	assert_int_equal(ringbuf_read(&rb, it, 4), 3);
	assert_int_equal(it[0].flags, ITEM_LOST); /* what the broken pages held */
	assert_true(it[0].lost == UINT64_MAX);
	assert_ptr_equal(it[1].kind, &unknown);
	assert_ptr_equal(it[2].kind, &broken);
}

static void not_wanted(void **state)
{
	static const bool wanted[] = {true, true, false};
	struct page p = page_at(10);
	struct ringbuf rb = fresh(wanted);
	struct source_item it[4];

	put_record(&p, 5, 5);
	put_record(&p, 5, 4);
	assert_true(ringbuf_page(&rb, p.b, PAGE, PAGE));
	assert_int_equal(ringbuf_read(&rb, it, 4), 1);
	assert_int_equal(it[0].raw_ticks, 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times),      cmocka_unit_test(wrapped_stamp),
		cmocka_unit_test(clamped),    cmocka_unit_test(long_and_discarded),
		cmocka_unit_test(losses),     cmocka_unit_test(nonsense),
		cmocka_unit_test(not_wanted), cmocka_unit_test(interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
