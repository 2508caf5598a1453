// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <stdio.h>
#include <string.h>

#include "insight/windows.h"

static struct {
	uint64_t inside, down, up, violations, farthest, unjudged[PROOF_REASONS];
} got;

static void on_inside(void *arg, const struct window_inside *in)
{
	got.inside += in->n;
	if (in->down < got.down)
		got.down = in->down;
	if (in->up < got.up)
		got.up = in->up;
}

static void on_violation(void *arg, const struct window_event *e, uint64_t distance, uint64_t n)
{
	got.violations += n;
	if (distance > got.farthest)
		got.farthest = distance;
}

static void on_unjudged(void *arg, enum proof_reason why, uint64_t n)
{
	got.unjudged[why] += n;
}

static const struct windows_ops ops = {on_inside, on_violation, on_unjudged};

/* A story in short: E100/1 entry at 100 on CPU 1, X exit, L100-200/1 loss, g100 guest event,
 * g100+5 with a width. */
static void play(const char *story)
{
	struct windows w;
	uint64_t a, b;
	unsigned cpu;
	int n;

	memset(&got, 0, sizeof(got));
	got.down = got.up = UINT64_MAX;
	windows_init(&w, &ops, NULL);
	for (; *story; story += n) {
		if (sscanf(story, " E%lu/%u%n", &a, &cpu, &n) == 2)
			windows_entry(&w, a, cpu);
		else if (sscanf(story, " X%lu/%u%n", &a, &cpu, &n) == 2)
			windows_exit(&w, a, cpu);
		else if (sscanf(story, " L%lu-%lu/%u%n", &a, &b, &cpu, &n) == 3)
			windows_lost(&w, cpu, a, b);
		else if (sscanf(story, " g%lu+%lu%n", &a, &b, &n) == 2)
			windows_guest(&w, &(struct window_event){.ticks = a, .width = (uint32_t)b});
		else if (sscanf(story, " g%lu%n", &a, &n) == 1)
			windows_guest(&w, &(struct window_event){.ticks = a});
		else
			fail_msg("cannot read \"%s\"", story);
	}
	windows_end(&w);
}

static uint64_t all_unjudged(void)
{
	uint64_t n = 0;

	for (int i = 0; i < PROOF_REASONS; i++)
		n += got.unjudged[i];
	return n;
}

static void inside(void **state)
{
	play("E100/0 g110 g150 X180/0 E200/1 g220 X221/1");
	assert_int_equal(got.inside, 3);
	assert_int_equal(got.violations, 0);
	assert_int_equal(got.down, 10);
	assert_int_equal(got.up, 1);
	assert_int_equal(all_unjudged(), 0);
}

static void outside(void **state)
{
	play("E100/0 X180/0 g190 g250 g290 E300/0 g310 X320/0");
	assert_int_equal(got.violations, 3);
	assert_int_equal(got.farthest, 50);
	assert_int_equal(got.inside, 1);
}

/* On the edge is inside, whichever way the merge put equal ticks. */
static void ties(void **state)
{
	play("E100/0 g100 g180 X180/0 g180 E200/0 X201/0");
	assert_int_equal(got.inside, 3);
	assert_int_equal(got.violations, 0);
	assert_int_equal(got.down, 0);
	assert_int_equal(got.up, 0);
}

static void intervals(void **state)
{
	/* may lie in the window that begins at 200 or not: possible, so no violation */
	play("E100/0 X180/0 g195+5 E200/0 X300/0");
	assert_int_equal(got.inside, 1);
	assert_int_equal(got.down, 0);
	assert_int_equal(got.up, 105);
	play("E100/0 X180/0 g194+5 E200/0 X300/0");
	assert_int_equal(got.violations, 1);
	assert_int_equal(got.farthest, 1);
	play("E100/0 g178+5 X180/0 E200/0 X300/0");
	assert_int_equal(got.inside, 1);
	assert_int_equal(got.up, 2);
	assert_int_equal(got.down, 83);
}

static void ends(void **state)
{
	play("g50 X90/0 g95 E100/0 g120 X130/0 g140 g150");
	assert_int_equal(got.unjudged[PROOF_BEFORE], 1);
	assert_int_equal(got.violations, 1); /* 95: between exit and entry */
	assert_int_equal(got.inside, 1);
	assert_int_equal(got.unjudged[PROOF_AFTER], 2);
	play("E100/0 g120");
	assert_int_equal(got.unjudged[PROOF_AFTER], 1);
	play("g1 g2");
	assert_int_equal(got.unjudged[PROOF_BEFORE], 2);
}

