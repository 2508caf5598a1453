// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <string.h>

#include "source/textline.h"
#include "source/textregex.h"

typedef enum textline_status (*shape_fn)(const char *s, size_t n, unsigned base,
					 struct textline *ret);

struct sample {
	const char *line;
	enum textline_status status;
	uint64_t stamp;
	int cpu, pid;
	const char *task, *event, *message;
};

static void same_text(const struct textline_str *got, const char *wanted, const char *line)
{
	if (got->n != strlen(wanted) || memcmp(got->s ?: "", wanted, got->n))
		fail_msg("\"%s\": got \"%.*s\", wanted \"%s\"", line, (int)got->n, got->s, wanted);
}

static void check(shape_fn shape, const struct sample *s, unsigned base)
{
	struct textline l;
	enum textline_status status = shape(s->line, strlen(s->line), base, &l);

	if (status != s->status)
		fail_msg("\"%s\": %s", s->line, textline_why(status));
	if (status)
		return;
	if (l.stamp != s->stamp || l.cpu != s->cpu || l.pid != s->pid)
		fail_msg("\"%s\": stamp %llu cpu %d pid %d", s->line, (unsigned long long)l.stamp,
			 l.cpu, l.pid);
	same_text(&l.task, s->task, s->line);
	same_text(&l.event, s->event, s->line);
	same_text(&l.message, s->message, s->line);
}

static void numbers(void **state)
{
	uint64_t v;

	assert_int_equal(textline_number("18446744073709551615", 20, 0, &v), TEXTLINE_EVENT);
	assert_true(v == UINT64_MAX);
	assert_int_equal(textline_number("18446744073709551616", 20, 0, &v), TEXTLINE_TOO_BIG);
	assert_int_equal(textline_number("99999999999999999999", 20, 0, &v), TEXTLINE_TOO_BIG);
	assert_int_equal(textline_number("0xFfFfffffffffffff", 18, 0, &v), TEXTLINE_EVENT);
	assert_true(v == UINT64_MAX);
	assert_int_equal(textline_number("0x1ffffffffffffffff", 19, 0, &v), TEXTLINE_TOO_BIG);
	assert_int_equal(textline_number("12ab", 4, 0, &v), TEXTLINE_NO_NUMBER);
	assert_int_equal(textline_number("12ab", 4, 16, &v), TEXTLINE_EVENT);
	assert_int_equal(v, 0x12ab);
	assert_int_equal(textline_number("0x", 2, 0, &v), TEXTLINE_NO_NUMBER);
	assert_int_equal(textline_number("", 0, 16, &v), TEXTLINE_NO_NUMBER);
	assert_int_equal(textline_number("-1", 2, 0, &v), TEXTLINE_NO_NUMBER);
	assert_int_equal(textline_number("1\0002", 3, 0, &v), TEXTLINE_NO_NUMBER);
}

#define BAD(line, why)               \
	{                            \
		line, TEXTLINE_##why \
	}

static void stamped(void **state)
{
	static const struct sample samples[] = {
		{"123456789 cpu1 bash[42] hello world", 0, 123456789, 1, 42, "bash", "",
		 "hello world"},
		{"123 cpu1 bash[42] sched_switch: next=7", 0, 123, 1, 42, "bash", "sched_switch",
		 "next=7"},
		{"123 cpu1 CPU 0/KVM[42] kvm:kvm_exit: x", 0, 123, 1, 42, "CPU 0/KVM",
		 "kvm:kvm_exit", "x"},
		{"123 CPU 0/KVM[42] x", 0, 123, -1, 42, "CPU 0/KVM", "", "x"},
		{"  123: CPU 3: swapper/3(0): x", 0, 123, 3, 0, "swapper/3", "", "x"},
		{"[0x7b] [003] x", 0, 123, 3, -1, "", "", "x"},
		{"[  123] x", 0, 123, -1, -1, "", "", "x"},
		{"tsc=0X7B cpu=12 x", 0, 123, 12, -1, "", "", "x"},
		{"123", 0, 123, -1, -1, "", "", ""},
		{"123 ", 0, 123, -1, -1, "", "", ""},
		{"123\tirq 4: lost", 0, 123, -1, -1, "", "", "irq 4: lost"},
		{"123 cpu9999 x", 0, 123, -1, -1, "", "", "cpu9999 x"},
		{"123 cpu1x y", 0, 123, -1, -1, "", "", "cpu1x y"},
		{"123 cpu1 a name of 16 byt[7] x", 0, 123, 1, -1, "", "", "a name of 16 byt[7] x"},
		{"123 cpu1 a name of 15 b[7] x", 0, 123, 1, 7, "a name of 15 b", "", "x"},
		{"123 cpu1 a[99999999999] x", 0, 123, 1, -1, "", "", "a[99999999999] x"},
		{"123 cpu1 vector [7] x", 0, 123, 1, -1, "", "", "vector [7] x"},
		{"123 cpu1 a[7) x", 0, 123, 1, -1, "", "", "a[7) x"},
		{"123 a:b:c: x", 0, 123, -1, -1, "", "", "a:b:c: x"},
		{"123 a:: x", 0, 123, -1, -1, "", "", "a:: x"},
		{"123 kernel.trace: x", 0, 123, -1, -1, "", "kernel.trace", "x"},
		{"123 done:", 0, 123, -1, -1, "", "done", ""},
		{"18446744073709551615 x", 0, UINT64_MAX, -1, -1, "", "", "x"},
		BAD("", NO_STAMP),
		BAD("hello", NO_STAMP),
		BAD("tsc 123", NO_STAMP),
		BAD("-5 x", NO_STAMP),
		BAD("[123 x", NO_STAMP),
		BAD("12ab x", NO_NUMBER),
		BAD("123\001x", NO_NUMBER),
		BAD("12.5 x", SECONDS),
		BAD("[   12.345678] x", SECONDS),
		BAD("1.2.3 x", SECONDS),
		BAD("99999999999999999999 x", TOO_BIG),
		BAD(" 0xffffffff81000000 : foo+0x1/0x2 [kernel]", ADDRESS),
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++)
		check(textline_stamped, &samples[i], 0);
	check(textline_stamped, &(struct sample){"ff0 x", 0, 0xff0, -1, -1, "", "", "x"}, 16);
	check(textline_stamped, &(struct sample){"fg0 x", TEXTLINE_NO_NUMBER}, 16);
}

