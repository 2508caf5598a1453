// SPDX-License-Identifier: GPL-2.0-or-later
/* The blob's place in the code of the process: put there, taken away, and put right later. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vm/inject_impl.h"
#include "vm/proc.h"

#define MAX_PROGRAM_HEADERS 256
#define STOP_TIMEOUT_MS	    2000
#define UNDO_TRIES	    20
#define SCAN_BYTES	    65536
#define PAGE_BYTES	    4096

/* The bytes at the entry point as the executable's file has them. */
static int text_from_file(pid_t tid, uint8_t ret[BLOB_AREA_BYTES])
{
	_cleanup_fd_ int fd = -1;
	char path[64];
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	snprintf(path, sizeof(path), "/proc/%d/exe", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (pread(fd, &eh, sizeof(eh), 0) != sizeof(eh) || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
	    eh.e_phentsize != sizeof(ph) || eh.e_phnum > MAX_PROGRAM_HEADERS)
		return -ENOEXEC;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (pread(fd, &ph, sizeof(ph), (off_t)(eh.e_phoff + i * sizeof(ph))) != sizeof(ph))
			return -ENOEXEC;
		if (ph.p_type != PT_LOAD || eh.e_entry - ph.p_vaddr >= ph.p_filesz)
			continue;
		if (pread(fd, ret, BLOB_AREA_BYTES,
			  (off_t)(ph.p_offset + eh.e_entry - ph.p_vaddr)) != BLOB_AREA_BYTES)
			return -ENOEXEC;
		return blob_is_there(ret) ? -ENOEXEC : 0;
	}
	return -ENOEXEC;
}

/* Words from addr upwards, as far as there is memory. */
static size_t read_stack(pid_t tid, uint64_t addr, uint64_t *words, size_t n)
{
	size_t k = 0, step;

	for (; k < n; k += step) {
		uint64_t at = addr + k * 8;

		step = (PAGE_BYTES - at % PAGE_BYTES) / 8;
		if (step > n - k)
			step = n - k;
		if (tracee_read(tid, at, words + k, step * 8))
			break;
	}
	return k;
}

/* A thread in the blob, or one that will come back to it: a handler that runs on top of it. Then
 * there is a signal frame with rip, rflags and cs next to each other (struct sigcontext); an old
 * frame on the stack may look the same, and only makes us wait. */
static bool thread_needs_blob(const struct inject_thread *t, uint64_t entry)
{
	_cleanup_free_ uint64_t *words = malloc(SCAN_BYTES);
	size_t n;

	if (blob_holds(entry, t->own.rip) || !words)
		return true;
	n = read_stack(t->tid, t->own.rsp & ~7ull, words, SCAN_BYTES / 8);
	for (size_t i = 0; i + 2 < n; i++)
		if (blob_holds(entry, words[i]) && (words[i + 1] & 0x202) == 0x202 &&
		    (words[i + 2] & 0xffff) == 0x33)
			return true;
	return false;
}

static bool anybody_needs_blob(struct inject *inj, uint64_t entry)
{
	for (struct inject_thread *t = inject_next(inj, NULL); t; t = inject_next(inj, t))
		if (thread_needs_blob(t, entry))
			return true;
	return false;
}

/* A blob that is there already was left by one that died. Its journal is not needed to know what
 * belongs there, but nobody may be on the way through it: at our end it is taken away. */
static int adopt_left_blob(struct inject *inj)
{
	int r = text_from_file(inj->main->tid, inj->text);

	if (!r)
		r = inject_stop_all(inj, STOP_TIMEOUT_MS);
	if (!r && anybody_needs_blob(inj, inj->entry))
		r = inject_fail(inj, -EBUSY, "a killed onetsc's call in process %d still runs",
				inj->pid);
	return r;
}

static int read_original(struct inject *inj)
{
	int r = tracee_read(inj->main->tid, inj->entry, inj->text, sizeof(inj->text));

	if (!r && blob_is_there(inj->text))
		r = adopt_left_blob(inj);
	if (r)
		return inject_fail(inj, r,
				   "cannot read the code at the entry point %#" PRIx64 ": %s",
				   inj->entry, strerror(-r));
	if (!blob_entry_usable(inj->text))
		return inject_fail(inj, -EOPNOTSUPP,
				   "the code at the entry point %#" PRIx64 " is too short to use",
				   inj->entry);
	return 0;
}

