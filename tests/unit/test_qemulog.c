// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU's traces: the shapes of log lines, simple traces made here as trace/simple.c lays them out, and
 * what is said of damaged ones. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "source/qemuevents.h"
#include "source/qemulog.h"
#include "source/source.h"
#include "source/textlog.h"

static char dir[] = "/tmp/test_qemulog.XXXXXX";
static char path[64], events_path[64], said_path[64];
static int real_stderr;

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

static void write_file(const char *to, const void *p, size_t n)
{
	_cleanup_fd_ int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_int_equal(fd_write_all(fd, p, n), 0);
}

static int try_open(const void *p, size_t n, const char *options, struct source **ret)
{
	_cleanup_textlog_spec_ struct textlog_spec spec = {0};
	char arg[256];

	write_file(path, p, n);
	snprintf(arg, sizeof(arg), "%s,kind=qemu%s", path, options);
	assert_int_equal(textlog_spec_parse(arg, &spec), 0);
	spec.pid = 77;
	return textlog_open(&spec, ret);
}

/* --- lines -------------------------------------------------------------------------------- */

static bool is(const struct textline_str *s, const char *want)
{
	return s->n == strlen(want) && !memcmp(s->s, want, s->n);
}

static void shapes(void **state)
{
	static const struct {
		const char *line;
		enum textline_status status;
		uint64_t stamp;
		int pid;
		const char *event, *message;
	} cases[] = {
		{"5627@1795393987.181090:memory_region_ops_write cpu 0 mr 0x1", TEXTLINE_EVENT,
		 1795393987181090000, 5627, "memory_region_ops_write", "cpu 0 mr 0x1"},
		{"1@0.000001:visit_free ", TEXTLINE_EVENT, 1000, 1, "visit_free", ""},
		{"1@0.000001:ioinst", TEXTLINE_EVENT, 1000, 1, "ioinst", ""},
		{"550@2858.958742538:kvm_run_exit a", TEXTLINE_EVENT, 2858958742538, 550,
		 "kvm_run_exit", "a"},
		{"5@6.000007: text", TEXTLINE_EVENT, 6000007000, 5, "", " text"},
		{"2025-07-21T12:34:56.789012Z kvm_run_exit cpu_index 0, reason 2", TEXTLINE_EVENT,
		 1753101296789012000, -1, "kvm_run_exit", "cpu_index 0, reason 2"},
		{"2024-02-29T23:59:60Z qemu-system-x86_64: terminating", TEXTLINE_EVENT,
		 1709251200000000000, -1, "", "qemu-system-x86_64: terminating"},
		{"1970-01-01T00:00:00Z Invalid read", TEXTLINE_EVENT, 0, -1, "", "Invalid read"},
		{"2000-03-01T00:00:00.5Z", TEXTLINE_EVENT, 951868800500000000, -1, "", ""},
		{"kvm_run_exit cpu_index 0, reason 2", TEXTLINE_NO_STAMP, 0, -1, NULL, NULL},
		{"SeaBIOS (version 1.16)", TEXTLINE_NO_STAMP, 0, -1, NULL, NULL},
		{"", TEXTLINE_EMPTY, 0, -1, NULL, NULL},
		{"12", TEXTLINE_NO_STAMP, 0, -1, NULL, NULL},
		{"12@", TEXTLINE_BAD_TIME, 0, -1, NULL, NULL},
		{"12@1795393987.1810901234:x_y", TEXTLINE_BAD_TIME, 0, -1, NULL, NULL},
		{"12@1795393987:x_y", TEXTLINE_BAD_TIME, 0, -1, NULL, NULL},
		{"12@99999999999.000000:x_y", TEXTLINE_BAD_TIME, 0, -1, NULL, NULL},
		{"4294967296@1.000000:x_y", TEXTLINE_BAD_PID, 0, -1, NULL, NULL},
		{"99999999999999999999@1.000000:x_y", TEXTLINE_NO_STAMP, 0, -1, NULL, NULL},
		{"2025-13-21T12:34:56Z x_y", TEXTLINE_BAD_TIME, 0, -1, NULL, NULL},
		{"2025-07-21T12:34:56.789012+02:00 x_y", TEXTLINE_BAD_TIME, 0, -1, NULL, NULL},
		{"2025-07-21 12:34:56 x", TEXTLINE_BAD_TIME, 0, -1, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct textline l;
		enum textline_status s = qemulog_line(cases[i].line, strlen(cases[i].line), &l);

		if (s != cases[i].status)
			fail_msg("\"%s\": %s", cases[i].line, textline_why(s));
		if (s != TEXTLINE_EVENT)
			continue;
		if (l.stamp != cases[i].stamp || l.pid != cases[i].pid)
			fail_msg("\"%s\": %llu %d", cases[i].line, (unsigned long long)l.stamp,
				 l.pid);
		assert_true(is(&l.event, cases[i].event) && is(&l.message, cases[i].message));
	}
}

static size_t read_all(struct source *s, struct source_item *items, size_t max)
{
	static struct source_cursor *c;
	int n;

	source_cursor_free(c); /* of the source before: its records are not used any more */
	c = NULL;
	if (!s)
		return 0;
	assert_int_equal(source_facts(s)->n_lanes, 1);
	assert_int_equal(source_facts(s)->lanes[0].cpu, SOURCE_NO_CPU);
	assert_int_equal(source_cursor_new(s, 0, NULL, &c), 0);
	n = source_cursor_read(c, items, (unsigned)max);
	assert_true(n >= 0);
	return (size_t)n;
}

static const char *message(const struct source_item *it)
{
	return (const char *)it->data + 24;
}

/* Two threads, 1.8 ms out of order, other output between. */
static void log_file(void **state)
{
	static const char text[] = "10@5.002000:virtio_notify vdev 0x1\n"
				   "SeaBIOS\n"
				   "11@5.000200:kvm_run_exit cpu_index 0, reason 2\n"
				   "2026-11-23T00:33:11.143129Z qemu: terminating\r\n";
	struct source_item it[8];
	struct source *s;
	uint64_t kept;

	assert_int_equal(try_open(text, sizeof(text) - 1, "", &s), 0);
	says("1 of 4 lines are no events");
	assert_string_equal(source_facts(s)->clock, "realtime");
	assert_int_equal(source_facts(s)->quantum_ns, 1000);
	assert_int_equal(read_all(s, it, 8), 3);
	assert_string_equal(it[0].kind->name, "kvm_run_exit");
	assert_string_equal(it[0].kind->system, "qemu");
	assert_int_equal(it[0].raw_ticks, 5000200000);
	assert_int_equal(source_record_pid(it[0].kind, it[0].data), 11);
	assert_string_equal(message(&it[1]), "vdev 0x1");
	assert_string_equal(it[2].kind->name, "line");
	assert_int_equal(source_record_pid(it[2].kind, it[2].data), 77);
	assert_int_equal(textlog_cut(s, 5002000000, UINT64_MAX, &kept), 1);
	assert_int_equal(kept, 2);
	assert_int_equal(read_all(s, it, 8), 2);
	read_all(NULL, NULL, 0);
	source_free(s);
	assert_int_equal(try_open("a_b c\n", 6, "", &s), -EBADMSG);
	says("-msg timestamp=on");
}

static void spec_errors(void **state)
{
	static const struct {
		const char *spec, *says;
	} cases[] = {
		{"x,kind=lttng", "kind is tsc"},
		{"x,kind=qemu,machine=guest:a", "machine= does not go with kind=qemu"},
		{"x,vm=web1", "vm= goes with kind=qemu only"},
		{"x,kind=qemu,vm=", "vm= names nothing"},
		{"x,kind=qemu,time=some", "time is recording or all"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_textlog_spec_ struct textlog_spec spec = {0};
		int r = textlog_spec_parse(cases[i].spec, &spec);

		says(cases[i].says);
		assert_int_equal(r, -EINVAL);
	}
}

/* --- simple traces ------------------------------------------------------------------------ */

static struct strbuf trace;

static void u32(uint32_t v)
{
	strbuf_add(&trace, (const char *)&v, 4);
}

static void u64(uint64_t v)
{
	strbuf_add(&trace, (const char *)&v, 8);
}

static void header(void)
{
	trace.n = 0;
	u64(UINT64_MAX);
	u64(0xf2b177cb0aa429b4);
	u64(4);
}

static void mapping(uint64_t id, const char *name)
{
	u64(0);
	u64(id);
	u32((uint32_t)strlen(name));
	strbuf_puts(&trace, name);
}

static void event(uint64_t id, uint64_t ns, uint32_t payload)
{
	u64(1);
	u64(id);
	u64(ns);
	u32(24 + payload);
	u32(4242);
}

static const char events_text[] =
	"# See docs/devel/tracing.rst\n"
	"kvm_run_exit(int cpu_index, uint32_t reason) \"cpu_index %d, reason %u\"\n"
	"vcpu guest_cpu_enter(void)\n"
	"disable visit_type(void *v, const char *name, char* b) \"v=%p name=%s b='%5s'\"\n"
	"blk_io(int64_t o, uint8_t f, size_t n) \"o 0x%08\" PRIx64 \" f 0x%\" PRIx8 \" n %zu 100%%\"\n"
	"pad(int a, unsigned int b, uint64_t c) \"%-4d|%04x|%#\"PRIx64\"|\"\n"
	"odd(int a) \"%d %d\"\n";

static int open_trace(struct source **ret)
{
	char options[128];

	write_file(events_path, events_text, sizeof(events_text) - 1);
	snprintf(options, sizeof(options), ",events=%s", events_path);
	assert_false(trace.failed);
	return try_open(trace.s, trace.n, options, ret);
}

static void string(const char *s)
{
	u32((uint32_t)strlen(s));
	strbuf_puts(&trace, s);
}

static void good_records(void)
{
	header();
	mapping(7, "kvm_run_exit");
	mapping(9, "visit_type");
	event(7, 3000000000, 16);
	u64((uint64_t)-1);
	u64(2);
	event(9, 2999999999, 8 + 4 + 3 + 4 + 2); /* a little back */
	u64(0);
	string("x\ny");
	string("ab");
	mapping(UINT64_MAX - 7, "blk_io"); /* amid the file */
	event(UINT64_MAX - 7, 3000000010, 24);
	u64(0xabcd);
	u64(0x1ff);
	u64(12);
	event(UINT64_MAX - 1, 3000000011, 8);
	u64(321);
	mapping(10, "pad");
	event(10, 3000000012, 24);
	u64((uint64_t)-5);
	u64(0xfff);
	u64(0xbeef);
}

static void simple(void **state)
{
	struct source_item it[8];
	struct source *s;

	good_records();
	assert_int_equal(open_trace(&s), 0);
	assert_string_equal(source_facts(s)->clock, "monotonic");
	assert_int_equal(source_facts(s)->quantum_ns, 1);
	assert_int_equal(read_all(s, it, 8), 5);
	assert_string_equal(message(&it[0]), "v=(nil) name=x y b='   ab'");
	assert_int_equal(it[0].raw_ticks, 2999999999);
	assert_int_equal(it[1].flags, ITEM_LOST); /* at any time up to the mark */
	assert_int_equal(it[1].lost, 321);
	assert_int_equal(it[1].end_raw_ticks, 3000000011);
	assert_string_equal(it[2].kind->name, "kvm_run_exit");
	assert_string_equal(message(&it[2]), "cpu_index -1, reason 2");
	assert_int_equal(source_record_pid(it[2].kind, it[2].data), 4242);
	assert_string_equal(message(&it[3]), "o 0x0000abcd f 0xff n 12 100%");
	assert_string_equal(message(&it[4]), "-5  |0fff|0xbeef|");
	read_all(NULL, NULL, 0);
	source_free(s);
	/* the one line out of order is told, nothing else is amiss */
	says("1 lines have a lower stamp than one before them on their CPU, by up to 1 ns");
}

/* Each cut leaves what is before it and names the byte. */
static void cut_anywhere(void **state)
{
	good_records();
	for (size_t n = 24, whole = trace.n; n < whole; n++) {
		struct source_item it[8];
		struct source *s;
		size_t got;

		trace.n = n;
		assert_int_equal(open_trace(&s), 0);
		got = source_facts(s)->n_lanes ? read_all(s, it, 8) : 0;
		assert_true(got <= 5);
		assert_int_equal(source_facts(s)->truncated, source_facts(s)->bytes_missing != 0);
		if (source_facts(s)->truncated)
			says("no record of a simple trace, or only a part of one");
		read_all(NULL, NULL, 0);
		source_free(s);
		trace.n = whole;
	}
}

static void damaged(void **state)
{
	struct source_item it[8];
	struct source *s;

	header();
	mapping(1, "kvm_run_exit");
	mapping(2, "not_listed");
	event(1, 10, 8); /* one argument too few */
	u64(5);
	event(2, 11, 16);
	u64(1);
	u64(0x22);
	event(3, 12, 3); /* no name */
	strbuf_add(&trace, "abc", 3);
	event(1, UINT64_MAX, 0);
	u64(2); /* no type of a record: nothing behind it counts */
	u64(0);
	u64(0);
	assert_int_equal(open_trace(&s), 0);
	assert_int_equal(read_all(s, it, 8), 3);
	assert_string_equal(message(&it[0]), "0x5");
	assert_string_equal(message(&it[1]), "0x1 0x22");
	assert_string_equal(it[2].kind->name, "unnamed_event");
	assert_string_equal(message(&it[2]), "id 0x3 (3 bytes more)");
	assert_int_equal(source_facts(s)->bytes_missing, 24);
	read_all(NULL, NULL, 0);
	source_free(s);
	says("of 3 events the arguments are shown raw, 1 are left out");
	trace.s[8] ^= 1;
	assert_int_equal(open_trace(&s), -EBADMSG); /* not one at all: text without stamps */
	trace.s[8] ^= 1;
	trace.s[16] = 3;
	assert_int_equal(open_trace(&s), -ENOTSUP);
	says("byte 16: QEMU's simple traces of version 4 can be read, this one is of version 3");
}

/* No format, however it is, makes more of the arguments than there is. */
static void hostile_formats(void **state)
{
	static const char *const formats[] = {
		"%",	"%%%",	 "%*d %.*s",	    "%999999999d", "%.999999999d", "%s %s %s",
		"%n",	"%5$d",	 "%-+ #0-+5.7lld",  "%hhhhd",	   "%lc",	   "%c%c%c%c",
		"%0*d", "%.s|%", "%jd%td%zd%qd%Ld", "%#o%#x%#X",
	};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		_cleanup_strbuf_ struct strbuf out = {0};
		const uint8_t payload[20] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					     0xff, 8,	 0,    0,    0,	   1,	 2,
					     '%',  'n',	 's',  0,    7,	   '!'};
		struct qemuevents *e;
		struct qemuevent ev;
		char line[128];
		int n = snprintf(line, sizeof(line), "a_b(int x, char *s) \"%s\"", formats[i]);

		assert_int_equal(qemuevents_new(line, (size_t)n, &e), 0);
		assert_int_equal(qemuevents_get(e, "a_b", 3, &ev), 0);
		assert_int_equal(qemuevent_print(&ev, payload, 20, &out), 0);
		assert_true(out.n < 300);
		for (size_t k = 0; k < out.n; k++)
			assert_true((unsigned char)out.s[k] >= ' ');
		assert_int_equal(qemuevent_print(&ev, payload, 19, &out), -EBADMSG);
		qemuevent_free(&ev);
		qemuevents_free(e);
	}
}

