// SPDX-License-Identifier: GPL-2.0-or-later
#include "timeline/crew.h"

#include <errno.h>
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include "base/mono.h"

/* Most jobs take less than a tenth of a millisecond, and to wake a thread that sleeps takes as long
 * as some of them: who has to wait does so awake for a while. */
#define SPIN_NS 150000

enum { IDLE, QUEUED, RUNNING };

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct job queues[2]; /* rings; [0] urgent */
	unsigned size;	      /* with the caller */
	unsigned n_threads;   /* that have been started */
	unsigned n_idle, awaited;
	atomic_uint n_queued;
	bool stop, spins, spinning; /* spinning: a thread, not the caller; one is enough */
	struct member {
		struct crew *crew;
		pthread_t thread;
		unsigned number;
	} members[CREW_MAX];
};

/* Until it has another value, or for SPIN_NS. */
static void spin_while(const atomic_uint *v, unsigned value)
{
	uint64_t end_ns = mono_ns() + SPIN_NS;

	do
		for (unsigned i = 0; i < 32; i++) {
			if (atomic_load_explicit(v, memory_order_relaxed) != value)
				return;
			_mm_pause();
		}
	while (mono_ns() < end_ns);
}

static void unlink_job(struct crew *c, struct job *j)
{
	j->prev->next = j->next;
	j->next->prev = j->prev;
	c->n_queued--;
}

static struct job *take_first(struct crew *c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(c->queues); i++) {
		struct job *j = c->queues[i].next;

		if (j == &c->queues[i])
			continue;
		unlink_job(c, j);
		j->state = RUNNING;
		return j;
	}
	return NULL;
}

/* Until there may be work. Locked before and after. */
static void idle(struct crew *c)
{
	if (c->spins && !c->spinning) {
		c->spinning = true;
		pthread_mutex_unlock(&c->lock);
		spin_while(&c->n_queued, 0);
		pthread_mutex_lock(&c->lock);
		c->spinning = false;
	}
	if (c->n_queued || c->stop)
		return;
	c->n_idle++;
	pthread_cond_wait(&c->work, &c->lock);
	c->n_idle--;
}

static void *work(void *arg)
{
	struct member *m = arg;
	struct crew *c = m->crew;

	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		struct job *j = take_first(c);

		if (!j) {
			idle(c);
			continue;
		}
		pthread_mutex_unlock(&c->lock);
		j->run(j, m->number);
		pthread_mutex_lock(&c->lock);
		j->state = IDLE;
		if (c->awaited)
			pthread_cond_signal(&c->done);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* Signals are the caller's business, but for those that an instruction of the thread's own raises. */
static void block_signals(sigset_t *before)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGFPE);
	sigdelset(&set, SIGILL);
	sigdelset(&set, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &set, before);
}

static unsigned cpus(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);

	return n < 1 ? 1 : (unsigned)n;
}

int crew_new(unsigned n, struct crew **ret)
{
	struct crew *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->work, NULL);
	pthread_cond_init(&c->done, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(c->queues); i++)
		c->queues[i].next = c->queues[i].prev = &c->queues[i];
	c->size = n < CREW_MAX ? n : CREW_MAX;
	c->spins = n <= cpus();
	*ret = c;
	return 0;
}

void crew_free(struct crew *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->work);
	pthread_mutex_unlock(&c->lock);
	for (unsigned i = 1; i <= c->n_threads; i++)
		pthread_join(c->members[i].thread, NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->work);
	pthread_cond_destroy(&c->done);
	free(c);
}

unsigned crew_size(const struct crew *c)
{
	return c->size;
}

/* Locked, which is what the thread begins with. */
static void start_thread(struct crew *c)
{
	unsigned i = c->n_threads + 1;
	sigset_t before;

	c->members[i] = (struct member){.crew = c, .number = i};
	block_signals(&before);
	if (pthread_create(&c->members[i].thread, NULL, work, &c->members[i]))
		c->size = i; /* whoever waits for a job does it himself */
	else
		c->n_threads = i;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Threads are started one by one, when those that there are have all something to do: how many can be
 * kept busy is not known before, and the many CPUs of a large machine rarely can. */
static void queue(struct crew *c, struct job *j, struct job *ring)
{
	j->state = QUEUED;
	j->next = ring;
	j->prev = ring->prev;
	j->prev->next = j;
	ring->prev = j;
	c->n_queued++;
	if (c->n_queued <= c->spinning)
		return;
	if (c->n_idle)
		pthread_cond_signal(&c->work);
	if (c->n_queued > c->n_idle + c->spinning && c->n_threads + 1 < c->size)
		start_thread(c);
}

void crew_submit(struct crew *c, struct job *j, bool urgent)
{
	pthread_mutex_lock(&c->lock);
	queue(c, j, &c->queues[!urgent]);
	pthread_mutex_unlock(&c->lock);
}

void crew_offer(struct crew *c, struct job *j)
{
	pthread_mutex_lock(&c->lock);
	if (j->state == IDLE)
		queue(c, j, &c->queues[1]);
	pthread_mutex_unlock(&c->lock);
}

/* Takes it off its queue when nobody has begun it. */
static bool reclaim(struct crew *c, struct job *j)
{
	if (j->state != QUEUED)
		return false;
	unlink_job(c, j);
	j->state = IDLE;
	return true;
}

/* Something else that can be done while another thread does what is waited for. */
static bool help(struct crew *c)
{
	struct job *j = take_first(c);

	if (!j)
		return false;
	pthread_mutex_unlock(&c->lock);
	j->run(j, 0);
	pthread_mutex_lock(&c->lock);
	j->state = IDLE;
	return true;
}

/* Until a job has ended, perhaps this one. Locked before and after. */
static void await(struct crew *c, const struct job *j)
{
	if (c->spins) {
		pthread_mutex_unlock(&c->lock);
		spin_while(&j->state, RUNNING);
		pthread_mutex_lock(&c->lock);
	}
	if (j->state != RUNNING)
		return;
	c->awaited++;
	pthread_cond_wait(&c->done, &c->lock);
	c->awaited--;
}

/* Whether it was taken off its queue. */
static bool settle(struct crew *c, struct job *j, bool helps)
{
	bool mine;

	pthread_mutex_lock(&c->lock);
	mine = reclaim(c, j);
	while (j->state == RUNNING)
		if (!helps || !help(c))
			await(c, j);
	pthread_mutex_unlock(&c->lock);
	return mine;
}

void crew_wait(struct crew *c, struct job *j)
{
	if (settle(c, j, true))
		j->run(j, 0);
}

void crew_cancel(struct crew *c, struct job *j)
{
	settle(c, j, false);
}

unsigned crew_default(void)
{
	unsigned n = cpus();

	return n < CREW_DEFAULT ? n : CREW_DEFAULT;
}
