// SPDX-License-Identifier: GPL-2.0-or-later
/* A program to put uprobes into: calls probed_step(N) every few ms, or a given number of times, and has
 * the static probe onetsc_test:step as <sys/sdt.h> makes it, with a semaphore. It prints how often the
 * semaphore was up. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((section(".probes"))) volatile uint16_t onetsc_test_step_semaphore = 0;

#if __has_attribute(noclone) /* gcc's, which calls a copy otherwise */
__attribute__((noclone))
#endif
int probed_step(int n, const char *text);
__attribute__((noinline)) int probed_step(int n, const char *text)
{
	if (onetsc_test_step_semaphore)
		__asm__ volatile(
			"990: nop\n"
			".pushsection .note.stapsdt,\"?\",\"note\"\n"
			".balign 4\n"
			".4byte 992f-991f, 994f-993f, 3\n"
			"991: .asciz \"stapsdt\"\n"
			"992: .balign 4\n"
			"993: .8byte 990b, _.stapsdt.base, onetsc_test_step_semaphore\n"
			".asciz \"onetsc_test\"\n"
			".asciz \"step\"\n"
			".asciz \"-4@%[n] 8@%[text] -4@$7 8@8(%%rsp,%%rax,4)\"\n"
			"994: .balign 4\n"
			".popsection\n"
			".ifndef _.stapsdt.base\n"
			".pushsection .stapsdt.base,\"aG\",\"progbits\",.stapsdt.base,comdat\n"
			".weak _.stapsdt.base\n"
			".hidden _.stapsdt.base\n"
			"_.stapsdt.base: .space 1\n"
			".size _.stapsdt.base, 1\n"
			".popsection\n"
			".endif\n" ::[n] "r"(n),
			[text] "r"(text));
	return n * 2 + 1;
}

int main(int argc, char **argv)
{
	int times = argc > 1 ? atoi(argv[1]) : 0, up = 0, sum = 0;

	for (int i = 0; !times || i < times; i++) {
		up += onetsc_test_step_semaphore != 0;
		sum += probed_step(i, "hello");
		if (!times || argc > 2)
			usleep(5000);
	}
	printf("%d steps, semaphore up at %d, %d\n", times, up, sum);
	return 0;
}