/* Every event of the list that is installed here, if any, is understood. */
static void installed_list(void **state)
{
	_cleanup_free_ char *text = NULL;
	struct qemuevents *e;
	size_t n, events = 0;

	if (file_read(AT_FDCWD, "/usr/share/qemu/trace-events-all", 16 << 20, &text, &n)) {
		print_message("no /usr/share/qemu/trace-events-all here\n");
		skip();
	}
	assert_int_equal(qemuevents_new(text, n, &e), 0);
	for (char *p = text; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
		char *open = strpbrk(p, "(\n"), *name = open;
		struct qemuevent ev;

		if (*p == '#' || !open || *open != '(')
			continue;
		while (name > p && name[-1] != ' ')
			name--;
		if (qemuevents_get(e, name, (size_t)(open - name), &ev))
			fail_msg("%.*s", (int)strcspn(p, "\n"), p);
		events++;
		qemuevent_free(&ev);
	}
	assert_true(events > 1000);
	qemuevents_free(e);
}

static int setup(void **state)
{
	int fd;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/trace", dir);
	snprintf(events_path, sizeof(events_path), "%s/events", dir);
	snprintf(said_path, sizeof(said_path), "%s/said", dir);
	fd = open(said_path, O_RDWR | O_CREAT | O_APPEND, 0600);
	real_stderr = dup(2);
	dup2(fd, 2);
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	dup2(real_stderr, 2);
	close(real_stderr);
	unlink(path);
	unlink(events_path);
	unlink(said_path);
	strbuf_free(&trace);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),	   cmocka_unit_test(log_file),
		cmocka_unit_test(spec_errors),	   cmocka_unit_test(simple),
		cmocka_unit_test(cut_anywhere),	   cmocka_unit_test(damaged),
		cmocka_unit_test(hostile_formats), cmocka_unit_test(installed_list),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