/* As SystemTap 4.8 writes them; the second and third lack what stood before a newline. */
static void stap_headers(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum textline_status status;
	} samples[] = {
		{"\x8b\x04\0\0\x0d\0\0\0"
		 "123 cpu1 a: x",
		 20, 0},
		{"5 \0\0\x0d\0\0\0"
		 "123 cpu1 a: x",
		 20, 0},
		{"\x04\0\0\x0d\0\0\0"
		 "123 cpu1 a: x",
		 19, 0},
		{"\x0d\0\0\0"
		 "123 cpu1 a: x",
		 16, 0},
		{"\x8b\x04\0\0\x0e\0\0\0"
		 "123 cpu1 a: x",
		 20, TEXTLINE_NO_STAMP},
		{"\x8b\x04\0\0\x01\0\0\0", 8, TEXTLINE_NO_STAMP},
	};
	struct textline l;

	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		if (textline_stamped(samples[i].bytes, samples[i].n, 0, &l) != samples[i].status)
			fail_msg("sample %zu", i);
		if (samples[i].status)
			continue;
		assert_int_equal(l.stamp, 123);
		assert_int_equal(l.cpu, 1);
		same_text(&l.event, "a", "");
	}
}

static void ftrace(void **state)
{
	static const struct sample samples[] = {
		{"          <idle>-0       [001] d..2. 123456: sched_switch: prev=a ==> b", 0,
		 123456, 1, 0, "<idle>", "sched_switch", "prev=a ==> b"},
		{"       CPU 0/KVM-77      [000] 1234: kvm_exit: reason 3", 0, 1234, 0, 77,
		 "CPU 0/KVM", "kvm_exit", "reason 3"},
		{"            bash-42      (     40) [012] ..... 5: a: b", 0, 5, 12, 42, "bash",
		 "a", "b"},
		{"            bash-42      (-------) [012] ..... 5: a: b", 0, 5, 12, 42, "bash",
		 "a", "b"},
		{" a-b [0]-7 [003] .... 5: x:y: z", 0, 5, 3, 7, "a-b [0]", "x:y", "z"},
		{" a-7 [003] .... 5: schedule <-worker_thread", 0, 5, 3, 7, "a", "function",
		 "schedule <-worker_thread"},
		{" <...>-7 [003] .... 5: text: z", 0, 5, 3, 7, "", "text", "z"},
		{" a-7 [003] .... 0x10: text: z", 0, 16, 3, 7, "a", "text", "z"},
		BAD(" a-7 [003] .... 12.345678: text: z", SECONDS),
		BAD(" a-7 [003] 12.345678: text: z", SECONDS),
		BAD(" a-7 [003] d... 99999999999999999999: text: z", TOO_BIG),
		BAD(" a-7 [003] .... 12 text: z", NO_STAMP),
		BAD(" a-7 [9999] .... 12: text: z", NO_STAMP),
		BAD(" -7 [003] .... 12: text: z", NO_STAMP),
		BAD("7 [003] .... 12: text: z", NO_STAMP),
		BAD(" a-99999999999 [003] .... 12: text: z", NO_STAMP),
		BAD(" a-7 [003", NO_STAMP),
		BAD(" a-7 [003]", NO_STAMP),
		BAD(")[0]", NO_STAMP),
		BAD("()[0]", NO_STAMP),
		BAD("", NO_STAMP),
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++)
		check(textline_ftrace, &samples[i], 0);
}

