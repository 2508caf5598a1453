// SPDX-License-Identifier: GPL-2.0-or-later
#include "test.h"

#include <stdio.h>

#include "insight/exitnames.h"
#include "insight/exits.h"

/* Without a trace that names them: the kernel's headers. */
static void ours(void **state)
{
	struct exitnames *n;

	assert_int_equal(exitnames_new(NULL, NULL, NULL, &n), 0);
	assert_string_equal(exitnames_exit(n, EXIT_ISA_SVM, 0x78), "hlt");
	assert_string_equal(exitnames_exit(n, EXIT_ISA_SVM, 0x400), "npf");
	assert_string_equal(exitnames_exit(n, EXIT_ISA_SVM, UINT32_MAX), "invalid_guest_state");
	assert_string_equal(exitnames_exit(n, EXIT_ISA_VMX, 12), "HLT");
	assert_string_equal(exitnames_exit(n, EXIT_ISA_VMX, 48), "EPT_VIOLATION");
	/* the entry failed: bit 31 */
	assert_string_equal(exitnames_exit(n, EXIT_ISA_VMX, 0x80000000 | 33), "INVALID_STATE");
	assert_string_equal(exitnames_exit(n, 0, EXIT_NO_REASON), "");
	assert_string_equal(exitnames_user(n, 2), "IO");
	assert_string_equal(exitnames_user(n, EXIT_USER_INTR), "interrupted");
	assert_string_equal(exitnames_user(n, EXIT_USER_ERROR), "error");
	assert_string_equal(exitnames_user(n, EXIT_NO_REASON), "");
	exitnames_free(n);
}

/* A hostile file has any number of codes. */
static void unknown(void **state)
{
	struct exitnames *n;
	unsigned made = 0;

	assert_int_equal(exitnames_new(NULL, NULL, NULL, &n), 0);
	assert_string_equal(exitnames_exit(n, EXIT_ISA_SVM, 0x47f), "0x47f");
	assert_string_equal(exitnames_exit(n, EXIT_ISA_SVM, 0xdead), "0xdead");
	assert_ptr_equal(exitnames_exit(n, EXIT_ISA_SVM, 0xdead),
			 exitnames_exit(n, EXIT_ISA_SVM, 0xdead));
	for (uint32_t i = 0; i < 20000; i++) {
		const char *name = exitnames_user(n, 100000 + i);

		made += strcmp(name, "other") != 0;
	}
	assert_true(made > 100 && made < 5000);
	assert_string_equal(exitnames_user(n, 2), "IO");
	exitnames_free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours),
		cmocka_unit_test(unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
