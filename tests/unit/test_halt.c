// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include "insight/halt.h"

static void event(struct halt *h, int pid, uint64_t ticks)
{
	halt_guest(h, pid, pid, false, ticks);
}

static void in_idle(void **state)
{
	struct halt h;

	halt_init(&h);
	halt_guest(&h, 7, 0, true, 100);
	halt_exit(&h, 130);
	halt_exit(&h, 190); /* it was woken, found nothing to do and halts again */
	event(&h, 0, 200);
	halt_guest(&h, 0, 7, true, 210);
	assert_true(h.idle == 2 && !h.busy && !h.unjudged);
	assert_true(h.least_ticks == 30);
}

static void in_a_task(void **state)
{
	struct halt h;

	halt_init(&h);
	halt_guest(&h, 0, 7, true, 100);
	halt_exit(&h, 130);
	event(&h, 7, 200);
	halt_exit(&h, 230);
	halt_guest(&h, 7, 0, true, 240);
	assert_true(!h.idle && h.busy == 2 && !h.unjudged);
	assert_true(h.busy_ticks == 130);
	assert_true(h.least_ticks == UINT64_MAX);
}

static void not_judged(void **state)
{
	struct halt h;

	halt_init(&h);
	halt_exit(&h, 10); /* before the first event */
	event(&h, 7, 20);
	halt_exit(&h, 30); /* no switch was ever seen: any task may have run */
	event(&h, 7, 40);
	assert_true(h.unjudged == 2);
	halt_guest(&h, 7, 0, true, 50);
	halt_exit(&h, 60); /* between events that tell of different tasks */
	event(&h, 9, 70);
	assert_true(h.unjudged == 3);
	halt_exit(&h, 80);
	halt_lost(&h);
	halt_exit(&h, 90); /* behind a loss */
	event(&h, 9, 100);
	halt_exit(&h, 110); /* nothing follows */
	halt_lost(&h);
	assert_true(h.unjudged == 6 && !h.idle && !h.busy);
}

static void kinds(void **state)
{
	assert_int_equal(halt_kind_of(1, 12), HALT_HLT);
	assert_int_equal(halt_kind_of(2, 0x78), HALT_HLT);
	assert_int_equal(halt_kind_of(1, 0x78), HALT_OTHER);
	assert_int_equal(halt_kind_of(2, 12), HALT_OTHER);
	assert_int_equal(halt_kind_of(1, 18), HALT_EXCUSE);
	assert_int_equal(halt_kind_of(2, 0x81), HALT_EXCUSE);
	assert_int_equal(halt_kind_of(2, 0x80), HALT_EXCUSE);
	assert_int_equal(halt_kind_of(1, 0x80000000 | 24), HALT_EXCUSE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_idle),
		cmocka_unit_test(in_a_task),
		cmocka_unit_test(not_judged),
		cmocka_unit_test(kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
