// SPDX-License-Identifier: GPL-2.0-or-later
/* Offsets and sizes beyond 4 GiB, in files that are mostly holes: pages of 64 MiB, of which only the
 * first few bytes are touched. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "source/source.h"

#define PAGE  (UINT64_C(64) << 20)
#define PAGES 80 /* of a CPU: 5 GiB */
#define CPUS  2

static const char header_page[] = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
				  "\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
				  "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
				  "\tfield: char data;\toffset:16;\tsize:67108848;\tsigned:1;\n";
static const char format[] =
	"name: tick\nID: 7\nformat:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
	"\tfield:unsigned n;\toffset:8;\tsize:4;\tsigned:0;\n\n"
	"print fmt: \"%u\", REC->n\n";

struct writer {
	uint8_t buf[8192];
	size_t n;
	int fd;
	char path[64];
};

static void put(struct writer *w, const void *p, size_t n)
{
	memcpy(w->buf + w->n, p, n);
	w->n += n;
}

static void put_num(struct writer *w, uint64_t v, size_t n)
{
	put(w, &v, n);
}

static void put_text(struct writer *w, const char *s, size_t n_bytes)
{
	put_num(w, strlen(s), n_bytes);
	put(w, s, strlen(s));
}

static void put_descriptions(struct writer *w)
{
	put(w, "header_page", 12);
	put_text(w, header_page, 8);
	put(w, "header_event", 13);
	put_text(w, "", 8);
	put_num(w, 0, 4); /* no ftrace formats */
	put_num(w, 1, 4);
	put(w, "test", 5);
	put_num(w, 1, 4);
	put_text(w, format, 8);
	put_text(w, "", 4);
	put_text(w, "", 4);
	put_text(w, "", 8);
}

static void put_at(const struct writer *w, uint64_t at, const void *p, size_t n)
{
	assert_int_equal(pwrite(w->fd, p, n, (off_t)at), n);
}

/* One page with one event in it, at the tick of its number. */
static void put_page(const struct writer *w, uint64_t at, unsigned cpu, unsigned i)
{
	uint64_t head[2] = {1000 + i, 4 + 12};
	uint32_t record[4] = {3, 7, 0, cpu * 1000 + i};

	put_at(w, at, head, sizeof(head));
	put_at(w, at + sizeof(head), record, sizeof(record));
}

/* Pages of a CPU, of which each seventh and the last one has an event. */
static unsigned put_cpu(const struct writer *w, uint64_t at, unsigned cpu)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGES; i++)
		if (i % 7 == 0 || i == PAGES - 1) {
			put_page(w, at + i * PAGE, cpu, i);
			n++;
		}
	return n;
}

static void begin(struct writer *w, const char *version)
{
	*w = (struct writer){0};
	snprintf(w->path, sizeof(w->path), "%s/big-XXXXXX", getenv("TMPDIR") ?: "/tmp");
	w->fd = mkstemp(w->path);
	assert_true(w->fd >= 0);
	put(w, "\027\010\104tracing", 10);
	put(w, version, 2);
	put(w, "\0\010", 2);
	put_num(w, PAGE, 4);
}

static void read_back(struct writer *w, unsigned want)
{
	_cleanup_source_ struct source *s = NULL;
	unsigned total = 0;

	assert_int_equal(source_open(w->path, &s), 0);
	assert_int_equal(source_facts(s)->n_lanes, CPUS);
	assert_false(source_facts(s)->truncated);
	for (size_t lane = 0; lane < CPUS; lane++) {
		_cleanup_source_cursor_ struct source_cursor *c = NULL;
		struct source_item items[64];
		uint64_t last = 0;
		int n;

		assert_true(source_facts(s)->lanes[lane].bytes == PAGES * PAGE);
		assert_int_equal(source_cursor_new(s, lane, NULL, &c), 0);
		while ((n = source_cursor_read(c, items, 64)) > 0)
			for (int i = 0; i < n; i++) {
				uint32_t number;

				assert_false(items[i].flags & ITEM_LOST);
				assert_int_equal(items[i].size, 12);
				memcpy(&number, (const char *)items[i].data + 8, 4);
				assert_int_equal(number, lane * 1000 + items[i].raw_ticks - 1000);
				assert_true(items[i].raw_ticks > last);
				last = items[i].raw_ticks;
				total++;
			}
		assert_int_equal(n, 0);
		assert_int_equal(last, 1000 + PAGES - 1);
	}
	assert_int_equal(total, want);
}

