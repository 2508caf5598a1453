// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <event-parse.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <trace-seq.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "source/source.h"
#include "source/symbols.h"
#include "source/textlog.h"

static char dir[] = "/tmp/test_textlog.XXXXXX";
static char path[64], said_path[64];
static int real_stderr;

/* What was logged while it ran. */
static char *said(void)
{
	static char *text;

	free(text);
	text = NULL;
	fflush(stderr);
	assert_int_equal(file_read(AT_FDCWD, said_path, 1 << 20, &text, NULL), 0);
	assert_int_equal(truncate(said_path, 0), 0);
	return text;
}

static void says(const char *part)
{
	const char *text = said();

	if (!strstr(text, part))
		fail_msg("\"%s\" is not in: %s", part, text);
}

static void write_log(const char *text, size_t n)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(fd_write_all(fd, text, n), 0);
}

static int try_open(const char *options, struct source **ret)
{
	_cleanup_textlog_spec_ struct textlog_spec spec = {0};
	char arg[512];

	snprintf(arg, sizeof(arg), "%s%s%s", path, *options ? "," : "", options);
	assert_int_equal(textlog_spec_parse(arg, &spec), 0);
	return textlog_open(&spec, ret);
}

static struct source *open_bytes(const char *text, size_t n, const char *options)
{
	struct source *s = NULL;

	write_log(text, n);
	if (try_open(options, &s))
		fail_msg("not opened: %s", said());
	return s;
}

#define open_log(text, options) open_bytes(text, sizeof(text) - 1, options)

static const char *field(const struct source_item *it, const char *name)
{
	const struct source_field *f = source_field_find(it->kind, name);
	size_t n;

	assert_non_null(f);
	return source_field_bytes(f, it->data, it->size, &n);
}

static void put_item(struct strbuf *b, struct source *s, const struct source_item *it)
{
	const struct source_field *pid;

	if (it->flags & ITEM_LOST) {
		strbuf_printf(b, "%llu lost %lld until %llu\n", (unsigned long long)it->raw_ticks,
			      (long long)it->lost, (unsigned long long)it->end_raw_ticks);
		return;
	}
	assert_true(it->size > it->kind->min_bytes);
	pid = source_field_find(it->kind, "common_pid");
	assert_int_equal(source_record_pid(it->kind, it->data),
			 (int)source_field_u64(pid, it->data));
	strbuf_printf(b, "%llu %s:%s %s[%d] %s|%s\n", (unsigned long long)it->raw_ticks,
		      it->kind->system, it->kind->name, field(it, "comm"),
		      (int)source_field_u64(pid, it->data), field(it, "message"),
		      source_comm(s, (int)source_field_u64(pid, it->data)) ?: "-");
}

/* All items of all lanes as text; max items per read. */
static char *dump(struct source *s, const bool *wanted, unsigned max)
{
	static struct strbuf b;
	const struct source_facts *f = source_facts(s);
	struct source_item items[16];

	strbuf_free(&b);
	b = (struct strbuf){0};
	for (size_t lane = 0; lane < f->n_lanes; lane++) {
		_cleanup_source_cursor_ struct source_cursor *c = NULL;
		int n;

		strbuf_printf(&b, "cpu %u\n", f->lanes[lane].cpu);
		assert_int_equal(source_cursor_new(s, lane, wanted, &c), 0);
		while ((n = source_cursor_read(c, items, max)) > 0)
			for (int i = 0; i < n; i++)
				put_item(&b, s, &items[i]);
		assert_int_equal(n, 0);
	}
	strbuf_puts(&b, "");
	return b.s;
}

static void per_cpu(void **state)
{
	static const char log[] = "# a comment\n"
				  "100 cpu1 a[7] x: one\n"
				  "90 cpu0 b[8] y: two\r\n"
				  "\n"
				  "110 cpu1 a[7] x:\n"
				  "80 no cpu\n"
				  "120 cpu0 c[8] sys:z: three";
	static const char wanted[] = "cpu 0\n"
				     "90 text:y b[8] two|c\n"
				     "120 sys:z c[8] three|c\n"
				     "cpu 1\n"
				     "100 text:x a[7] one|a\n"
				     "110 text:x a[7] |a\n"
				     "cpu 65535\n"
				     "80 text:line [-1] no cpu|-\n";
	_cleanup_source_ struct source *s = open_log(log, "");

	assert_string_equal(said(), "");
	assert_string_equal(dump(s, NULL, 16), wanted);
	assert_string_equal(dump(s, NULL, 1), wanted);
	assert_string_equal(source_facts(s)->clock, "x86-tsc");
	assert_string_equal(source_facts(s)->path, path);
	assert_string_equal(source_facts(s)->lanes[0].buffer, "text");
}

