// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <errno.h>
#include <fcntl.h>

#include "base/log.h"
#include "sink/html.h"
#include "sink/html_block.h"
#include "sink/html_dict.h"

static void numbers(void **state)
{
	static const uint8_t want[] = {0,    0x7f, 0x80, 1,    1,    2,	   0xff, 0xff,
				       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
	struct col c = {0};

	(void)state;
	col_u64(&c, 0);
	col_u64(&c, 127);
	col_u64(&c, 128);
	col_s64(&c, -1);
	col_s64(&c, 1);
	col_s64(&c, INT64_MIN);
	assert_int_equal(c.n, sizeof(want));
	assert_memory_equal(c.p, want, sizeof(want));
	col_free(&c);
}

static void strings(void **state)
{
	char text[32], longer[1000];
	struct dict d = {0};

	(void)state;
	memset(longer, 'x', sizeof(longer));
	assert_int_equal(dict_add(&d, NULL, 0), 0);
	assert_int_equal(dict_adds(&d, ""), 0);
	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < 3000; i++) {
			size_t n = (size_t)snprintf(text, sizeof(text), "%u", i * 7);

			assert_int_equal(dict_add(&d, text, n), i + 1);
		}
	assert_int_equal(dict_add(&d, longer, sizeof(longer)), 3001);
	assert_int_equal(dict_add(&d, longer, DICT_STRING_MAX), 3001);
	dict_reset(&d);
	assert_int_equal(dict_adds(&d, "again"), 1);
	dict_free(&d);
}

/* A page of a text log of 100 events. */
static int make_page(uint64_t max_events, int fd)
{
	char path[] = "/tmp/onetsc-test-XXXXXX";
	const char *texts[] = {path};
	struct input_options o = {.texts = texts, .n_texts = 1};
	_cleanup_free_ struct out *out = calloc(1, sizeof(*out));
	_cleanup_input_ struct input *in = NULL;
	_cleanup_timeline_ struct timeline *t = NULL;
	struct sink_html *s;
	int file = mkstemp(path), r;

	assert_true(file >= 0 && out);
	for (unsigned i = 0; i < 100; i++)
		dprintf(file, "%u cpu%u task[%u] event: text %u\n", 1000 + i, i % 3, i % 7, i);
	close(file);
	r = input_open_with(NULL, 0, &o, &in);
	unlink(path);
	assert_int_equal(r, 0);
	assert_int_equal(timeline_new(in, NULL, &t), 0);
	out->fd = fd;
	r = sink_html_new(in, &(struct sink_html_config){out, max_events}, &s);
	if (r == -EOPNOTSUPP) /* built without node, tsc and esbuild */
		skip();
	assert_int_equal(r, 0);
	r = timeline_run(t, &(struct timeline_use){&sink_html_consumer, s}, 1);
	sink_html_free(s);
	return r;
}

static void limits(void **state)
{
	int null = open("/dev/null", O_WRONLY), full = open("/dev/full", O_WRONLY);

	(void)state;
	log_set_level(LOG_NONE);
	assert_int_equal(make_page(100, null), 0);
	assert_int_equal(make_page(99, null), -EFBIG);
	assert_int_equal(make_page(100, full), -ENOSPC);
	close(null);
	close(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),
		cmocka_unit_test(strings),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
