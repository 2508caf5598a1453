// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines of QEMU's trace events in a host's trace. */
#include <string.h>

#include "sink/qemuline.h"
#include "test.h"

static void is(const char *line, const char *name, const char *text)
{
	struct qemuline l;

	if (!qemuline_split(line, strlen(line), &l)) {
		assert_null(name);
		return;
	}
	assert_non_null(name);
	assert_int_equal(l.name_n, strlen(name));
	assert_memory_equal(l.name, name, l.name_n);
	assert_int_equal(l.text_n, strlen(text));
	assert_memory_equal(l.text, text, l.text_n);
}

static void split(void **state)
{
	is("kvm_run_exit cpu_index 0, reason 2\n", "kvm_run_exit", "cpu_index 0, reason 2");
	is("vm_stop_flush_all \n", "vm_stop_flush_all", "");
	is("vm_stop_flush_all", "vm_stop_flush_all", "");
	is("5627@1795393987.181090:virtio_notify vdev 0x1 vq 0x2\n", "virtio_notify",
	   "vdev 0x1 vq 0x2");
	is("2025-07-21T12:34:56.789012Z virtio_notify vdev 0x1", "virtio_notify", "vdev 0x1");
	is("2025-07-21T12:34:56Z virtio_notify vdev 0x1", "virtio_notify", "vdev 0x1");
	is("hello world", NULL, NULL);
	is("a_b: of somebody else", NULL, NULL);
	is("5627@1795393987.181090", NULL, NULL);
	is("5627@", NULL, NULL);
	is("2025-", NULL, NULL);
	is("12", NULL, NULL);
	is("\n", NULL, NULL);
	is("", NULL, NULL);
}

static void formats_to(const char *want, const char *fmt, const uint64_t *args, size_t n)
{
	_cleanup_strbuf_ struct strbuf b = {0};

	qemuline_format(&b, fmt, strlen(fmt), args, n);
	assert_string_equal(b.s ?: "", want);
}
#define FORMATS_TO(want, fmt, ...)                             \
	formats_to(want, fmt, (const uint64_t[]){__VA_ARGS__}, \
		   sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

static void format(void **state)
{
	const uint64_t minus = UINT64_MAX;

	/* Registers hold rubbish above an int. */
	FORMATS_TO("kvm_run_exit cpu_index 0, reason 2\n", "kvm_run_exit cpu_index %d, reason %d\n",
		   0xdead00000000, 0xbeef00000002);
	FORMATS_TO("-1 -1 4294967295 18446744073709551615", "%d %ld %u %zu", minus, minus, minus,
		   minus);
	FORMATS_TO("0x1f 0x001f 1F 37  31 31 |", "0x%x 0x%04x %lX %o %3d %-2d |", 31, 31, 31, 31,
		   31, 31);
	FORMATS_TO("255 -1 65535", "%hhu %hhd %hu", 0xfff, 0xfff, 0xfffff);
	FORMATS_TO("0x7f00 <0x55aa> 100% A ?", "%p %s 100%% %c %c", 0x7f00, 0x55aa, 'A', 7);
	FORMATS_TO("5627@1795393987.001090:a_b 7", "%d@%zu.%06zu:a_b %d", 5627, 1795393987, 1090,
		   7);
	FORMATS_TO("007", "%.3d", 7);
	FORMATS_TO("1 ? ?", "%d %d %s", 1);
	FORMATS_TO("? x", "%f x", 1);
	FORMATS_TO("?", "%", 1);
	FORMATS_TO("?", "%-+ #0-+ #0-+ #0999999999999.9999l", 1);
	FORMATS_TO("", "", 1);
	FORMATS_TO("?1", "%n%d", 5, 1); /* nothing is written anywhere */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(split), cmocka_unit_test(format)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