static void chosen_kinds(void **state)
{
	_cleanup_source_ struct source *s =
		open_log("1 a: x\n2 b: x\nLost 3 events\n4 b: y\n5 a: y\n", "");
	bool wanted[3] = {false};

	assert_int_equal(source_facts(s)->n_kinds, 3);
	wanted[source_kind_find(s, "text", "b")->index] = true;
	assert_string_equal(dump(s, wanted, 16), "cpu 65535\n2 text:b [-1] x|-\n2 lost 3 until 4\n"
						 "4 text:b [-1] y|-\n");
}

static void sorted_and_stable(void **state)
{
	static const char log[] =
		"30 cpu0 a\n10 cpu0 b\n20 cpu1 c\n30 cpu0 d\n10 cpu0 e\n5 cpu1 f\n";
	_cleanup_source_ struct source *s = open_log(log, ""), *kept = NULL;

	says("3 lines have a lower stamp than one before them on their CPU, by up to 20 ticks; sorted");
	assert_string_equal(dump(s, NULL, 3),
			    "cpu 0\n10 text:line [-1] b|-\n10 text:line [-1] e|-\n"
			    "30 text:line [-1] a|-\n30 text:line [-1] d|-\n"
			    "cpu 1\n5 text:line [-1] f|-\n20 text:line [-1] c|-\n");
	kept = open_log(log, "order=file,cpu=4");
	says("left as they are");
	assert_string_equal(dump(kept, NULL, 16),
			    "cpu 4\n30 text:line [-1] a|-\n10 text:line [-1] b|-\n"
			    "20 text:line [-1] c|-\n30 text:line [-1] d|-\n"
			    "10 text:line [-1] e|-\n5 text:line [-1] f|-\n");
}

static void lost_events(void **state)
{
	static const char log[] = "# tracer: nop\n"
				  "  a-7 [001] d..1. 10: e: x\n"
				  "CPU:0 [LOST 5 EVENTS]\n"
				  "  a-7 [000] d..1. 20: e: y\n"
				  "CPU:1 [EVENTS DROPPED]\n"
				  "  a-7 [001] d..1. 30: e: z\n";
	_cleanup_source_ struct source *s = open_log(log, "");

	assert_string_equal(dump(s, NULL, 2), "cpu 0\n0 lost 5 until 20\n20 text:e a[7] y|a\n"
					      "cpu 1\n10 text:e a[7] x|a\n10 lost -1 until 30\n"
					      "30 text:e a[7] z|a\n");
}

static void bad_lines(void **state)
{
	static const char log[] = "10 a\nhello\n12.5 b\n\001\000\\\n20 c\n99999999999999999999\n30";
	_cleanup_source_ struct source *s = open_log(log, "");
	const char *text = said();
	char part[256];

	snprintf(part, sizeof(part),
		 "\"%s\": 5 of 7 lines are no events: %s:2: no stamp: \"hello\"; ", path, path);
	assert_non_null(strstr(text, part));
	snprintf(part, sizeof(part), "%s:4: no stamp: \"\\x01 \\x5c\"; …", path);
	assert_non_null(strstr(text, part));
	assert_non_null(strstr(text, ":3: the stamp is in seconds"));
	assert_string_equal(dump(s, NULL, 16),
			    "cpu 65535\n10 text:line [-1] a|-\n20 text:line [-1] c|-\n");
}

/* The last line may lack digits of a number; one that lacks text only is an event. */
static void cut_file(void **state)
{
	_cleanup_source_ struct source *cut = open_log("10 a\n123 cpu1", ""), *whole = NULL;

	assert_non_null(cut);
	says(":2: the file ends inside this line: \"123 cpu1\"");
	whole = open_log("10 a\n123 cpu1 x", "");
	assert_string_equal(said(), "");
	assert_int_equal(source_facts(whole)->n_lanes, 2);
}

static void nothing_to_read(void **state)
{
	struct source *s = NULL;

	write_log("hello\nworld\n", 12);
	assert_int_equal(try_open("", &s), -EBADMSG);
	says("has a TSC stamp where one was looked for");
	write_log("a-1 [000] .... 1.5: e: x\n", 25);
	assert_int_equal(try_open("", &s), -EBADMSG);
	says("in seconds, not TSC ticks");
	write_log("1 x\n", 4);
	assert_int_equal(try_open("regex=(?<stamp>x)", &s), -EBADMSG);
	assert_null(s);
	said();
	s = open_log("# nothing\n\n", "");
	says("has no events");
	assert_string_equal(dump(s, NULL, 16), "");
	source_free(s);
	s = open_log("", "");
	says("has no events");
	source_free(s);
}