static int poke_verified(struct inject *inj, const uint8_t bytes[BLOB_AREA_BYTES])
{
	uint8_t now[BLOB_AREA_BYTES];
	int r = tracee_poke(inj->main->tid, inj->entry, bytes, BLOB_AREA_BYTES);

	if (!r)
		r = tracee_read(inj->main->tid, inj->entry, now, sizeof(now));
	if (r)
		return r;
	return memcmp(now, bytes, sizeof(now)) ? -EIO : 0;
}

static void text_to_hex(const uint8_t text[BLOB_AREA_BYTES], char hex[2 * BLOB_AREA_BYTES + 1])
{
	for (int i = 0; i < BLOB_AREA_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", text[i]);
}

int inject_text_place(struct inject *inj)
{
	uint8_t with[BLOB_AREA_BYTES];
	char hex[2 * BLOB_AREA_BYTES + 1];
	int r;

	if (inj->placed)
		return 0;
	r = proc_entry_point(NULL, inj->main->tid, &inj->entry);
	if (r)
		return inject_fail(inj, r, "cannot find the entry point of process %d: %s",
				   inj->pid, strerror(-r));
	r = read_original(inj);
	if (r)
		return r;
	text_to_hex(inj->text, hex);
	r = journal_push(inj->journal, "inject-text", &inj->journal_id,
			 "%d %" PRIu64 " %" PRIx64 " %s", inj->pid, inj->start_ticks, inj->entry,
			 hex);
	if (r)
		return inject_fail(inj, r, "cannot write the undo journal: %s", strerror(-r));
	inj->placed = true;
	blob_overlay(inj->text, with);
	r = poke_verified(inj, with);
	if (r && r != -ESRCH)
		inject_fail(inj, r, "cannot write at the entry point %#" PRIx64 ": %s", inj->entry,
			    strerror(-r));
	return r;
}

int inject_text_remove(struct inject *inj)
{
	int r;

	if (!inj->placed)
		return 0;
	r = poke_verified(inj, inj->text);
	if (!r || r == -ESRCH) {
		journal_done(inj->journal, inj->journal_id);
		inj->placed = false;
		return r;
	}
	return inject_fail(inj, -EIO,
			   "cannot put the code at %#" PRIx64
			   " of process %d back (%s); it is never "
			   "run again, \"onetsc restore\" will retry",
			   inj->entry, inj->pid, strerror(-r));
}

struct text_entry {
	int pid;
	uint64_t start_ticks, entry;
	uint8_t text[BLOB_AREA_BYTES];
};

static int parse(const char *text, struct text_entry *e)
{
	char hex[2 * BLOB_AREA_BYTES + 1];
	int end = 0;

	if (sscanf(text, "%d %" SCNu64 " %" SCNx64 " %32[0-9a-f]%n", &e->pid, &e->start_ticks,
		   &e->entry, hex, &end) != 4 ||
	    text[end] || strlen(hex) != 2 * BLOB_AREA_BYTES || e->pid <= 0)
		return -EBADMSG;
	for (int i = 0; i < BLOB_AREA_BYTES; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &e->text[i]) != 1)
			return -EBADMSG;
	return 0;
}

/* 0 also when there is nothing (left) to do. */
static int undo_once(struct inject *inj, const struct text_entry *e)
{
	uint8_t now[BLOB_AREA_BYTES];
	int r = inject_stop_all(inj, STOP_TIMEOUT_MS);

	if (!r)
		r = tracee_read(inj->main->tid, e->entry, now, sizeof(now));
	if (r)
		return r == -EFAULT ? 0 : r; /* not mapped: another program runs there now */
	if (!blob_is_ours(now, e->text) || !memcmp(now, e->text, sizeof(now)))
		return 0;
	if (anybody_needs_blob(inj, e->entry))
		return -EBUSY;
	inj->entry = e->entry;
	memcpy(inj->text, e->text, sizeof(inj->text));
	return poke_verified(inj, inj->text);
}

static int undo(void *arg)
{
	const struct timespec nap = {0, 50000000};
	const struct text_entry *e = arg;
	struct inject_why why = {0};
	struct inject *inj;
	int r = -EBUSY, err;

	for (int i = 0; i < UNDO_TRIES && r == -EBUSY; i++) {
		if (i)
			nanosleep(&nap, NULL);
		r = inject_open(e->pid, e->start_ticks, NULL, STOP_TIMEOUT_MS, &why, &inj);
		if (r)
			break;
		r = undo_once(inj, e);
		err = inject_close(inj);
		r = r ? r : err;
	}
	if (r == -ESRCH)
		return 0;
	if (r && why.text[0])
		log_warn("process %d: %s", e->pid, why.text);
	return r;
}

int inject_undo_text(const char *text)
{
	struct text_entry e;
	int r = parse(text, &e);

	return r ? r : inject_run(undo, &e);
}
