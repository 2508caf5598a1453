// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "insight/vcputrack.h"

/* What came out, as text: "100-120 guest;" … and "exit 0x78 120-150 kvm 30;" */
struct seen {
	char text[4096];
	int fail;
};

static int see_slice(void *arg, struct vcpu_slice *s)
{
	struct seen *seen = arg;
	size_t n = strlen(seen->text);

	snprintf(seen->text + n, sizeof(seen->text) - n, "%d-%d %s", (int)s->from_ticks,
		 (int)s->to_ticks, exits_state_name(s->state));
	n = strlen(seen->text);
	if (s->within != s->state)
		n += (size_t)snprintf(seen->text + n, sizeof(seen->text) - n, "/%s",
				      exits_state_name(s->within));
	if (s->isa)
		n += (size_t)snprintf(seen->text + n, sizeof(seen->text) - n, " %#x", s->reason);
	if (s->user_reason != EXIT_NO_REASON)
		n += (size_t)snprintf(seen->text + n, sizeof(seen->text) - n, " u%u",
				      s->user_reason);
	if (*s->handler)
		n += (size_t)snprintf(seen->text + n, sizeof(seen->text) - n, " (%s)", s->handler);
	if (s->by_pid >= 0)
		n += (size_t)snprintf(seen->text + n, sizeof(seen->text) - n, " by %d %s",
				      s->by_pid, s->by_comm);
	snprintf(seen->text + n, sizeof(seen->text) - n, "\n");
	return seen->fail;
}

static int see_exit(void *arg, struct vcpu_exit *e)
{
	struct seen *seen = arg;
	size_t n = strlen(seen->text);
	uint64_t sum = 0;

	for (int i = 0; i < VCPU_STATES; i++)
		sum += e->state_ticks[i];
	assert_int_equal(sum, e->entry_ticks - e->exit_ticks);
	snprintf(seen->text + n, sizeof(seen->text) - n, "exit %#x %d-%d at %d%s task %d\n",
		 e->reason, (int)e->exit_ticks, (int)e->entry_ticks, (int)e->event_ticks,
		 e->complete ? "" : " open", e->guest_pid);
	return 0;
}

static const struct track_ops ops = {see_slice, see_exit};

struct fixture {
	struct vcputrack t;
	struct exits_vcpu sum;
	struct seen seen;
};

static void start(struct fixture *f, bool has_sched)
{
	memset(f, 0, sizeof(*f));
	track_init(&f->t, &ops, &f->seen, &f->sum);
	f->t.has_sched = has_sched;
	track_begin(&f->t, 100);
}

/* Ends at 1000; all of 100 … 1000 must have been handed out. */
static void finish(struct fixture *f, const char *want)
{
	uint64_t sum = 0;

	track_end(&f->t, 1000);
	for (int i = 0; i < VCPU_STATES; i++)
		sum += f->sum.ticks[i];
	assert_int_equal(sum, 900);
	if (strcmp(f->seen.text, want))
		printf("--- got\n%s--- wanted\n%s", f->seen.text, want);
	assert_string_equal(f->seen.text, want);
}

static void vm_exit(struct fixture *f, uint64_t at, unsigned cpu, uint32_t reason)
{
	track_exit(&f->t, at, cpu,
		   &(struct track_exit){.isa = 2, .reason = reason, .guest_pid = 7});
}

static const struct track_who other = {55, "cc1", 4}, idle = {0, "swapper/3", 16};

enum { HLT = 0x78, IOIO = 0x7b, MSR_ACCESS = 0x7c, INTR = 0x60 };

