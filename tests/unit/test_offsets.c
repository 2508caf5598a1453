// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>

#include "base/log.h"
#include "timeline/offsets.h"

static struct offset_write writes[] = {
	{100, 7, 0, 0, -50},   {150, 9, 0, 1, 2}, /* of another VM */
	{160, 8, 1, 0, -50},			  /* of another vCPU */
	{200, 7, 0, -50, -50},			  /* changes nothing */
	{300, 8, 0, -50, -80},
};

static pid_t tids[] = {7, 8};
static const struct input_machine vm = {
	.name = (char *)"vm",
	.is_guest = true,
	.tids = {.v = tids, .n = 2},
};

static int epochs_of(struct input_vcpu *v, size_t n_writes, const struct offset_known *known)
{
	struct offset_scan scan = {0};

	scan.writes.v = writes;
	scan.writes.n = n_writes;
	*v = (struct input_vcpu){.id = 0};
	return offset_epochs(&vm, v, &scan, known);
}

static void follows_writes(void **state)
{
	struct offset_known known = {
		.has_start = true, .has_end = true, .end = -80, .end_ticks = 400, .ratio = 1};
	struct input_vcpu v;

	assert_int_equal(epochs_of(&v, 5, &known), 0);
	assert_int_equal(v.epochs.n, 3);
	assert_int_equal(v.epochs.v[0].from_ticks, 0);
	assert_int_equal(v.epochs.v[0].map.offset, 0);
	assert_int_equal(v.epochs.v[1].from_ticks, 100);
	assert_int_equal(v.epochs.v[2].from_ticks, 300);
	assert_int_equal(v.epochs.v[2].map.offset, -80);
	epochs_free(&v.epochs);
	/* the offset at the start may have been read between two writes */
	known.start = -50;
	assert_int_equal(epochs_of(&v, 5, &known), 0);
	epochs_free(&v.epochs);
	/* and the one at the end before the last write */
	known.end = -50;
	known.end_ticks = 250;
	assert_int_equal(epochs_of(&v, 5, &known), 0);
	epochs_free(&v.epochs);
}

static void contradictions(void **state)
{
	struct offset_known known = {.has_end = true, .end = -81, .end_ticks = 400, .ratio = 1};
	int64_t previous = writes[4].previous;
	struct input_vcpu v;

	log_set_level(LOG_NONE);
	assert_int_equal(epochs_of(&v, 5, &known), -EBADMSG);
	assert_int_equal(v.epochs.n, 3); /* all the same */
	epochs_free(&v.epochs);
	known = (struct offset_known){.has_start = true, .start = 5, .ratio = 1};
	assert_int_equal(epochs_of(&v, 5, &known), -EBADMSG);
	epochs_free(&v.epochs);
	known = (struct offset_known){.ratio = 1};
	writes[4].previous = -60; /* a write between is missing */
	assert_int_equal(epochs_of(&v, 5, &known), -EBADMSG);
	writes[4].previous = previous;
	epochs_free(&v.epochs);
	/* no write, but another offset at the end than at the start */
	known = (struct offset_known){.has_start = true, .has_end = true, .end = 9, .ratio = 1};
	assert_int_equal(epochs_of(&v, 0, &known), -EBADMSG);
	epochs_free(&v.epochs);
	log_set_level(LOG_INFO);
}

static void without_writes(void **state)
{
	struct offset_known known = {.has_end = true, .end = 9, .ratio = 3ull << 31, .frac = 32};
	struct input_vcpu v;

	assert_int_equal(epochs_of(&v, 0, &known), 0);
	assert_int_equal(v.epochs.n, 1);
	assert_int_equal(v.epochs.v[0].map.offset, 9);
	assert_int_equal(v.epochs.v[0].map.frac, 32);
	epochs_free(&v.epochs);
	known.ratio = 0;
	assert_int_equal(epochs_of(&v, 0, &known), -EINVAL);
	known = (struct offset_known){.ratio = 1};
	assert_int_equal(epochs_of(&v, 0, &known), -ENODATA);
	assert_int_equal(v.epochs.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(follows_writes),
		cmocka_unit_test(contradictions),
		cmocka_unit_test(without_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