static void hostile_bytes(void **state)
{
	static const char log[] = "\xef\xbb\xbf"
				  "1 cpu0 a\000b[3] x\000y\xff\n"
				  "2 cpu0 \xff\xfe[4] e\000: z\n";
	_cleanup_source_ struct source *s = open_bytes(log, sizeof(log) - 1, "");

	assert_string_equal(dump(s, NULL, 16), "cpu 0\n1 text:line a b[3] x y\xff|a\n"
					       "2 text:line \xff\xfe[4] e : z|\xff\xfe\n");
}

static void long_lines(void **state)
{
	enum { LONG = 200000 };
	_cleanup_strbuf_ struct strbuf b = {0};
	struct source_item items[16];
	unsigned n_long = 0, n = 0;

	for (unsigned i = 0; i < 40; i++) {
		char *fill = malloc(LONG);

		memset(fill, 'x', LONG);
		strbuf_printf(&b, "%u cpu0 ", i);
		strbuf_add(&b, fill, i % 2 ? LONG : 10);
		strbuf_puts(&b, "\n");
		free(fill);
	}
	{
		_cleanup_source_ struct source *s = open_bytes(b.s, b.n, "");
		_cleanup_source_cursor_ struct source_cursor *c = NULL;
		int got;

		says("20 lines are longer than 65536 bytes and were cut there");
		assert_int_equal(source_cursor_new(s, 0, NULL, &c), 0);
		while ((got = source_cursor_read(c, items, 16)) > 0)
			for (int i = 0; i < got; i++, n++) {
				assert_int_equal(items[i].raw_ticks, n);
				n_long += strlen(field(&items[i], "message")) > 65000;
			}
		assert_int_equal(got, 0);
	}
	assert_int_equal(n, 40);
	assert_int_equal(n_long, 20);
}

/* Records of the read before stay as they were. */
static void two_reads_live(void **state)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct source_item a[4], c[4];

	for (unsigned i = 0; i < 8; i++)
		strbuf_printf(&b, "%u cpu0 t[%u] message %u\n", i, i, i);
	_cleanup_source_ struct source *s = open_bytes(b.s, b.n, "");
	_cleanup_source_cursor_ struct source_cursor *cur = NULL;

	assert_int_equal(source_cursor_new(s, 0, NULL, &cur), 0);
	assert_int_equal(source_cursor_read(cur, a, 4), 4);
	assert_int_equal(source_cursor_read(cur, c, 4), 4);
	assert_string_equal(field(&a[3], "message"), "message 3");
	assert_string_equal(field(&c[3], "message"), "message 7");
}

static void many_kinds(void **state)
{
	_cleanup_strbuf_ struct strbuf b = {0};
	struct source_item items[16];
	int n;

	for (unsigned i = 0; i < 1200; i++)
		strbuf_printf(&b, "%u e%u: m\n", i, i);
	_cleanup_source_ struct source *s = open_bytes(b.s, b.n, "");
	_cleanup_source_cursor_ struct source_cursor *c = NULL;

	assert_int_equal(source_facts(s)->n_kinds, 1000);
	assert_int_equal(source_cursor_new(s, 0, NULL, &c), 0);
	while ((n = source_cursor_read(c, items, 16)) > 0)
		for (int i = 0; i < n; i++)
			if (items[i].raw_ticks == 1100)
				assert_string_equal(field(&items[i], "message"), "e1100: m");
			else if (items[i].raw_ticks == 900)
				assert_string_equal(items[i].kind->name, "e900");
}

static void by_regex(void **state)
{
	static const char log[] = "12,bash,a b:c,3\n13,sh,:,3\n# x\n14,bash,::,3\n";
	_cleanup_source_ struct source *s = open_log(
		log, "cpu=1,regex=^(?<stamp>\\d+),(?<task>[^,]*),(?<event>[^,]*),(?<message>.*)");

	assert_string_equal(said(), "");
	assert_string_equal(dump(s, NULL, 16),
			    "cpu 1\n12 a_b:c bash[-2] 3|bash\n"
			    "13 text:_ sh[-3] 3|sh\n14 text:__ bash[-2] 3|bash\n");
	assert_null(source_comm(s, -4));
	assert_null(source_comm(s, -1));
	assert_null(source_comm(s, INT32_MIN));
}

static void from_pipe(void **state)
{
	_cleanup_textlog_spec_ struct textlog_spec spec = {0};
	_cleanup_source_ struct source *s = NULL;
	char arg[64];
	int fd[2];

	assert_int_equal(pipe(fd), 0);
	assert_int_equal(fd_write_all(fd[1], "7 cpu0 x\n", 9), 0);
	close(fd[1]);
	snprintf(arg, sizeof(arg), "/dev/fd/%d", fd[0]);
	assert_int_equal(textlog_spec_parse(arg, &spec), 0);
	assert_int_equal(textlog_open(&spec, &s), 0);
	close(fd[0]);
	assert_string_equal(dump(s, NULL, 16), "cpu 0\n7 text:line [-1] x|-\n");
}

