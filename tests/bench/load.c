// SPDX-License-Identifier: GPL-2.0-or-later
/* A load for recorders, until it is killed: on each CPU two threads wake each other through pipes.
 * Usage: load busy|calm|bursts: all the time, 500 times a second, or all the time for a tenth of each
 * second. Built and used by the script "record". */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_NS 2000000
#define BURST_NS 100000000

static const char *mode;

struct pair {
	int cpu, there[2], back[2];
	pthread_t asks, answers;
};

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void pace(void)
{
	struct timespec ts = {0, PAUSE_NS};

	if (!strcmp(mode, "calm")) {
		nanosleep(&ts, NULL);
	} else if (!strcmp(mode, "bursts")) {
		clock_gettime(CLOCK_MONOTONIC, &ts);
		if (ts.tv_nsec < BURST_NS)
			return;
		ts.tv_sec++;
		ts.tv_nsec = 0;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
}

static void *asks(void *arg)
{
	struct pair *p = arg;
	char c = 0;

	pin(p->cpu);
	while (write(p->there[1], &c, 1) == 1 && read(p->back[0], &c, 1) == 1)
		pace();
	return NULL;
}

static void *answers(void *arg)
{
	struct pair *p = arg;
	char c;

	pin(p->cpu);
	while (read(p->there[0], &c, 1) == 1 && write(p->back[1], &c, 1) == 1)
		continue;
	return NULL;
}

int main(int argc, char **argv)
{
	int n = (int)sysconf(_SC_NPROCESSORS_ONLN);
	struct pair *p = calloc((size_t)n, sizeof(*p));

	if (argc != 2 || !p)
		return 2;
	mode = argv[1];
	for (int i = 0; i < n; i++) {
		p[i].cpu = i;
		if (pipe(p[i].there) || pipe(p[i].back) ||
		    pthread_create(&p[i].asks, NULL, asks, &p[i]) ||
		    pthread_create(&p[i].answers, NULL, answers, &p[i]))
			return 1;
	}
	pause();
	return 0;
}