static void round_trip(void **state)
{
	struct fixture f;

	start(&f, true);
	track_entry(&f.t, 200, 1);
	vm_exit(&f, 300, 1, MSR_ACCESS);
	track_address(&f.t, EXIT_ADDRESS_MSR, 0x6e0, true);
	track_kvm(&f.t, 310, 1);
	track_entry(&f.t, 340, 1);
	vm_exit(&f, 500, 1, IOIO);
	track_handler(&f.t, "io 0x3f8");
	track_user(&f.t, 520, 1, 2);
	track_kvm(&f.t, 570, 1);
	track_entry(&f.t, 600, 1);
	finish(&f, "100-200 unknown\n"
		   "200-300 guest\n"
		   "300-340 KVM 0x7c\n"
		   "exit 0x7c 300-340 at 300 task 7\n"
		   "340-500 guest\n"
		   "500-520 KVM 0x7b\n"
		   "520-570 VMM 0x7b u2 (io 0x3f8)\n"
		   "570-600 KVM 0x7b\n"
		   "exit 0x7b 500-600 at 500 task 7\n"
		   "600-1000 guest\n");
	assert_int_equal(f.sum.exits, 2);
	assert_int_equal(f.sum.entries, 3);
	assert_int_equal(f.sum.user_exits, 1);
	assert_int_equal(f.sum.unpaired, 0);
}

static void halts(void **state)
{
	struct fixture f;

	start(&f, true);
	track_entry(&f.t, 110, 1);
	vm_exit(&f, 200, 1, HLT);
	track_off(&f.t, 210, 1, TRACK_SLEEPS, &idle);
	track_woken(&f.t, 300);
	track_woken(&f.t, 310); /* sched_waking and sched_wakeup */
	track_on(&f.t, 330, 2, &other);
	track_entry(&f.t, 350, 2);
	finish(&f, "100-110 unknown\n"
		   "110-200 guest\n"
		   "200-210 KVM 0x78\n"
		   "210-300 halted/KVM 0x78\n"
		   "300-330 waiting/KVM 0x78 by 55 cc1\n"
		   "330-350 KVM 0x78\n"
		   "exit 0x78 200-350 at 200 task 7\n"
		   "350-1000 guest\n");
}

/* The host's interrupt is handled, and the thread preempted, before kvm_exit is traced. */
static void left_before_exit(void **state)
{
	struct fixture f;

	start(&f, true);
	track_entry(&f.t, 110, 1);
	track_off(&f.t, 200, 1, TRACK_RUNNABLE, &other);
	track_on(&f.t, 300, 1, &other);
	track_off(&f.t, 320, 1, TRACK_RUNNABLE, &other);
	track_on(&f.t, 350, 1, &other);
	vm_exit(&f, 360, 1, INTR);
	track_entry(&f.t, 400, 1);
	finish(&f, "100-110 unknown\n"
		   "110-200 guest\n"
		   "200-300 preempted/guest 0x60 by 55 cc1\n"
		   "300-320 KVM 0x60\n"
		   "320-350 preempted/KVM 0x60 by 55 cc1\n"
		   "350-360 KVM 0x60\n"
		   "360-400 KVM 0x60\n"
		   "exit 0x60 200-400 at 360 task 7\n"
		   "400-1000 guest\n");
}

/* A lock in the VMM, then KVM_RUN goes on halting: only kvm_vcpu_wakeup tells which was which. */
static void halts_again(void **state)
{
	struct fixture f;

	start(&f, true);
	track_entry(&f.t, 110, 1);
	vm_exit(&f, 200, 1, HLT);
	track_user(&f.t, 210, 1, EXIT_USER_INTR);
	track_off(&f.t, 220, 1, TRACK_SLEEPS, &idle);
	track_woken(&f.t, 230);
	track_on(&f.t, 240, 1, &idle);
	track_off(&f.t, 260, 1, TRACK_SLEEPS, &idle);
	track_woken(&f.t, 300);
	track_on(&f.t, 310, 1, &idle);
	track_halted(&f.t, 255, 315, 1);
	track_entry(&f.t, 320, 1);
	finish(&f, "100-110 unknown\n"
		   "110-200 guest\n"
		   "200-210 KVM 0x78\n"
		   "210-220 VMM 0x78 u65534\n"
		   "220-230 blocked/VMM 0x78 u65534\n"
		   "230-240 waiting/VMM 0x78 u65534 by 0 swapper/3\n"
		   "240-255 VMM 0x78 u65534\n"
		   "255-260 KVM 0x78\n"
		   "260-300 halted/KVM 0x78\n"
		   "300-310 waiting/KVM 0x78 by 0 swapper/3\n"
		   "310-315 KVM 0x78\n"
		   "315-320 KVM 0x78\n"
		   "exit 0x78 200-320 at 200 task 7\n"
		   "320-1000 guest\n");
}

