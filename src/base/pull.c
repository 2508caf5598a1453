// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/pull.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct pull {
	int (*run)(void *state, struct pull *p);
	void *state;
	pthread_t thread;
	sem_t go, ready; /* whose turn it is: run's, the taker's */
	const void *batch;
	size_t n;
	int result;
	bool started, waits, ended, cancelled; /* waits: pull_take() was interrupted in its wait */
};

static void sem_down(sem_t *s)
{
	while (sem_wait(s) && errno == EINTR)
		;
}

static void *thread_main(void *arg)
{
	struct pull *p = arg;

	sem_down(&p->go);
	p->result = p->cancelled ? -ECANCELED : p->run(p->state, p);
	p->ended = true;
	p->n = 0;
	sem_post(&p->ready);
	return NULL;
}

/* The faults of mapped files that were cut must reach the thread that reads them. */
static int start(struct pull *p)
{
	sigset_t block, old;
	int r;

	sigfillset(&block);
	sigdelset(&block, SIGBUS);
	sigdelset(&block, SIGSEGV);
	sigdelset(&block, SIGFPE);
	sigdelset(&block, SIGILL);
	pthread_sigmask(SIG_SETMASK, &block, &old);
	r = pthread_create(&p->thread, NULL, thread_main, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	p->started = !r;
	return -r;
}

int pull_new(int (*run)(void *state, struct pull *p), void *state, struct pull **ret)
{
	struct pull *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->run = run;
	p->state = state;
	sem_init(&p->go, 0, 0);
	sem_init(&p->ready, 0, 0);
	r = start(p);
	if (r)
		pull_free(p);
	else
		*ret = p;
	return r;
}

int pull_give(struct pull *p, const void *batch, size_t n)
{
	if (p->cancelled)
		return -ECANCELED;
	if (!n)
		return 0;
	p->batch = batch;
	p->n = n;
	sem_post(&p->ready);
	sem_down(&p->go);
	return p->cancelled ? -ECANCELED : 0;
}

int pull_take(struct pull *p, const void **ret_batch, size_t *ret_n)
{
	if (!p->ended) {
		if (!p->waits)
			sem_post(&p->go);
		p->waits = true;
		if (sem_wait(&p->ready))
			return -errno;
		p->waits = false;
	}
	if (p->ended && p->result)
		return p->result;
	*ret_batch = p->batch;
	*ret_n = p->n;
	return 0;
}

void pull_free(struct pull *p)
{
	if (!p)
		return;
	if (p->started) {
		if (p->waits)
			sem_down(&p->ready);
		p->cancelled = true;
		sem_post(&p->go);
		pthread_join(p->thread, NULL);
	}
	sem_destroy(&p->go);
	sem_destroy(&p->ready);
	free(p);
}