static void finish(struct writer *w)
{
	close(w->fd);
	unlink(w->path);
}

static bool can_be_big(const struct writer *w, uint64_t size)
{
	return !ftruncate(w->fd, (off_t)size);
}

static void version_6(void **state)
{
	const uint64_t first = PAGE, size = first + CPUS * PAGES * PAGE;
	struct writer w;
	unsigned n = 0;

	begin(&w, "6");
	put_descriptions(&w);
	put_num(&w, CPUS, 4);
	put(&w, "options  ", 10);
	put_num(&w, 0, 2);
	put(&w, "flyrecord", 10);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		put_num(&w, first + cpu * PAGES * PAGE, 8);
		put_num(&w, PAGES * PAGE, 8);
	}
	put_at(&w, 0, w.buf, w.n);
	if (!can_be_big(&w, size)) {
		finish(&w);
		skip(); /* a file system without files of 10 GiB */
	}
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		n += put_cpu(&w, first + cpu * PAGES * PAGE, cpu);
	read_back(&w, n);
	/* and cut: what is missing counts in 64 bits too */
	log_set_level(LOG_NONE);
	assert_int_equal(ftruncate(w.fd, (off_t)(size - 3 * PAGE)), 0);
	{
		_cleanup_source_ struct source *s = NULL;

		assert_int_equal(source_open(w.path, &s), 0);
		assert_true(source_facts(s)->bytes_missing == 3 * PAGE);
	}
	finish(&w);
}

static uint64_t put_section(struct writer *w, unsigned id, size_t n)
{
	uint64_t at = w->n;

	put_num(w, id, 2);
	put_num(w, 0, 2);
	put_num(w, 0, 4);
	put_num(w, n, 8);
	return at;
}

static void put_option(struct writer *w, unsigned id, const void *p, size_t n)
{
	put_num(w, id, 2);
	put_num(w, n, 4);
	put(w, p, n);
}

/* The list that tells of the buffer stands behind it, beyond 4 GiB. */
static uint64_t put_list_v7(const struct writer *w, uint64_t at, uint64_t section, uint64_t first)
{
	struct writer list = {0};
	struct writer option = {0};

	put_num(&option, section, 8);
	put(&option, "\0x86-tsc", 9);
	put_num(&option, PAGE, 4);
	put_num(&option, CPUS, 4);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		put_num(&option, cpu, 4);
		put_num(&option, first + cpu * PAGES * PAGE, 8);
		put_num(&option, PAGES * PAGE, 8);
	}
	put_section(&list, 0, 6 + option.n + 6 + 8);
	put_option(&list, 3, option.buf, option.n);
	put_option(&list, 0, &(uint64_t){0}, 8);
	put_at(w, at, list.buf, list.n);
	return list.n;
}

static void version_7(void **state)
{
	const uint64_t first = PAGE, end = first + CPUS * PAGES * PAGE;
	uint64_t places[3], section, list;
	struct writer w, d = {0};
	unsigned n = 0;
	size_t hole;

	begin(&w, "7");
	put(&w, "none\0", 6);
	hole = w.n;
	put_num(&w, 0, 8);
	put_descriptions(&d);
	/* header information, no ftrace formats, the event's format */
	places[0] = put_section(&w, 16, 12 + 8 + strlen(header_page) + 13 + 8);
	put(&w, d.buf, 12 + 8 + strlen(header_page) + 13 + 8);
	places[1] = put_section(&w, 17, 4);
	put_num(&w, 0, 4);
	places[2] = put_section(&w, 18, 4 + 5 + 4 + 8 + strlen(format));
	put_num(&w, 1, 4);
	put(&w, "test", 5);
	put_num(&w, 1, 4);
	put_text(&w, format, 8);
	list = put_section(&w, 0, 3 * 14 + 14);
	for (unsigned i = 0; i < 3; i++)
		put_option(&w, 16 + i, &places[i], 8);
	put_option(&w, 0, &end, 8);
	memcpy(w.buf + hole, &list, 8);
	section = put_section(&w, 3, end - w.n - 16);
	put_at(&w, 0, w.buf, w.n);
	if (!can_be_big(&w, end + put_list_v7(&w, end, section, first))) {
		finish(&w);
		skip();
	}
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		n += put_cpu(&w, first + cpu * PAGES * PAGE, cpu);
	read_back(&w, n);
	finish(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_6),
		cmocka_unit_test(version_7),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