static void without_sched(void **state)
{
	struct fixture f;

	start(&f, false);
	track_entry(&f.t, 110, 1);
	vm_exit(&f, 200, 1, HLT);
	track_kvm(&f.t, 280, 2);
	track_entry(&f.t, 300, 2);
	vm_exit(&f, 400, 2, HLT);
	track_entry(&f.t, 500, 1);
	finish(&f, "100-110 unknown\n"
		   "110-200 guest\n"
		   "200-280 halted/KVM 0x78\n"
		   "280-300 KVM 0x78\n"
		   "exit 0x78 200-300 at 200 task 7\n"
		   "300-400 guest\n"
		   "400-500 halted/KVM 0x78\n"
		   "exit 0x78 400-500 at 400 task 7\n"
		   "500-1000 guest\n");
	assert_int_equal(f.sum.unpaired, 0);
}

static void losses(void **state)
{
	struct fixture f;

	start(&f, true);
	track_entry(&f.t, 110, 1);
	track_lost(&f.t, 2, 120, 180); /* elsewhere: it would have been seen to leave */
	vm_exit(&f, 150, 1, MSR_ACCESS);
	track_off(&f.t, 160, 1, TRACK_RUNNABLE, &other); /* but where it goes now is not */
	track_on(&f.t, 200, 1, &other);
	track_entry(&f.t, 220, 1);
	track_lost(&f.t, 1, 300, 400);
	track_entry(&f.t, 420, 1);
	vm_exit(&f, 500, 1, HLT);
	track_off(&f.t, 510, 1, TRACK_SLEEPS, &idle);
	track_lost(&f.t, 0, 600, 610);
	track_woken(&f.t, 650);
	track_on(&f.t, 660, 0, &idle);
	track_entry(&f.t, 700, 0);
	finish(&f, "100-110 unknown\n"
		   "110-150 guest\n"
		   "150-160 KVM 0x7c\n"
		   "exit 0x7c 150-160 at 150 open task 7\n"
		   "160-200 unknown\n"
		   "200-220 unknown\n"
		   "220-300 guest\n"
		   "300-420 unknown\n"
		   "420-500 guest\n"
		   "500-510 KVM 0x78\n"
		   "510-600 halted/KVM 0x78\n"
		   "exit 0x78 500-600 at 500 open task 7\n"
		   "600-660 unknown\n"
		   "660-700 unknown\n"
		   "700-1000 guest\n");
	assert_int_equal(f.sum.unpaired, 0);
	assert_int_equal(f.sum.exits, 2);
}

static void contradictions(void **state)
{
	struct fixture f;

	start(&f, true);
	track_entry(&f.t, 110, 1);
	track_entry(&f.t, 200, 1); /* the exit is missing */
	vm_exit(&f, 300, 1, MSR_ACCESS);
	vm_exit(&f, 400, 1, INTR); /* the entry is */
	track_off(&f.t, 410, 1, TRACK_SLEEPS, &idle);
	track_entry(&f.t, 500, 1); /* asleep, and runs */
	finish(&f, "100-110 unknown\n"
		   "110-200 unknown\n"
		   "200-300 guest\n"
		   "exit 0x7c 300-300 at 300 open task 7\n"
		   "300-400 unknown\n"
		   "400-410 KVM 0x60\n"
		   "410-500 unknown 0x60\n"
		   "exit 0x60 400-500 at 400 task 7\n"
		   "500-1000 guest\n");
	assert_int_equal(f.sum.unpaired, 3);
}