static void loss_in_window(void **state)
{
	/* until the loss the exit would have been seen; after it, entry or exit tell */
	play("E100/0 g120 L130-200/0 g150 g210 X230/0");
	assert_int_equal(got.inside, 2); /* 120, and 210: no entry was seen since 200 */
	assert_int_equal(got.unjudged[PROOF_GAP], 1);
	assert_int_equal(got.down, 20);
	assert_int_equal(got.up, 20);
	play("E100/0 g120 L130-200/0 g150 g210 E230/0 X250/0");
	assert_int_equal(got.inside, 1);
	assert_int_equal(got.violations, 1); /* 210: an exit after 200 would have been seen */
	assert_int_equal(got.farthest, 20);
	/* it goes on elsewhere after the exit, and may hide the next window */
	play("E100/0 g120 L110-200/1 X130/0 g150 X250/1 E300/0 X310/0");
	assert_int_equal(got.inside, 1);
	assert_int_equal(got.unjudged[PROOF_GAP], 1);
	play("E100/0 g120 L110-200/1 X130/0 g150 g210 X250/1 E300/0 X310/0");
	assert_int_equal(got.inside, 2);
	/* another CPU's loss says nothing about a window here */
	play("E100/0 g120 L130-200/1 g150 g210 X230/0");
	assert_int_equal(got.inside, 3);
	assert_int_equal(all_unjudged(), 0);
}

static void loss_outside(void **state)
{
	play("E10/0 X20/0 g50 L100-200/1 g150 g250 E300/0 X310/0");
	assert_int_equal(got.violations, 2); /* 50 and 250 */
	assert_int_equal(got.unjudged[PROOF_GAP], 1);
	play("E10/0 X20/0 L100-200/1 g250 X300/1 E400/0 X500/0");
	assert_int_equal(got.inside, 1); /* its entry was lost on CPU 1 */
	/* two losses on two CPUs: either may hide the entry */
	play("E10/0 X20/0 L100-200/1 L150-220/2 g250 X300/1 E400/0 X500/0");
	assert_int_equal(got.unjudged[PROOF_GAP], 1);
	assert_int_equal(got.violations, 0);
	play("E10/0 X20/0 L100-200/1 g250 L260-280/1 E400/0 X500/0");
	assert_int_equal(got.unjudged[PROOF_GAP], 1);
	play("E10/0 X20/0 g95+9 L100-200/1 E400/0 X500/0");
	assert_int_equal(got.unjudged[PROOF_GAP], 1);
	assert_int_equal(got.violations, 0);
}

static void unpaired(void **state)
{
	play("E100/0 g110 E200/0 g210 X220/0");
	assert_int_equal(got.unjudged[PROOF_UNPAIRED], 1);
	assert_int_equal(got.inside, 1);
	play("E100/0 X110/0 g120 X130/0 E140/0 X150/0");
	assert_int_equal(got.unjudged[PROOF_UNPAIRED], 1);
	play("E100/0 g110 X120/1");
	assert_int_equal(got.unjudged[PROOF_UNPAIRED], 1);
}

/* More events outside than are kept one by one: all are counted. */
static void many(void **state)
{
	struct windows w;

	memset(&got, 0, sizeof(got));
	windows_init(&w, &ops, NULL);
	windows_entry(&w, 10, 0);
	windows_exit(&w, 20, 0);
	for (uint64_t i = 0; i < 10000; i++)
		windows_guest(&w, &(struct window_event){.ticks = 100 + i});
	windows_entry(&w, 20000, 0);
	windows_end(&w);
	assert_int_equal(got.violations, 10000);
	assert_int_equal(got.farthest, 20000 - (100 + 10000 - WINDOWS_PENDING));
	assert_int_equal(all_unjudged(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inside),	cmocka_unit_test(outside),
		cmocka_unit_test(ties),		cmocka_unit_test(intervals),
		cmocka_unit_test(ends),		cmocka_unit_test(loss_in_window),
		cmocka_unit_test(loss_outside), cmocka_unit_test(unpaired),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
