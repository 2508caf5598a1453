// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <string.h>

#include "insight/handlers.h"

enum { IO = 2, MMIO = 6, HLT = 5, EINTR_NOW = -4 };

static void judged(void **state)
{
	struct handlers_track t = {0};
	struct handlers_result r = {0};

	handlers_exit(&t, &r, IO, 0, 10); /* before the first call: the probes may not be there */
	handlers_entry(&t, &r);
	assert_int_equal(r.unjudged, 1);
	handlers_exit(&t, &r, MMIO, 0, 20);
	handlers_call(&t, &r);
	handlers_call(&t, &r); /* a string of I/O, or a device's copy */
	handlers_entry(&t, &r);
	handlers_entry(&t, &r); /* exits that KVM handles */
	assert_int_equal(r.handled, 1);
	handlers_exit(&t, &r, IO, 0, 30);
	handlers_entry(&t, &r);
	handlers_exit(&t, &r, IO, 0, 40);
	handlers_entry(&t, &r);
	assert_int_equal(r.missing, 2);
	assert_int_equal(r.first_missing_ticks, 30);
	assert_int_equal(r.io, 3);
	assert_int_equal(r.mmio, 1);
	assert_int_equal(r.calls, 2);
}

static void no_access(void **state)
{
	struct handlers_track t = {.known = true};
	struct handlers_result r = {0};

	handlers_exit(&t, &r, IO, EINTR_NOW, 10);
	handlers_entry(&t, &r);
	handlers_exit(&t, &r, HLT, 0, 20);
	handlers_entry(&t, &r);
	assert_int_equal(r.io + r.missing + r.handled + r.unjudged, 0);
}

static void gaps(void **state)
{
	struct handlers_track t = {.known = true};
	struct handlers_result r = {0};

	handlers_exit(&t, &r, IO, 0, 10);
	handlers_lost(&t, &r);
	assert_int_equal(r.unjudged, 1);
	handlers_entry(&t, &r);
	handlers_exit(&t, &r, IO, 0, 20); /* the probes are not known to be there again */
	handlers_exit(&t, &r, IO, 0, 30); /* without an entry between them */
	handlers_call(&t, &r);
	handlers_lost(&t, &r); /* it had its call */
	assert_int_equal(r.unjudged, 2);
	assert_int_equal(r.handled, 1);
	assert_int_equal(r.missing, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judged),
		cmocka_unit_test(no_access),
		cmocka_unit_test(gaps),
	};

	return cmocka_run_group_tests_name("handlers", tests, NULL, NULL);
}