/* More than can wait for an explanation: handed out as it seems, nothing is lost. */
static void overflow(void **state)
{
	static char want[4096] = "100-110 unknown\n110-120 guest\n120-130 KVM 0x7b\n";
	struct fixture f;
	size_t n;

	start(&f, true);
	track_entry(&f.t, 110, 1);
	vm_exit(&f, 120, 1, IOIO);
	track_user(&f.t, 130, 1, 2);
	for (int i = 0; i < 40; i++) {
		track_off(&f.t, 140 + 20 * (uint64_t)i, 1, TRACK_SLEEPS, &idle);
		track_on(&f.t, 150 + 20 * (uint64_t)i, 1, &idle);
		n = strlen(want);
		snprintf(want + n, sizeof(want) - n,
			 "%d-%d VMM 0x7b u2\n%d-%d blocked/VMM 0x7b u2\n", 130 + 20 * i,
			 140 + 20 * i, 140 + 20 * i, 150 + 20 * i);
	}
	n = strlen(want);
	snprintf(want + n, sizeof(want) - n,
		 "930-1000 VMM 0x7b u2\nexit 0x7b 120-1000 at 120 open task 7\n");
	finish(&f, want);
}

static void callback_fails(void **state)
{
	struct fixture f;

	start(&f, true);
	f.seen.fail = -EPIPE;
	track_entry(&f.t, 110, 1);
	vm_exit(&f, 200, 1, HLT);
	assert_int_equal(f.t.err, -EPIPE);
	assert_string_equal(f.seen.text, "100-110 unknown\n");
}

/* Any events in any order: slices stay without gap and overlap, nothing breaks. */
static void anything(void **state)
{
	for (uint32_t seed = 1; seed <= 2000; seed++) {
		struct fixture f;
		uint64_t at = 100, sum = 0;
		uint32_t x = seed * 2654435761u;

		start(&f, seed % 3);
		for (int i = 0; i < 60; i++) {
			unsigned cpu;

			x = x * 1664525 + 1013904223;
			at += x >> 16 & 15;
			cpu = x >> 20 & 1;
			f.seen.text[0] = 0;
			switch (x >> 24 & 15) {
			case 0:
			case 1:
			case 2:
				track_entry(&f.t, at, cpu);
				break;
			case 3:
			case 4:
			case 5:
				vm_exit(&f, at, cpu, x & 1 ? HLT : IOIO);
				break;
			case 6:
				track_user(&f.t, at, cpu, x & 7);
				break;
			case 7:
			case 8:
				track_off(&f.t, at, cpu, x & 1 ? TRACK_SLEEPS : TRACK_RUNNABLE,
					  &other);
				break;
			case 9:
			case 10:
				track_on(&f.t, at, cpu, &idle);
				break;
			case 11:
				track_woken(&f.t, at);
				break;
			case 12:
				track_halted(&f.t, at - (x & 31), at, cpu);
				break;
			case 13:
				track_lost(&f.t, cpu, at, at + (x & 63));
				break;
			case 14:
				track_off(&f.t, at, cpu, TRACK_DEAD, &other);
				break;
			default:
				track_kvm(&f.t, at, cpu);
				break;
			}
		}
		f.seen.text[0] = 0;
		track_end(&f.t, at);
		for (int i = 0; i < VCPU_STATES; i++)
			sum += f.sum.ticks[i];
		assert_int_equal(sum, at - 100);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),	    cmocka_unit_test(halts),
		cmocka_unit_test(left_before_exit), cmocka_unit_test(halts_again),
		cmocka_unit_test(without_sched),    cmocka_unit_test(losses),
		cmocka_unit_test(contradictions),   cmocka_unit_test(overflow),
		cmocka_unit_test(callback_fails),   cmocka_unit_test(anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