static void marks(void **state)
{
	static const struct {
		const char *line;
		enum textline_status status;
		int cpu;
		uint64_t lost;
	} samples[] = {
		{"", TEXTLINE_EMPTY},
		{" \t ", TEXTLINE_EMPTY},
		{"# tracer: nop", TEXTLINE_EMPTY},
		{"CPU:3 [LOST 1234 EVENTS]", TEXTLINE_LOST, 3, 1234},
		{"CPU:0 [7 EVENTS DROPPED]", TEXTLINE_LOST, 0, 7},
		{"CPU:0 [EVENTS DROPPED]", TEXTLINE_LOST, 0, TEXTLINE_UNKNOWN},
		{"Lost 12 events", TEXTLINE_LOST, -1, 12},
		{"Lost 12 events of mine", TEXTLINE_NO_STAMP},
		{"Lost events", TEXTLINE_NO_STAMP},
		{"CPU:0 [LOST EVENTS]", TEXTLINE_NO_STAMP},
		{"CPU:99999 [LOST 1 EVENTS]", TEXTLINE_NO_STAMP},
		{"CPU:", TEXTLINE_NO_STAMP},
		{"L", TEXTLINE_NO_STAMP},
	};
	struct textline l;

	for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
		const char *s = samples[i].line;

		if (textline_plain(s, strlen(s), &l) != samples[i].status)
			fail_msg("\"%s\"", s);
		if (samples[i].status != TEXTLINE_LOST)
			continue;
		assert_int_equal(l.cpu, samples[i].cpu);
		assert_true(l.lost == samples[i].lost);
	}
}

static struct textregex *regex;

static enum textline_status by_regex(const char *s, size_t n, unsigned base, struct textline *ret)
{
	struct textregex_state *st = textregex_state_new(regex);
	enum textline_status status = textregex_match(regex, st, s, n, base, ret);

	textregex_state_free(st);
	return status;
}

static void set_regex(const char *pattern)
{
	char why[200];
	int at;

	textregex_free(regex);
	regex = NULL;
	if (textregex_new(pattern, &regex, why, sizeof(why), &at))
		fail_msg("\"%s\": %s", pattern, why);
}

static void regexes(void **state)
{
	static const struct sample groups[] = {
		{"T 12,bash,42,3 open: hi", 0, 12, 3, 42, "bash", "open", "hi"},
		{"x T 0x10,,,: ", 0, 16, -1, -1, "", "", ""},
		BAD("T 12,bash,42", NO_MATCH),
		BAD("T zz,bash,42,3 open: hi", NO_NUMBER),
		BAD("T 12,bash,42,9999 open: hi", BAD_CPU),
		BAD("T 12,bash,3000000000,3 open: hi", BAD_PID),
		BAD("T 12,bash,42,x open: hi", BAD_CPU),
		BAD("T ,bash,42,3 open: hi", NO_STAMP),
	};

	set_regex("T (?<stamp>[^,]*),(?<task>[^,]*),(?<pid>[^,]*),(?<cpu>\\w*) ?(?<event>\\w*): "
		  "(?<message>.*)");
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++)
		check(by_regex, &groups[i], 0);
	set_regex("@(?<stamp>[0-9a-f]+)$");
	check(by_regex, &(struct sample){"a @ff", 0, 255, -1, -1, "", "", "a @ff"}, 16);
	textregex_free(regex);
	regex = NULL;
}

/* Time per line is bounded whatever the regex and the line. */
static void costly_regex(void **state)
{
	static char line[65536];
	struct textline l;

	set_regex("^(?<stamp>(1+)+)$");
	memset(line, '1', sizeof(line) - 1);
	line[sizeof(line) - 1] = 'x';
	assert_int_equal(by_regex(line, sizeof(line), 0, &l), TEXTLINE_COSTLY);
	textregex_free(regex);
	regex = NULL;
}

static void refused_regexes(void **state)
{
	struct textregex *x = NULL;
	char why[200];
	int at;

	assert_int_equal(textregex_new("(?<stamp>[0-9]+", &x, why, sizeof(why), &at), -EINVAL);
	assert_int_equal(at, 15);
	assert_int_equal(textregex_new("([0-9]+)", &x, why, sizeof(why), &at), -EINVAL);
	assert_int_equal(at, -1);
	assert_string_equal(why, "no group is named (?<stamp>…)");
	assert_int_equal(textregex_new("(?<tsc>1)", &x, why, sizeof(why), &at), -EINVAL);
	assert_non_null(strstr(why, "\"tsc\""));
	assert_int_equal(textregex_new("(*UTF)(?<stamp>1)", &x, why, sizeof(why), &at), -EINVAL);
	assert_null(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),	cmocka_unit_test(stamped),
		cmocka_unit_test(stap_headers), cmocka_unit_test(ftrace),
		cmocka_unit_test(marks),	cmocka_unit_test(regexes),
		cmocka_unit_test(costly_regex), cmocka_unit_test(refused_regexes),
	};

	return cmocka_run_group_tests_name("textline", tests, NULL, NULL);
}
