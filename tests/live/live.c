// SPDX-License-Identifier: GPL-2.0-or-later
#include "../unit/test.h"

#include "live.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vm/proc.h"

static void nap_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

struct victim_page *victim_start(const int *kinds, int n)
{
	char fd_text[16], kind_text[VICTIM_KINDS][4];
	char *argv[VICTIM_KINDS + 3] = {getenv("ONETSC_VICTIM"), fd_text};
	int fd = memfd_create("victim", 0);
	struct victim_page *page;
	pid_t pid;

	assert_non_null(argv[0]);
	assert_int_equal(ftruncate(fd, sizeof(*page)), 0);
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	snprintf(fd_text, sizeof(fd_text), "%d", fd);
	for (int i = 0; i < n; i++) {
		snprintf(kind_text[i], sizeof(kind_text[i]), "%d", kinds[i]);
		argv[i + 2] = kind_text[i];
	}
	pid = fork();
	if (!pid) {
		execv(argv[0], argv);
		_exit(127);
	}
	close(fd);
	page->pid = pid;
	assert_true(victim_progress(page, kinds, n, 2));
	return page;
}

void victim_end(struct victim_page *page)
{
	kill(page->pid, SIGKILL);
	waitpid(page->pid, NULL, 0);
	munmap(page, sizeof(*page));
}

bool victim_progress(const struct victim_page *page, const int *kinds, int n, uint64_t more)
{
	uint64_t want[VICTIM_KINDS];
	int i = 0;

	for (int k = 0; k < n; k++)
		want[k] = page->slot[kinds[k]].rounds + more;
	for (int waited_ms = 0; waited_ms < 20000; waited_ms++) {
		while (i < n && page->ready && page->slot[kinds[i]].rounds >= want[i])
			i++;
		if (i == n)
			return true;
		nap_ms(1);
	}
	print_message("# victim %d does not go on\n", kinds[i]);
	return false;
}

void victim_assert_well(const struct victim_page *page)
{
	for (int i = 0; i < VICTIM_KINDS; i++) {
		const struct victim_slot *s = &page->slot[i];

		if (s->errors)
			print_message("# victim %d: %llu errors in %llu rounds, last code %lld\n",
				      i, (unsigned long long)s->errors,
				      (unsigned long long)s->rounds, (long long)s->error_code);
		assert_int_equal(s->errors, 0);
	}
}

bool victim_text_is_original(const struct victim_page *page)
{
	unsigned char file[16], now[16];
	uint64_t entry;
	char path[64];
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	int exe, mem;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/exe", page->pid);
	exe = open(path, O_RDONLY);
	snprintf(path, sizeof(path), "/proc/%d/mem", page->pid);
	mem = open(path, O_RDONLY);
	assert_int_equal(proc_entry_point(NULL, page->pid, &entry), 0);
	assert_int_equal(pread(exe, &eh, sizeof(eh), 0), sizeof(eh));
	for (int i = 0; i < eh.e_phnum && !found; i++) {
		assert_int_equal(pread(exe, &ph, sizeof(ph), (off_t)(eh.e_phoff + i * sizeof(ph))),
				 sizeof(ph));
		found = ph.p_type == PT_LOAD && eh.e_entry - ph.p_vaddr < ph.p_filesz;
	}
	assert_true(found);
	assert_int_equal(pread(exe, file, 16, (off_t)(ph.p_offset + eh.e_entry - ph.p_vaddr)), 16);
	assert_int_equal(pread(mem, now, 16, (off_t)entry), 16);
	close(exe);
	close(mem);
	return !memcmp(file, now, 16);
}

void live_journal_open(struct live_journal *lj)
{
	snprintf(lj->dir, sizeof(lj->dir), "/tmp/onetsc-live-XXXXXX");
	assert_non_null(mkdtemp(lj->dir));
	assert_int_equal(journal_open(lj->dir, &lj->j), 0);
}

void live_journal_close(struct live_journal *lj)
{
	assert_int_equal(journal_count(lj->j), 0);
	journal_close(lj->j);
	assert_int_equal(rmdir(lj->dir), 0);
}