/* libtraceevent prints a record as it prints the kernel's. */
static void printed(void **state)
{
	_cleanup_source_ struct source *s = open_log("7 cpu0 a[3] my.event: it %s is 100%\n", "");
	_cleanup_source_cursor_ struct source_cursor *c = NULL;
	struct tep_record record = {.cpu = 0};
	struct source_item item;
	struct trace_seq seq;

	assert_int_equal(source_cursor_new(s, 0, NULL, &c), 0);
	assert_int_equal(source_cursor_read(c, &item, 1), 1);
	record.data = (void *)item.data;
	record.size = (int)item.size;
	trace_seq_init(&seq);
	tep_print_event(source_tep(s, true), &seq, &record, "%s: %s", TEP_PRINT_NAME,
			TEP_PRINT_INFO);
	trace_seq_terminate(&seq);
	assert_string_equal(seq.buffer, "my.event: it %s is 100%");
	trace_seq_destroy(&seq);
	assert_int_equal(tep_data_pid(source_tep(s, true), &record), 3);
}

static void refused(const char *arg, const char *why)
{
	struct textlog_spec spec = {0};

	assert_int_equal(textlog_spec_parse(arg, &spec), -EINVAL);
	says(why);
	assert_null(spec.path);
}

static void specs(void **state)
{
	struct textlog_spec spec = {0};

	assert_int_equal(textlog_spec_parse("a,b", &spec), 0);
	assert_string_equal(spec.path, "a,b");
	assert_true(!spec.machine && !spec.regex && !spec.base && spec.cpu == -1 &&
		    !spec.file_order);
	textlog_spec_free(&spec);
	assert_int_equal(
		textlog_spec_parse("a,b,clock=tsc,machine=guest:web1,base=16,cpu=3,order=file,"
				   "regex=(?<stamp>x),machine=y",
				   &spec),
		0);
	assert_string_equal(spec.path, "a,b");
	assert_string_equal(spec.machine, "web1");
	assert_true(spec.regex && spec.base == 16 && spec.cpu == 3 && spec.file_order);
	textlog_spec_free(&spec);
	assert_int_equal(textlog_spec_parse("a,machine=host,base=10,order=stamp", &spec), 0);
	assert_true(!spec.machine && spec.base == 10);
	textlog_spec_free(&spec);
	refused("", "no file is named");
	refused(",cpu=3", "no file is named");
	refused("a,clok=tsc", "\"clok=tsc\" is not known");
	refused("a,clock=mono", "clock \"mono\" cannot be read; only tsc");
	refused("a,machine=guest", "machine is host or guest:NAME, not \"guest\"");
	refused("a,machine=guest:", "machine is host or guest:NAME");
	refused("a,cpu=99999", "cpu is a number");
	refused("a,cpu=", "cpu is a number");
	refused("a,base=8", "base is 10 or 16");
	refused("a,order=time", "order is stamp or file");
	refused("a,regex=(", "the regex is wrong at \"\"");
	refused("a,regex=x", "no group is named (?<stamp>…)");
	refused("a,cpu=1,,cpu=2", "\",cpu=2\" is not known");
}

static void not_there(void **state)
{
	struct source *s = NULL;

	unlink(path);
	assert_int_equal(try_open("", &s), -ENOENT);
	says("cannot open");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(try_open("", &s), -EISDIR);
	says("Is a directory");
	rmdir(path);
	assert_null(s);
}

static int set_up(void **state)
{
	int fd;

	if (!mkdtemp(dir))
		return -errno;
	snprintf(path, sizeof(path), "%s/a.log", dir);
	snprintf(said_path, sizeof(said_path), "%s/said", dir);
	fd = open(said_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	real_stderr = dup(STDERR_FILENO);
	return fd < 0 || real_stderr < 0 || dup2(fd, STDERR_FILENO) < 0;
}

static int tear_down(void **state)
{
	dup2(real_stderr, STDERR_FILENO);
	unlink(path);
	unlink(said_path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(per_cpu),
		cmocka_unit_test(chosen_kinds),
		cmocka_unit_test(sorted_and_stable),
		cmocka_unit_test(lost_events),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(cut_file),
		cmocka_unit_test(nothing_to_read),
		cmocka_unit_test(hostile_bytes),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(two_reads_live),
		cmocka_unit_test(many_kinds),
		cmocka_unit_test(by_regex),
		cmocka_unit_test(from_pipe),
		cmocka_unit_test(printed),
		cmocka_unit_test(specs),
		cmocka_unit_test(not_there),
	};

	return cmocka_run_group_tests_name("textlog", tests, set_up, tear_down);
}
