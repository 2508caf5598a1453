// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of kernel addresses, and what a reported offset write means. */
#include "test.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "vm/ksyms.h"
#include "vm/observer.h"

/* Not sorted, as modules are in the real file; a cut last line; lines that are no symbols. */
static const char table[] = "ffffffff81000000 T _text\n"
			    "ffffffffc0200100 t kvm_arch_vcpu_load\t[kvm]\n"
			    "ffffffffc0200000 t kvm_set_msr_common\t[kvm]\n"
			    "ffffffff81000800 T __x64_sys_ioctl\n"
			    "ffffffffc0300000 t bpf_prog_0123_observe\t[bpf]\n"
			    "\n"
			    "garbage\n"
			    "ffffffff81001000 T bpf_trace_run3\n"
			    "ffffffffc0400000 t kvm_vcpu_ioctl\t[kvm";

static struct ksyms *load(const char *text)
{
	char path[] = "/tmp/test_observer.XXXXXX";
	_cleanup_fd_ int fd = mkstemp(path);
	struct ksyms *ks = NULL;
	int r;

	assert_true(fd >= 0);
	assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
	r = ksyms_load(path, &ks);
	unlink(path);
	assert_true(r == 0 || !ks);
	errno = -r;
	return ks;
}

static void symbols(void **state)
{
	_cleanup_ksyms_ struct ksyms *ks = load(table);
	struct ksym s;

	assert_non_null(ks);
	assert_true(ksyms_find(ks, 0xffffffffc02000ff, &s));
	assert_string_equal(s.name, "kvm_set_msr_common");
	assert_string_equal(s.module, "kvm");
	assert_true(s.start == 0xffffffffc0200000);
	assert_true(ksyms_find(ks, 0xffffffffc0200100, &s));
	assert_string_equal(s.name, "kvm_arch_vcpu_load");
	assert_true(ksyms_find(ks, 0xffffffff81000000, &s));
	assert_string_equal(s.name, "_text");
	assert_string_equal(s.module, "");
	assert_true(ksyms_find(ks, UINT64_MAX, &s));
	assert_string_equal(s.name, "kvm_vcpu_ioctl");
	assert_string_equal(s.module, "kvm");
	assert_false(ksyms_find(ks, 0xffffffff80ffffff, &s));
	assert_false(ksyms_find(NULL, 0xffffffff81000000, &s));
}

static void no_symbols(void **state)
{
	assert_null(load("0000000000000000 T _text\n0000000000000000 t x\t[kvm]\n"));
	assert_int_equal(errno, EPERM);
	assert_null(load("what is this\n"));
	assert_int_equal(errno, EBADMSG);
	assert_null(load(""));
	assert_int_equal(errno, EBADMSG);
}

static void sources(void **state)
{
	_cleanup_ksyms_ struct ksyms *ks = load(table);
	struct gate_write w = {.ioctl = (__u32)KVM_SET_MSRS};
	const char *name;

	assert_false(observer_needs_symbols(&w));
	assert_int_equal(observer_source(&w, NULL, &name), WRITE_VMM);
	assert_string_equal(name, "KVM_SET_MSRS");
	w.ioctl = 0;
	assert_int_equal(observer_source(&w, NULL, &name), WRITE_VMM);

	w.ioctl = (__u32)KVM_RUN;
	w.n_stack = 3;
	w.stack[0] = 0xffffffffc0300010;
	w.stack[1] = 0xffffffffc0200010;
	w.stack[2] = 0xffffffff81000810;
	assert_true(observer_needs_symbols(&w));
	assert_int_equal(observer_source(&w, ks, &name), WRITE_GUEST);
	assert_string_equal(name, "guest WRMSR");
	w.stack[1] = 0xffffffffc0200110;
	assert_int_equal(observer_source(&w, ks, &name), WRITE_KVM);
	w.n_stack = -14;
	assert_int_equal(observer_source(&w, ks, &name), WRITE_GUEST);
}

static void stacks(void **state)
{
	_cleanup_ksyms_ struct ksyms *ks = load(table);
	_cleanup_strbuf_ struct strbuf b = {0};
	struct gate_write w = {
		.n_stack = 3,
		.stack = {0xffffffffc0300010, 0xffffffff81001010, 0xffffffffc0200010},
	};

	assert_int_equal(observer_stack_skip(&w, ks), 2);
	assert_int_equal(observer_stack_skip(&w, NULL), 0);
	w.n_stack = -14;
	assert_int_equal(observer_stack_skip(&w, ks), 0);
	observer_add_frame(&b, ks, w.stack[2]);
	strbuf_puts(&b, " ");
	observer_add_frame(&b, ks, 0xffffffff81000010);
	strbuf_puts(&b, " ");
	observer_add_frame(&b, NULL, 0x1234);
	assert_string_equal(b.s, "kvm_set_msr_common+0x10 [kvm] _text+0x10 0x1234");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symbols),
		cmocka_unit_test(no_symbols),
		cmocka_unit_test(sources),
		cmocka_unit_test(stacks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
