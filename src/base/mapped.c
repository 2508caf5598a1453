// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/mapped.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Never freed, used again: the handler may walk the list in another thread at any time. begin is
 * set last and cleared first. */
struct mapped {
	_Atomic(uintptr_t) begin;
	_Atomic(size_t) n, lost;
	struct mapped *next;
	dev_t dev;
	ino_t ino;
};

static _Atomic(struct mapped *) all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static size_t page_bytes;

static void note_lost(struct mapped *m, size_t from)
{
	size_t lost = atomic_load(&m->lost);

	while (from < lost && !atomic_compare_exchange_weak(&m->lost, &lost, from))
		;
}

static size_t whole_pages(size_t n)
{
	return (n + page_bytes - 1) & ~(page_bytes - 1);
}

/* Everything from there to the end of the map becomes zeros. mmap() is a plain system call on
 * Linux, so a handler may use it. */
static bool patch(struct mapped *m, uintptr_t begin, uintptr_t at)
{
	size_t n = atomic_load(&m->n), from = (at - begin) & ~(page_bytes - 1);

	if (mmap((void *)(begin + from), n - from, PROT_READ,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return false;
	note_lost(m, from);
	return true;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;
	int saved = errno;

	for (struct mapped *m = atomic_load(&all); m; m = m->next) {
		uintptr_t begin = atomic_load(&m->begin);

		/* a wide load near the end may begin behind it */
		if (!begin || at < begin || at - begin >= whole_pages(atomic_load(&m->n)))
			continue;
		if (!patch(m, begin, at))
			break;
		errno = saved;
		return;
	}
	/* not ours: the instruction runs again, into whatever was there before us */
	sigaction(SIGBUS, &before, NULL);
	errno = saved;
}

static int install(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sigaction now;

	page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	if (sigaction(SIGBUS, NULL, &now))
		return -errno;
	if ((now.sa_flags & SA_SIGINFO) && now.sa_sigaction == on_sigbus)
		return 0;
	before = now;
	return sigaction(SIGBUS, &sa, NULL) ? -errno : 0;
}

static struct mapped *take_slot(void)
{
	struct mapped *m = atomic_load(&all);

	while (m && atomic_load(&m->n))
		m = m->next;
	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->next = atomic_load(&all);
	atomic_store(&all, m);
	return m;
}

int mapped_new(int fd, size_t n, struct mapped **ret)
{
	void *p = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
	struct mapped *m = NULL;
	struct stat st;
	int r;

	if (p == MAP_FAILED)
		return -errno;
	pthread_mutex_lock(&lock);
	r = fstat(fd, &st) ? -errno : install();
	if (!r)
		m = take_slot();
	if (m) {
		m->dev = st.st_dev;
		m->ino = st.st_ino;
		atomic_store(&m->n, n);
		atomic_store(&m->lost, SIZE_MAX);
		atomic_store(&m->begin, (uintptr_t)p);
	}
	pthread_mutex_unlock(&lock);
	if (!m) {
		munmap(p, n);
		return r ? r : -ENOMEM;
	}
	*ret = m;
	return 0;
}

void mapped_free(struct mapped *m)
{
	uintptr_t begin;

	if (!m)
		return;
	pthread_mutex_lock(&lock);
	begin = atomic_exchange(&m->begin, 0);
	munmap((void *)begin, atomic_load(&m->n));
	atomic_store(&m->n, 0);
	pthread_mutex_unlock(&lock);
}

const uint8_t *mapped_bytes(const struct mapped *m)
{
	return (const uint8_t *)atomic_load(&m->begin);
}

size_t mapped_lost(const struct mapped *m)
{
	return atomic_load(&m->lost);
}

size_t mapped_lost_now(struct mapped *m, const char *path)
{
	struct stat st;

	if (!stat(path, &st) && st.st_dev == m->dev && st.st_ino == m->ino && st.st_size >= 0 &&
	    (size_t)st.st_size < atomic_load(&m->n))
		note_lost(m, (size_t)st.st_size);
	return mapped_lost(m);
}
